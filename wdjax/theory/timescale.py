"""Decoupled decay as averaging: the weight is a moving average of its own updates.

Under w ← (1 − ρ_t) w + u_t, with u_t the update beside the decay,

    w_T = m w_0 + Σ_t c_t (u_t/ρ_t);   c_t = ρ_t Π_{s>t} (1 − ρ_s);   m = Π_t (1 − ρ_t)

exactly, and m + Σ c_t = 1. For AdamW ρ_t = η_t λ and u_t/ρ_t = −U_t/λ, with U_t the step before the
learning rate. So w_T is an average of −U_t/λ over about the last 1/ρ steps, and of the start.
`wdjax.rates` makes the ρ of each convention; `wdjax.rates.timescale` makes it of 1/ρ.

Source: Wang & Aitchison, arXiv:2405.13698.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_rate


def averaging_time(rate: ArrayLike, steps_per_epoch: ArrayLike = 1) -> jax.Array:
    """τ = 1/ρ: over how many of its last steps, or epochs, a weight is averaged.

    Args:
      rate: ρ in [0, 1]; without decay the time is infinite.
      steps_per_epoch: N/B for N points in batches of B, if the time is wanted in epochs.

    Raises:
      ValueError: The rate is NaN, infinite, negative or above 1, or the number of steps is NaN,
        infinite or negative.

    Example:
      >>> print(f"{averaging_time(3e-4 * 0.1):.0f} steps")
      33333 steps
      >>> print(f"{averaging_time(3e-4 * 0.1, steps_per_epoch=50_000 / 128):.0f} epochs")
      85 epochs
    """
    require_rate("rate", rate, most=1.0)
    require_rate("steps_per_epoch", steps_per_epoch)
    return 1 / (jnp.asarray(rate, float) * jnp.asarray(steps_per_epoch))


def averaging_weights(rates: ArrayLike) -> jax.Array:
    """c_t = ρ_t Π_{s>t} (1 − ρ_s): the weight of step t in the average that w_T is.

    Under a schedule that falls, steps in the middle of the run can weigh more than the last ones.

    Args:
      rates: ρ_t in [0, 1] of each step, along the leading axis.

    Returns:
      The weights, of the same shape. They and `memory_of_start` add up to 1.

    Raises:
      ValueError: A rate is NaN, infinite, negative or above 1, or there is no time axis.

    Example:
      >>> averaging_weights(jnp.array([0.5, 0.5, 0.5]))
      Array([0.125, 0.25 , 0.5  ], dtype=float32)
    """
    rho = _over_time(rates)
    kept = jnp.log1p(-rho)
    # What is kept by all later steps: a sum of logarithms, as 1 − ρ rounds a small ρ away.
    later = jnp.concatenate([kept[1:], jnp.zeros_like(kept[:1])])
    return rho * jnp.exp(jax.lax.cumsum(later, reverse=True))


def memory_of_start(rates: ArrayLike) -> jax.Array:
    """Π_t (1 − ρ_t), about exp(−Σ ρ_t): the weight that w_0 still has in w_T.

    Args:
      rates: ρ_t in [0, 1] of each step, along the leading axis.

    Raises:
      ValueError: As `averaging_weights`.

    Example:
      >>> print(f"{memory_of_start(jnp.full(10_000, 1e-3)):.1e}")
      4.5e-05
    """
    return jnp.exp(jnp.sum(jnp.log1p(-_over_time(rates)), axis=0))


def time_scales(rates: ArrayLike) -> jax.Array:
    """Σ ρ_t: how many times its averaging time a run is long; exp(−Σ ρ_t) is left of the start.

    Args:
      rates: ρ_t in [0, 1] of each step, along the leading axis.

    Raises:
      ValueError: As `averaging_weights`.

    Example:
      >>> print(f"{time_scales(jnp.full(10_000, 1e-3)):.1f}")
      10.0
    """
    return jnp.sum(_over_time(rates), axis=0)


def mean_of_schedule(
    shape: str, *, power: int = 1, end: ArrayLike = 0.0, warmup: ArrayLike = 0.0
) -> jax.Array:
    """Mean of (η_t/η_peak)^power over a run: what the peak's time scales are multiplied by.

    A run of T steps has ρ_peak T times this mean of time scales. `rates.lr_coupled` and
    `rates.scheduled` follow η_t (power 1), `rates.corrected` and `rates.squared` follow η_t²
    (power 2). With x the part of the run after the warm-up that is over, η_t/η_peak is

        1 (constant);   1 − (1 − e) x (linear);   e + (1 − e)(1 + cos πx)/2 (cosine)

    Args:
      shape: "constant", "linear" or "cosine".
      power: 1 or 2.
      end: e in [0, 1], the learning rate at the end over its peak; a constant one ignores it.
      warmup: Part of the run, in [0, 1], in which the learning rate rises linearly from 0.

    Raises:
      ValueError: The shape or the power is another, or a number is not in [0, 1].

    Example:
      >>> for shape in ("constant", "linear", "cosine"):
      ...     left = jnp.exp(-10 * mean_of_schedule(shape))
      ...     print(f"{shape}: {left:.1e} of the start is left after 10 time scales of the peak")
      constant: 4.5e-05 of the start is left after 10 time scales of the peak
      linear: 6.7e-03 of the start is left after 10 time scales of the peak
      cosine: 6.7e-03 of the start is left after 10 time scales of the peak
    """
    if power not in (1, 2):
        raise ValueError(f"power is {power}; expected 1 or 2.")
    require_rate("end", end, most=1.0)
    require_rate("warmup", warmup, most=1.0)
    e, risen = jnp.asarray(end, float), jnp.asarray(warmup, float)
    means = {
        "constant": (jnp.ones_like(e), jnp.ones_like(e)),
        "linear": ((1 + e) / 2, (1 + e + e**2) / 3),
        "cosine": ((1 + e) / 2, e + 0.375 * (1 - e) ** 2),
    }
    if shape not in means:
        raise ValueError(f"shape is {shape!r}; expected one of {', '.join(means)}.")
    return risen / (power + 1) + (1 - risen) * means[shape][power - 1]


def _over_time(rates: ArrayLike) -> jax.Array:
    require_rate("rates", rates, most=1.0)
    if jnp.ndim(rates) == 0 or jnp.shape(rates)[0] == 0:
        raise ValueError(
            f"rates has shape {jnp.shape(rates)}; expected one rate per step along the leading "
            "axis, such as jax.vmap(schedule)(jnp.arange(steps)) or jnp.full(steps, rate)."
        )
    rho = jnp.asarray(rates)
    return rho.astype(jnp.promote_types(rho.dtype, jnp.float32))
