"""Equilibrium of SGD with decoupled decay: the buffer sees the gradient alone.

    m ← μ m + (1 − τ) ∇L(w);   w ← (1 − ρ) w − η m,   with Nesterov − η (∇L(w) + μ m)

It is `wdjax.transforms.sgdw` with ρ = ηλ. The momentum averages steps but not the decay, so that at
the same ηλ the norm is larger than under coupled L2 and the angle smaller: ρ = ηλ/(1−μ) is what
coupled L2 removes in the long run. A dampened buffer is that of the gradients (1 − τ) ∇L, so that
η (1 − τ) takes the place of η.
"""

import dataclasses
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory import decoupled
from wdjax.theory.balance import Balance
from wdjax.theory.coupled_sgd import require_dampening
from wdjax.theory.optimiser import Equilibrium, GradientStatistics, needed


def autocovariance(momentum: ArrayLike, *, nesterov: bool = False) -> tuple[jax.Array, jax.Array]:
    """Autocovariance of the steps of SGD at lags 0 and 1, for gradients without memory.

        heavy ball:  c_0 = 1/(1−μ²),             c_1 = μ/(1−μ²)
        Nesterov:    c_0 = (1+2μ−2μ³)/(1−μ²),    c_1 = μ²(1+μ−μ²)/(1−μ²)

    times η²(1−τ)²E‖∇L‖²; at lag k it is c_1 μ^(k−1), and summed over all lags 1/(1−μ)² for both.

    Args:
      momentum: μ in [0, 1).
      nesterov: Whether steps look ahead along the buffer.

    Returns:
      c_0 and c_1.

    Raises:
      ValueError: μ is NaN, negative, or 1 or more.

    Source: derived; the impulse response is μ^k, and 1+μ, μ², μ³, ... with Nesterov.

    Example:
      >>> print("c_0 = {:.3f}, c_1 = {:.3f}".format(*autocovariance(0.5)))
      c_0 = 1.333, c_1 = 0.667
    """
    require_momentum(momentum)
    mu = jnp.asarray(momentum)
    if nesterov:
        zero, one = 1 + 2 * mu - 2 * mu**3, mu**2 * (1 + mu - mu**2)
    else:
        zero, one = jnp.ones_like(mu), mu
    return zero / (1 - mu**2), one / (1 - mu**2)


def angle_per_step(
    rate: ArrayLike, momentum: ArrayLike = 0.0, *, nesterov: bool = False
) -> jax.Array:
    """Root-mean-square angle per step at equilibrium, to leading order √(2ρ(1−μ)/(1+μ)) radians.

    Exactly cos θ = 1 − ρ(1−μ)/(1+(1−ρ)μ); with `autocovariance` and q = c_1/(1 − (1−ρ)μ)

        cos θ = 1 − ρ (c_0 − ρ q) / (c_0 + 2(1−ρ) q),

    which for Nesterov is to leading order θ = √(2ρ(1−μ)(1 + 2μ − 2μ³)/(1+μ)).

    Args:
      rate: ρ in [0, 1], the fraction of w that decay removes per step.
      momentum: μ in [0, 1).
      nesterov: Whether steps look ahead along the buffer.

    Raises:
      ValueError: As `sgdw`.

    Source: derived, for gradients without memory and a norm that does not fluctuate.

    Example:
      >>> print(f"{angle_per_step(0.1 * 5e-3, 0.9):.5f}")
      0.00726
    """
    rho, zero, later = _lags(rate, momentum, nesterov)
    lags = zero + 2 * (1 - rho) * later
    return decoupled.angle_of_chord(2 * rho * (zero - rho * later) / lags)


def squared_norm(
    learning_rate: ArrayLike,
    rate: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike,
    nesterov: bool = False,
    dampening: ArrayLike = 0.0,
) -> jax.Array:
    """Equilibrium of ‖w‖², to leading order η(1−τ)/(1−μ) √(G/(2ρ)).

    Exactly, with a = 1 − ρ, and with `autocovariance`,

        ‖w‖⁴ = η²(1−τ)²G (1 + aμ) / ((1 − μ²)(1 − a²)(1 − aμ))          heavy ball
        ‖w‖⁴ = η²(1−τ)²G (c_0 + 2a c_1/(1 − aμ)) / (1 − a²)             both

    Args:
      learning_rate: η ≥ 0.
      rate: ρ in [0, 1]; at 0 there is no equilibrium and the result is infinite.
      momentum: μ in [0, 1).
      gradient_moment: G = E(‖w‖²‖∇L‖²) of the group.
      nesterov: Whether steps look ahead along the buffer.
      dampening: τ in [0, 1].

    Raises:
      ValueError: As `sgdw`.

    Source: derived, for gradients without memory: `decoupled.squared_norm` with M ∝ 1/‖w‖².

    Example:
      >>> print(f"{squared_norm(0.1, 0.005, gradient_moment=4.0):.4f}")
      2.0025
    """
    rho, zero, later = _lags(rate, momentum, nesterov)
    eta, moment = _step(learning_rate, gradient_moment, nesterov, dampening)
    return jnp.sqrt(decoupled.squared_norm(rho, eta**2 * moment, zero + 2 * (1 - rho) * later))


