"""Equilibrium of SGD with coupled L2: the decay is part of the gradient, and so of the buffer.

    g = ∇L(w) + λ w;   m ← μ m + (1 − τ) g;   w ← w − η m,   with Nesterov w ← w − η (g + μ m)

As in PyTorch; without dampening τ it is `wdjax.transforms.sgd_l2`. All follows from ⟨w, ∇L⟩ = 0 and
from stationarity: Q = E⟨w, m'⟩ and M = E‖m'‖² with m' the buffer after a step have 2Q = ηM, since
‖w‖² stays, and Q (1 + μ) = λ E‖w‖², since ∇L is orthogonal to w. A dampened buffer is that of the
gradients (1 − τ) g, so that η (1 − τ) takes the place of η everywhere.
"""

import dataclasses
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory.balance import Balance
from wdjax.theory.decoupled import angle_of_chord
from wdjax.theory.optimiser import Equilibrium, GradientStatistics, needed


def angle_per_step(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """Root-mean-square angle per step at equilibrium: cos θ = 1 − x/(1+μ) with x = ηλ(1−τ).

    To leading order θ = √(2ηλ/(1+μ)), in radians. No property of the gradient noise enters, not
    even that successive gradients are independent. With Nesterov they have to be, and

        cos θ = 1 − x (1 + 2μ − 2μ³ + μ(1+μ)(1+2μ)x) / (1 + μ + μ(1+2μ)x),

    to leading order θ = √(2ηλ(1 + 2μ − 2μ³)/(1+μ)).

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0.
      momentum: μ in [0, 1).
      nesterov: Whether steps look ahead along the buffer.
      dampening: τ in [0, 1]; τ = μ makes the buffer a moving average.

    Raises:
      ValueError: As `sgd`.

    Source: Wan et al., arXiv:2006.08419; Kosson et al., arXiv:2305.17212, Table 1, for the leading
    order without Nesterov. E‖Δw‖²/E‖w‖² = 2x/(1+μ) holds exactly, and the angle for a norm that
    does not fluctuate. Nesterov, and the exact forms: derived from the second moments.

    Example:
      >>> print(f"{angle_per_step(0.1, 5e-4, 0.9):.5f}")
      0.00725
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum, nesterov, dampening)
    x = eta * lam
    if not nesterov:
        return angle_of_chord(2 * x / (1 + mu))
    ahead = 1 + 2 * mu - 2 * mu**3 + mu * (1 + mu) * (1 + 2 * mu) * x
    return angle_of_chord(2 * x * ahead / (1 + mu + mu * (1 + 2 * mu) * x))


def squared_norm(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike,
    nesterov: bool = False,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """Equilibrium of ‖w‖²: √(η(1−τ)G / (λ(1−μ)(2 − x/(1+μ)))) with x = ηλ(1−τ).

    To leading order √(ηG/(2λ(1−μ))): proportional to √(η/λ) *as long as G is the same*. With
    Nesterov, whose leading order is the same,

        ‖w‖⁴ = ηG (1 + μ + μ(1+2μ)x) / (λ (1 − μ + μx) (2(1+μ) − (1+2μ)x)).

    Args:
      learning_rate: η > 0.
      weight_decay: λ > 0. At λ = 0 there is no equilibrium and the result is infinite.
      momentum: μ in [0, 1).
      gradient_moment: G = E(‖w‖²‖∇L‖²) of the group.
      nesterov: Whether steps look ahead along the buffer.
      dampening: τ in [0, 1].

    Raises:
      ValueError: As `sgd`.

    Source: van Laarhoven, arXiv:1706.05350 and Wan et al., arXiv:2006.08419 for μ = 0. With
    momentum: M(1−μ²) = λ²W + G/W + 2μλP for W = ‖w‖² and P = E⟨w, m⟩ after a step, beside the two
    conditions above. Gradients without memory are assumed, E⟨∇L, m⟩ = 0, which the angle does not
    need: in a network whose gradients remember, the norm is off by more than the angle.

    Example:
      >>> print(f"{squared_norm(0.1, 0.05, gradient_moment=4.0):.4f}")
      2.0025
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum, nesterov, dampening)
    require_rate("gradient_moment", gradient_moment)
    x = eta * lam
    if nesterov:
        slow = (1 - mu + mu * x) * (2 * (1 + mu) - (1 + 2 * mu) * x)
        share = (1 + mu + mu * (1 + 2 * mu) * x) / slow
    else:
        share = 1 / ((1 - mu) * (2 - x / (1 + mu)))
    return jnp.sqrt(eta * jnp.asarray(gradient_moment) * share / lam)


