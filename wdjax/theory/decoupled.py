"""Equilibrium under decoupled decay, whatever the optimiser: w ← (1 − ρ) w − u.

All that enters is ρ, the size of the steps u, and how long they keep their direction. An optimiser
whose steps have a size of their own (AdamW, Lion, Muon) has all three from its settings; under SGD
the size goes as 1/‖w‖, and `decoupled_sgd` solves for ‖w‖.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_rate


def squared_norm(
    rate: ArrayLike, step_moment: ArrayLike, correlation: ArrayLike = 1.0
) -> jax.Array:
    """‖w‖² at equilibrium: M R / (ρ (2 − ρ)), to leading order M R / (2ρ).

    From w = −Σ_k (1 − ρ)^k u_k, with u_k the step of k steps ago.

    Args:
      rate: ρ in [0, 1], the fraction of w that decay removes per step; at 0 there is no
        equilibrium and the result is infinite.
      step_moment: M = E‖u‖², with the learning rate in u.
      correlation: R = 1 + 2 Σ_{k≥1} (1 − ρ)^k r_k with r_k = E⟨u_t, u_{t+k}⟩ / M: with it the
        result is exact. To leading order Σ_k r_k over all lags, negative ones too. 1 for steps
        without memory.

    All arguments broadcast.

    Raises:
      ValueError: A number is NaN, infinite or negative, or ρ is above 1.

    Source: Kosson et al., arXiv:2305.17212, for the leading order; the exact form derived.

    Example:
      >>> print(f"{squared_norm(1e-3, step_moment=0.04, correlation=19.0):.1f}")
      380.2
    """
    rho, moment, sum_of_lags = _checked(rate, step_moment=step_moment, correlation=correlation)
    still = rho == 0
    taken = jnp.where(still, 1.0, rho * (2 - rho))
    return jnp.where(still, jnp.inf, moment * sum_of_lags / taken)


def angle_per_step(rate: ArrayLike, correlation: ArrayLike = 1.0) -> jax.Array:
    """Root-mean-square angle per step at equilibrium: cos θ = 1 − ρ/R, so θ ≈ √(2ρ/R) radians.

    The size of the steps does not matter. Exact (for a norm that does not fluctuate) for steps
    without memory; too small by a fraction of less than ρ/4 for those of a moving average.

    Args:
      rate: ρ in [0, 1], the fraction of w that decay removes per step.
      correlation: R = Σ_k r_k > 0, the steps' autocorrelation summed over all lags, *without* the
        factors (1 − ρ)^k of `squared_norm`: this is the more accurate of the two here.

    Raises:
      ValueError: A number is NaN, infinite or negative, or ρ is above 1.

    Source: Kosson et al., arXiv:2305.17212, Table 1; the sum over lags derived.

    Example:
      >>> print(f"{angle_per_step(1e-3, correlation=19.0):.5f}")
      0.01026
    """
    rho, sum_of_lags = _checked(rate, correlation=correlation)
    return angle_of_chord(2 * rho / sum_of_lags)


def relaxation_steps(rate: ArrayLike) -> jax.Array:
    """Steps in which a deviation of ‖w‖² falls by 1/e if the size of u does not change: 1/(2ρ).

    Under SGD the steps grow as w shrinks, and it takes half as long: 1/(4ρ).

    Args:
      rate: ρ in [0, 1]; without decay nothing relaxes and the result is infinite.

    Raises:
      ValueError: ρ is NaN, infinite, negative or above 1.

    Source: W ← (1 − ρ)² W + M R, to leading order in ρ.

    Example:
      >>> print(f"{relaxation_steps(1e-3):.0f}")
      500
    """
    (rho,) = _checked(rate)
    return 1 / (2 * rho)


def memory_steps(rate: ArrayLike) -> jax.Array:
    """Steps k after which the mean cosine between w_t and w_{t+k} has fallen to 1/e: 1/ρ.

    Steps without memory give (1 − ρ)^k exactly, which is 1/e at k = 1/ρ − 1/2 − ...; the memory of
    the steps themselves comes on top, (R² − 1)/(2R) for those of a moving average: all of this is
    small against 1/ρ where a step turns the weight by little.

    Args:
      rate: ρ in [0, 1]; without decay the result is infinite.

    Raises:
      ValueError: ρ is NaN, infinite, negative or above 1.

    Source: van Laarhoven, arXiv:1706.05350, for SGD. To leading order in ρ.

    Example:
      >>> print(f"{memory_steps(1e-3):.0f}")
      1000
    """
    (rho,) = _checked(rate)
    return 1 / rho


def angle_of_chord(squared_chord: ArrayLike) -> jax.Array:
    """Angle at the centre under a chord of the unit sphere: 2 arcsin(c/2) for the squared chord c².

    c² = E‖Δw‖²/‖w‖² for weights of one norm. Where the angle is small, 1 − c²/2 has no digits left
    that arccos could use; this has.

    Args:
      squared_chord: c² in [0, 4]; beyond no two points of the sphere are so far apart (NaN).

    Example:
      >>> print(f"{angle_of_chord(2.0):.4f}")
      1.5708
    """
    return 2 * jnp.arcsin(jnp.sqrt(jnp.asarray(squared_chord)) / 2)


def _checked(rate: ArrayLike, **numbers: ArrayLike) -> list[jax.Array]:
    """Checks ρ and numbers that are not negative; returns them as arrays."""
    require_rate("rate", rate, most=1.0)
    for name, number in numbers.items():
        require_rate(name, number)
    return [jnp.asarray(number) for number in (rate, *numbers.values())]
