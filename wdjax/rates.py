"""The conventions of decoupled weight decay, each a rate: the fraction of weight removed per step.

Decoupled decay is `w ← w − ρ_t w` beside the gradient step. Frameworks and papers that write the
same number λ for it mean different ρ_t, depending on whether λ is multiplied by the learning rate,
by its schedule, or by neither. Each constructor here says which, and returns ρ as a number or as
an Optax schedule, to be given to `wdjax.transforms.decoupled_decay`.

| constructor | ρ_t | who means this |
|---|---|---|
| `lr_coupled(λ, η)` | η_t λ | `optax.adamw`, PyTorch `AdamW` |
| `scheduled(λ, η, peak)` | λ η_t / η_peak | Loshchilov & Hutter 2017 (arXiv:1711.05101) |
| `independent(λ)` | λ | decay that ignores the learning rate and its schedule |
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_scalar
from wdjax.typing import Rate


def lr_coupled(weight_decay: Rate, learning_rate: Rate) -> Rate:
    """ρ_t = η_t λ_t: the decay is multiplied by the learning rate and so by its schedule.

    Args:
      weight_decay: λ_t ≥ 0, a number or an Optax schedule.
      learning_rate: η_t, a number or an Optax schedule.

    Returns:
      A number, or a schedule if λ or η is one.

    Raises:
      ValueError: λ or η is negative or not finite (a schedule: at step 0).

    Source: the rule of `optax.adamw` and of PyTorch's AdamW.

    Example:
      >>> lr_coupled(0.1, 0.003)
      0.00030000000000000003
    """
    require_scalar("weight_decay", weight_decay)
    require_scalar("learning_rate", learning_rate)
    if callable(learning_rate) or callable(weight_decay):
        return lambda count: _at(learning_rate, count) * _at(weight_decay, count)
    return learning_rate * weight_decay


def scheduled(
    weight_decay: float | jax.Array, learning_rate: Rate, peak: float | None = None
) -> Rate:
    """ρ_t = λ η_t / η_peak: the decay follows the schedule's shape, not the learning rate's size.

    Args:
      weight_decay: λ ≥ 0, the fraction of the weight removed per step at the schedule's peak.
      learning_rate: η_t, a number or an Optax schedule.
      peak: η_peak > 0, the schedule's largest value. A schedule cannot be asked for it, so it is
        required with one. A number is its own peak if none is given, so that ρ = λ.

    Returns:
      A number, or a schedule if the learning rate is one.

    Raises:
      ValueError: λ or η is negative or not finite, or the peak of a schedule is missing or not
        positive.

    Source: Loshchilov & Hutter, arXiv:1711.05101, Algorithm 2, line 12 (η_t there is the schedule
    multiplier, η_t / η_peak here).

    Example:
      >>> import optax
      >>> rate = scheduled(1e-4, optax.linear_schedule(0.2, 0.0, 100), peak=0.2)
      >>> print(f"{rate(50):.0e}")
      5e-05
    """
    require_scalar("weight_decay", weight_decay)
    require_scalar("learning_rate", learning_rate)
    if peak is None:
        if callable(learning_rate):
            raise ValueError(
                "scheduled() needs the schedule's largest value to divide by: give it as peak=."
            )
        return weight_decay
    require_scalar("peak", peak)
    if peak == 0:
        raise ValueError("peak is 0, but the schedule is divided by it: give its largest value.")
    if callable(learning_rate):
        return lambda count: weight_decay * (_wide(learning_rate(count)) / peak)
    return weight_decay * (learning_rate / peak)


def independent(weight_decay: Rate) -> Rate:
    """ρ_t = λ_t: neither the learning rate nor its schedule plays a part.

    Args:
      weight_decay: λ_t ≥ 0, a number or a schedule of its own.

    Raises:
      ValueError: λ is negative or not finite.

    Example:
      >>> independent(1e-4)
      0.0001
    """
    require_scalar("weight_decay", weight_decay)
    return weight_decay


def _at(rate: Rate, count: ArrayLike) -> jax.Array:
    return _wide(rate(count) if callable(rate) else rate)


def _wide(learning_rate: ArrayLike) -> jax.Array:
    """Optax's schedules give float32 even for float64 weights: the product shall not lose more."""
    return jnp.asarray(learning_rate, float)