def relaxation_steps(rate: ArrayLike) -> jax.Array:
    """Steps in which a small deviation of ‖w‖ from equilibrium falls by 1/e: 1/(4ρ).

    Half of `decoupled.relaxation_steps`, because steps grow as w shrinks. With or without Nesterov,
    to leading order in ρ/(1−μ).

    Args:
      rate: ρ in [0, 1]; without decay nothing relaxes and the result is infinite.

    Raises:
      ValueError: ρ is NaN, infinite, negative or above 1.

    Source: d‖w‖⁴/dt = 4ρ (‖w‖⁴_eq − ‖w‖⁴), from the recursion of van Laarhoven, arXiv:1706.05350.

    Example:
      >>> print(f"{relaxation_steps(5e-4):.0f}")
      500
    """
    return decoupled.relaxation_steps(rate) / 2


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "rate", "momentum", "dampening"),
    meta_fields=("nesterov",),
)
@dataclasses.dataclass(frozen=True)
class DecoupledSGD(Equilibrium):
    """What SGD with decoupled decay settles to on a scale-invariant group; made by `sgdw`.

    Attributes:
      learning_rate: η.
      rate: ρ, the fraction of w that decay removes per step.
      momentum: μ.
      dampening: τ.
      nesterov: Whether steps look ahead along the buffer.
    """

    learning_rate: ArrayLike
    rate: ArrayLike
    momentum: ArrayLike = 0.0
    dampening: ArrayLike = 0.0
    nesterov: bool = False

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step, in radians; `angle_per_step`."""
        return angle_per_step(self.rate, self.momentum, nesterov=self.nesterov)

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine with w has fallen to 1/e: 1/ρ."""
        return decoupled.memory_steps(self.rate)

    @property
    def relaxation_steps(self) -> jax.Array:
        """Steps in which a deviation of ‖w‖ falls by 1/e; `relaxation_steps`."""
        return relaxation_steps(self.rate)

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """The law of ‖w‖²: drag ρ, growth (η(1−τ)/(1−μ))²G, against ‖w‖^(−2).

        Args:
          **gradients: `gradient_moment`.
        """
        require_rate("rate", self.rate, most=1.0)
        moment = needed("SGDW", "gradient_moment", gradients)
        eta, moment = _step(self.learning_rate, moment, self.nesterov, self.dampening)
        gain = eta / (1 - jnp.asarray(self.momentum))
        return Balance(self.rate, gain**2 * moment, growth_power=1.0)

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² at equilibrium for `gradient_moment`; `squared_norm`, exact in ρ."""
        return squared_norm(
            self.learning_rate,
            self.rate,
            self.momentum,
            gradient_moment=needed("SGDW", "gradient_moment", gradients),
            nesterov=self.nesterov,
            dampening=self.dampening,
        )

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖² at equilibrium for `gradient_moment`: (1−μ)√(2ρ/G)/(1−τ) to leading order.

        As the articles write it: see `CoupledSGD.effective_lr`.
        """
        return jnp.asarray(self.learning_rate) / self.squared_norm(**gradients)


def sgdw(
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    dampening: ArrayLike = 0.0,
) -> DecoupledSGD:
    """Returns the equilibrium of SGD with decoupled decay ρ = ηλ (`wdjax.transforms.sgdw`).

    Args:
      lr: η ≥ 0, a number or an array of several, such as one for each step of a schedule.
      weight_decay: λ ≥ 0, multiplied by η as in Optax; for a rate ρ of another convention of
        `wdjax.rates` make a `DecoupledSGD` with it.
      momentum: μ in [0, 1), heavy ball unless `nesterov`.
      nesterov: Whether steps look ahead along the buffer.
      dampening: τ in [0, 1].

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, τ is above 1 or comes
        with Nesterov, or ηλ is above 1.

    Example:
      >>> settled = sgdw(lr=0.1, weight_decay=5e-3, momentum=0.9)
      >>> print(f"{settled.angle:.5f} rad per step, relaxes in {settled.relaxation_steps:.0f}")
      0.00726 rad per step, relaxes in 500
    """
    require_rate("lr", lr)
    require_rate("weight_decay", weight_decay)
    require_dampening(dampening, nesterov)
    rate = jnp.asarray(lr) * jnp.asarray(weight_decay)
    _lags(rate, momentum, nesterov)
    return DecoupledSGD(lr, rate, momentum, dampening, nesterov)


def _lags(
    rate: ArrayLike, momentum: ArrayLike, nesterov: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks; returns ρ, c_0 and Σ_{k≥1} (1−ρ)^(k−1) c_k = c_1/(1 − (1−ρ)μ)."""
    require_rate("rate", rate, most=1.0)
    zero, one = autocovariance(momentum, nesterov=nesterov)
    rho = jnp.asarray(rate)
    return rho, zero, one / (1 - (1 - rho) * jnp.asarray(momentum))


def _step(
    learning_rate: ArrayLike, gradient_moment: ArrayLike, nesterov: bool, dampening: ArrayLike
) -> tuple[jax.Array, jax.Array]:
    """Checks; returns η(1−τ) and G."""
    require_rate("learning_rate", learning_rate)
    require_rate("gradient_moment", gradient_moment)
    require_dampening(dampening, nesterov)
    return jnp.asarray(learning_rate) * (1 - jnp.asarray(dampening)), jnp.asarray(gradient_moment)
