"""Equilibrium of SGD with coupled L2 and heavy-ball momentum on a scale-invariant group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate


def angle_per_step(
    learning_rate: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike = 0.0
) -> jax.Array:
    """Root-mean-square angle between successive weights at equilibrium, √(2ηλ/(1+μ)), in radians.

    It follows from ⟨w, g⟩ = 0 and stationarity alone: no property of the gradient noise enters
    (derivation: with Q = E⟨w, m'⟩ and M = E‖m'‖², stationarity of ‖w‖² gives 2Q = ηM, and
    ⟨w, g⟩ = 0 gives Q(1+μ) = λE‖w‖², so E‖Δw‖²/E‖w‖² = 2ηλ/(1+μ)).

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0.
      momentum: μ in [0, 1).

    Raises:
      ValueError: As `sgd`.

    Source: Wan et al., arXiv:2006.08419; Kosson et al., arXiv:2305.17212, Table 1. The leading
    order in ηλ/(1−μ).

    Example:
      >>> print(f"{angle_per_step(0.1, 5e-4, 0.9):.5f}")
      0.00725
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum)
    return jnp.sqrt(2 * eta * lam / (1 + mu))


def squared_norm(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike,
) -> jax.Array:
    """Equilibrium of ‖w‖²: √(ηG / (λ(1−μ)(2 − ηλ/(1+μ)))).

    To leading order √(ηG/(2λ(1−μ))): proportional to √(η/λ) *as long as G is the same*.

    Args:
      learning_rate: η > 0.
      weight_decay: λ > 0. At λ = 0 there is no equilibrium and the result is infinite.
      momentum: μ in [0, 1).
      gradient_moment: G = E(‖w‖²‖g‖²) of the group.

    Raises:
      ValueError: As `sgd`.

    Source: van Laarhoven, arXiv:1706.05350 and Wan et al., arXiv:2006.08419 for μ = 0. With
    momentum: M(1−μ²) = λ²W + G/W + 2μλP for M = E‖m‖², W = ‖w‖² and P = E⟨w, m⟩ after a step,
    beside the two stationarity conditions of `angle_per_step`. Gradients without memory are
    assumed (E⟨g, m⟩ = 0), which the angle does not need.

    Example:
      >>> print(f"{squared_norm(0.1, 0.05, gradient_moment=4.0):.4f}")
      2.0025
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum)
    require_rate("gradient_moment", gradient_moment)
    finite_step = 2 - eta * lam / (1 + mu)
    return jnp.sqrt(eta * jnp.asarray(gradient_moment) / (lam * (1 - mu) * finite_step))


def effective_learning_rate(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike,
) -> jax.Array:
    """Effective learning rate at equilibrium, η/‖w‖², to leading order √(2ηλ(1−μ)/G).

    This is η/‖w‖² as the articles write it: with momentum the direction moves by 1/(1−μ) of it per
    unit of the gradient on the unit sphere, in the long run.

    Arguments and errors are those of `squared_norm`.

    Source: Labatie (2020), after Hoffer et al., arXiv:1803.01814.

    Example:
      >>> print(f"{effective_learning_rate(0.1, 0.05, gradient_moment=4.0):.4f}")
      0.0499
    """
    return jnp.asarray(learning_rate) / squared_norm(
        learning_rate, weight_decay, momentum, gradient_moment=gradient_moment
    )


def relaxation_steps(
    learning_rate: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike = 0.0
) -> jax.Array:
    """Steps in which a small deviation of ‖w‖ from equilibrium falls by 1/e: (1−μ)/(4ηλ).

    From d‖w‖⁴/dt = 4ηλ/(1−μ) (‖w‖⁴_eq − ‖w‖⁴). The often quoted 1/(2ηλ) is the time of pure decay,
    far *above* equilibrium, where ‖w‖² ∝ exp(−2ηλt/(1−μ)).

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0; without decay nothing relaxes and the result is infinite.
      momentum: μ in [0, 1).

    Raises:
      ValueError: As `sgd`.

    Source: transient of the norm recursion of van Laarhoven, arXiv:1706.05350.

    Example:
      >>> print(f"{relaxation_steps(0.1, 5e-4, 0.9):.0f}")
      500
    """
    eta, lam, mu = _settings(learning_rate, weight_decay, momentum)
    return (1 - mu) / (4 * eta * lam)


def growth_without_decay(
    learning_rate: ArrayLike, momentum: ArrayLike = 0.0, *, gradient_moment: ArrayLike
) -> jax.Array:
    """What ‖w‖⁴ grows by per step without decay: 2η²G/(1−μ)².

    Each step is orthogonal to w, so ‖w‖² grows by η²‖g‖² = η²G/‖w‖² without momentum; a buffer
    makes the learning rate in effect η/(1−μ).

    Args:
      learning_rate: η ≥ 0.
      momentum: μ in [0, 1).
      gradient_moment: G = E(‖w‖²‖g‖²) of the group.

    Raises:
      ValueError: As `sgd`.

    Source: Arora, Li & Lyu, arXiv:1812.03981, for μ = 0; gradients without memory are assumed.

    Example:
      >>> print(f"{growth_without_decay(0.1, gradient_moment=4.0):.2f}")
      0.08
    """
    eta, _, mu = _settings(learning_rate, 0.0, momentum)
    require_rate("gradient_moment", gradient_moment)
    return 2 * eta**2 * jnp.asarray(gradient_moment) / (1 - mu) ** 2


def _settings(
    learning_rate: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks η, λ and μ; returns them as arrays."""
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    require_momentum(momentum)
    eta, lam, mu = map(jnp.asarray, (learning_rate, weight_decay, momentum))
    unstable = eta * lam >= 2 * (1 + mu)
    if not isinstance(unstable, Tracer) and bool(jnp.any(unstable)):
        raise ValueError(
            f"learning_rate × weight_decay is {eta * lam}, but from 2(1 + momentum) on the decay "
            "alone makes the weight grow, and there is no equilibrium."
        )
    return eta, lam, mu