def relaxation_steps(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """Steps in which a small deviation of ‖w‖ from equilibrium falls by 1/e: (1−μ)/(4ηλ(1−τ)).

    From d‖w‖⁴/dt = 4ηλ/(1−μ) (‖w‖⁴_eq − ‖w‖⁴). The often quoted 1/(2ηλ) is the time of pure decay,
    far *above* equilibrium, where ‖w‖² ∝ exp(−2ηλt/(1−μ)); at equilibrium it is twice too long.
    With or without Nesterov.

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0; without decay nothing relaxes and the result is infinite.
      momentum: μ in [0, 1).
      dampening: τ in [0, 1].

    Raises:
      ValueError: As `sgd`.

    Source: transient of the norm recursion of van Laarhoven, arXiv:1706.05350. To leading order in
    ηλ/(1−μ)²; from ηλ(1−τ) = (1−√μ)² on a heavy ball rings, and no longer just relaxes.

    Example:
      >>> print(f"{relaxation_steps(0.1, 5e-4, 0.9):.0f}")
      500
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum, False, dampening)
    return (1 - mu) / (4 * eta * lam)


def memory_steps(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """Steps k after which E cos(w_t, w_{t+k}) has fallen to 1/e: (1−μ)/(ηλ(1−τ)).

    Four times `relaxation_steps`. With or without Nesterov. Arguments, errors and the range in
    which it holds are those of `relaxation_steps`.

    Source: van Laarhoven, arXiv:1706.05350, for μ = 0, where it is (1−ηλ)^k exactly.

    Example:
      >>> print(f"{memory_steps(0.1, 5e-4, 0.9):.0f}")
      2000
    """
    return 4 * relaxation_steps(learning_rate, weight_decay, momentum, dampening=dampening)


def growth_without_decay(
    learning_rate: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """What ‖w‖⁴ grows by per step without decay: 2η²(1−τ)²G/(1−μ)².

    Each step is orthogonal to w, so ‖w‖² grows by η²‖∇L‖² = η²G/‖w‖² without momentum; a buffer
    makes the learning rate in effect η/(1−μ). With or without Nesterov.

    Args:
      learning_rate: η ≥ 0.
      momentum: μ in [0, 1).
      gradient_moment: G = E(‖w‖²‖∇L‖²) of the group.
      dampening: τ in [0, 1].

    Raises:
      ValueError: As `sgd`.

    Source: Arora, Li & Lyu, arXiv:1812.03981, for μ = 0; gradients without memory are assumed.

    Example:
      >>> print(f"{growth_without_decay(0.1, gradient_moment=4.0):.2f}")
      0.08
    """
    eta, _, mu = _settings(learning_rate, 0.0, momentum, False, dampening)
    require_rate("gradient_moment", gradient_moment)
    return 2 * eta**2 * jnp.asarray(gradient_moment) / (1 - mu) ** 2


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "weight_decay", "momentum", "dampening"),
    meta_fields=("nesterov",),
)
@dataclasses.dataclass(frozen=True)
class CoupledSGD(Equilibrium):
    """What SGD with coupled L2 settles to on a scale-invariant group; made by `sgd`.

    Attributes:
      learning_rate: η.
      weight_decay: λ, in PyTorch's sense.
      momentum: μ.
      dampening: τ.
      nesterov: Whether steps look ahead along the buffer.
    """

    learning_rate: ArrayLike
    weight_decay: ArrayLike
    momentum: ArrayLike = 0.0
    dampening: ArrayLike = 0.0
    nesterov: bool = False

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step, in radians; `angle_per_step`."""
        return angle_per_step(*self._rates, nesterov=self.nesterov, dampening=self.dampening)

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine with w has fallen to 1/e; `memory_steps`."""
        return memory_steps(*self._rates, dampening=self.dampening)

    @property
    def relaxation_steps(self) -> jax.Array:
        """Steps in which a deviation of ‖w‖ falls by 1/e; `relaxation_steps`."""
        return relaxation_steps(*self._rates, dampening=self.dampening)

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """The law of ‖w‖²: drag ηλ(1−τ)/(1−μ), growth (η(1−τ)/(1−μ))²G, against ‖w‖^(−2).

        Args:
          **gradients: `gradient_moment`.
        """
        moment = needed("SGD", "gradient_moment", gradients)
        eta, lam, mu = _settings(*self._rates, self.nesterov, self.dampening)
        return Balance(eta * lam / (1 - mu), (eta / (1 - mu)) ** 2 * moment, growth_power=1.0)

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² at equilibrium for `gradient_moment`; `squared_norm`, exact in ηλ."""
        return squared_norm(
            *self._rates,
            gradient_moment=needed("SGD", "gradient_moment", gradients),
            nesterov=self.nesterov,
            dampening=self.dampening,
        )

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖² at equilibrium for `gradient_moment`: √(2ηλ(1−μ)/((1−τ)G)) to leading order.

        This is η/‖w‖² as the articles write it: with momentum the direction moves by 1/(1−μ) of it
        per unit of the gradient on the unit sphere, in the long run, and `direction` has the exact
        rate of a step.

        Source: Labatie (2020), after Hoffer et al., arXiv:1803.01814.
        """
        return jnp.asarray(self.learning_rate) / self.squared_norm(**gradients)

    @property
    def _rates(self) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        return self.learning_rate, self.weight_decay, self.momentum


def sgd(
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    dampening: ArrayLike = 0.0,
) -> CoupledSGD:
    """Returns the equilibrium of SGD with coupled L2 (`wdjax.transforms.sgd_l2`).

    Args:
      lr: η ≥ 0, a number or an array of several, such as one for each step of a schedule.
      weight_decay: λ ≥ 0 in PyTorch's sense; twice the c of a penalty c‖w‖².
      momentum: μ in [0, 1), heavy ball unless `nesterov`.
      nesterov: Whether steps look ahead along the buffer.
      dampening: τ in [0, 1], PyTorch's; Optax has none.

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, τ is above 1 or comes
        with Nesterov, or ηλ is so large that the decay alone diverges.

    Example:
      >>> settled = sgd(lr=0.1, weight_decay=5e-4, momentum=0.9)
      >>> print(f"{settled.angle:.5f} rad per step, ‖w‖ = {settled.norm(gradient_moment=4.0):.2f}")
      0.00725 rad per step, ‖w‖ = 7.95
      >>> print(f"{settled.balance(gradient_moment=4.0).course(norm=20.0, steps=1000)[-1]:.2f}")
      12.59
    """
    _settings(lr, weight_decay, momentum, nesterov, dampening)
    return CoupledSGD(lr, weight_decay, momentum, dampening, nesterov)


def _settings(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike,
    nesterov: bool,
    dampening: ArrayLike,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks the settings; returns η(1−τ), λ and μ as arrays."""
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    require_momentum(momentum)
    require_dampening(dampening, nesterov)
    eta, lam, mu, tau = map(jnp.asarray, (learning_rate, weight_decay, momentum, dampening))
    eta = eta * (1 - tau)
    gain = 1 + 2 * mu if nesterov else 1
    unstable = eta * lam * gain >= 2 * (1 + mu)
    if not isinstance(unstable, Tracer) and bool(jnp.any(unstable)):
        limit = "2(1 + momentum)/(1 + 2 momentum)" if nesterov else "2(1 + momentum)"
        raise ValueError(
            f"learning_rate × weight_decay is {eta * lam}, but from {limit} on the decay "
            "alone makes the weight grow, and there is no equilibrium."
        )
    return eta, lam, mu


def require_dampening(dampening: ArrayLike, nesterov: bool) -> None:
    """Raises ValueError if τ is not in [0, 1], or is there with Nesterov.

    Example:
      >>> require_dampening(0.9, nesterov=True)
      Traceback (most recent call last):
      ValueError: dampening is 0.9 with nesterov, which is defined without: leave one of them out.
    """
    require_rate("dampening", dampening, most=1.0)
    if nesterov and not isinstance(dampening, Tracer) and np.any(np.asarray(dampening) > 0):
        raise ValueError(
            f"dampening is {dampening} with nesterov, which is defined without: leave one of them "
            "out."
        )
