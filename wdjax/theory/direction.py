"""How a step moves the direction ŵ = w/‖w‖, which is all that a scale-invariant loss sees."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_rate


def effective_learning_rate(
    learning_rate: ArrayLike, squared_norm: ArrayLike, rate: ArrayLike = 0.0
) -> jax.Array:
    """The learning rate at which SGD moves the direction: η_e = η/((1−ρ)‖w‖²).

    A step w ← (1 − ρ) w − η ∇L(w) is exactly ŵ ← Norm(ŵ − η_e g̃) with g̃ = ‖w‖ ∇L(w), the gradient
    at ŵ. Coupled L2 without momentum has ρ = ηλ. The usual η/‖w‖² is `rate` = 0: too small by the
    fraction ρ.

    Args:
      learning_rate: η ≥ 0.
      squared_norm: ‖w‖² before the step, positive.
      rate: ρ in [0, 1), the fraction of w that decay removes in the step.

    Raises:
      ValueError: A number is NaN, infinite or negative, or ρ is above 1.

    Source: Hoffer et al., arXiv:1803.01814, without the factor 1 − ρ.

    Example:
      >>> print(f"{effective_learning_rate(0.1, 4.0, rate=0.1 * 0.05):.6f}")
      0.025126
    """
    return _effective(learning_rate, "squared_norm", squared_norm, rate)


def effective_normalised_rate(
    learning_rate: ArrayLike, norm: ArrayLike, rate: ArrayLike = 0.0
) -> jax.Array:
    """The same where the size of a step does not depend on the gradient's: η/((1−ρ)‖w‖).

    A step w ← (1 − ρ) w − η u is exactly ŵ ← Norm(ŵ − η_e u): Adam with ε → 0, Lion, Muon.

    Args:
      learning_rate: η ≥ 0.
      norm: ‖w‖ before the step, positive.
      rate: ρ in [0, 1), the fraction of w that decay removes in the step.

    Raises:
      ValueError: A number is NaN, infinite or negative, or ρ is above 1.

    Example:
      >>> print(f"{effective_normalised_rate(1e-3, 2.0):.4f}")
      0.0005
    """
    return _effective(learning_rate, "norm", norm, rate)


def _effective(
    learning_rate: ArrayLike, name: str, divisor: ArrayLike, rate: ArrayLike
) -> jax.Array:
    require_rate("learning_rate", learning_rate)
    require_rate(name, divisor)
    require_rate("rate", rate, most=1.0)
    return jnp.asarray(learning_rate) / ((1 - jnp.asarray(rate)) * jnp.asarray(divisor))