class SGDEquilibrium(NamedTuple):
    """What SGD with coupled L2 settles to on a scale-invariant group.

    Attributes:
      learning_rate: η.
      weight_decay: λ, in PyTorch's sense.
      momentum: μ.
    """

    learning_rate: ArrayLike
    weight_decay: ArrayLike
    momentum: ArrayLike = 0.0

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step, in radians; `angle_per_step`."""
        return angle_per_step(*self)

    @property
    def relaxation_steps(self) -> jax.Array:
        """Steps in which a deviation of ‖w‖ falls by 1/e; `relaxation_steps`."""
        return relaxation_steps(*self)

    def norm(self, gradient_moment: ArrayLike) -> jax.Array:
        """‖w‖ at equilibrium for G = E(‖w‖²‖g‖²); the root of `squared_norm`."""
        return jnp.sqrt(squared_norm(*self, gradient_moment=gradient_moment))

    def effective_lr(self, gradient_moment: ArrayLike) -> jax.Array:
        """η/‖w‖² at equilibrium for G = E(‖w‖²‖g‖²); `effective_learning_rate`."""
        return effective_learning_rate(*self, gradient_moment=gradient_moment)


def sgd(lr: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike = 0.0) -> SGDEquilibrium:
    """Returns the equilibrium of SGD with coupled L2 (`wdjax.transforms.sgd_l2`).

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0 in PyTorch's sense; twice the c of a penalty c‖w‖².
      momentum: μ in [0, 1), heavy-ball without dampening.

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, or ηλ is so large that
        the decay alone diverges.

    Example:
      >>> print(f"{sgd(lr=0.1, weight_decay=5e-4, momentum=0.9).angle:.5f}")
      0.00725
    """
    _settings(lr, weight_decay, momentum)
    return SGDEquilibrium(lr, weight_decay, momentum)
