"""The course of Adam's norm and angle on a scale-invariant group, its averages' memory included."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate


class Course(NamedTuple):
    """What becomes of a group, along a leading axis of time.

    Attributes:
      norm: √(E‖w‖²) after step 1, 2, ...
      angle: Angle of step 1, 2, ..., in radians.
    """

    norm: jax.Array
    angle: jax.Array


class _Moments(NamedTuple):
    """Before a step: W = E‖w‖², q = E⟨w, m⟩, M = E‖m‖², d E v, and the powers β₁^t, β₂^t."""

    squared_norm: jax.Array
    product: jax.Array
    buffer: jax.Array
    average: jax.Array
    b1_power: jax.Array
    b2_power: jax.Array


def adam_course(
    learning_rate: ArrayLike,
    rate: ArrayLike,
    b1: ArrayLike = 0.9,
    b2: ArrayLike = 0.999,
    *,
    size: ArrayLike,
    norm: ArrayLike,
    gradient_moment: ArrayLike = 1.0,
    weight_decay: ArrayLike = 0.0,
) -> Course:
    """Follows AdamW, AdamC or Adam with L2 through a schedule, step by step from empty averages.

    With Γ = G/W + λ²W the squared gradient and q = E⟨w_t, m_{t−1}⟩, each step takes

        M ← β₁² M + 2β₁(1−β₁) λ q + (1−β₁)² Γ,   Q = E⟨w, m⟩ = β₁ q + (1−β₁) λ W
        V ← β₂ V + (1−β₂) Γ,   c = η √(d (1−β₂^t)/V) / (1−β₁^t)
        W ← (1−ρ)² W − 2(1−ρ) c Q + c² M,   q ← (1−ρ) Q − c M

    `AdamW.balance` takes v to follow ‖w‖ at once. It does so within 1/(1−β₂) steps, during which
    gradients ∝ 1/‖w‖ are divided by older ones: a cosine of 4000 steps to zero at ηλ = 0.01 and
    β₂ = 0.999 ends 22 % above the balance, which this follows.

    Args:
      learning_rate: η ≥ 0 of each step, along the leading axis.
      rate: ρ in [0, 1] of each step, or for all: ηλ for AdamW.
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).
      size: d, the number of entries of the group.
      norm: ‖w‖ before the first step.
      gradient_moment: G = E(‖w‖²‖g‖²), for all steps or of each; without L2 only its changes count.
      weight_decay: λ ≥ 0 of L2 that is in the gradient. In general with ρ = 0.

    All broadcast against the learning rate; only the leading axis is time.

    Returns:
      Norm and angle of each step.

    Raises:
      ValueError: A number is NaN, infinite or negative, β₁ or β₂ is not below 1, ρ is above 1, or
        the learning rate has no axis of time.

    Source: derived: the second moments of w, m and g, for gradients orthogonal to w and without
    memory, and v as its mean (what v fluctuates by is left out: `adam.forgetting_factor`).

    Example:
      >>> eta = 1e-3 * jnp.linspace(1.0, 0.0, 5000)
      >>> course = adam_course(eta, eta * 1.0, size=1000, norm=1.0)
      >>> print(f"{course.norm[999]:.3f}, {course.norm[-1]:.3f}")
      0.763, 0.491
    """
    numbers = {
        "learning_rate": learning_rate,
        "size": size,
        "norm": norm,
        "gradient_moment": gradient_moment,
        "weight_decay": weight_decay,
    }
    for name, number in numbers.items():
        require_rate(name, number)
    require_rate("rate", rate, most=1.0)
    require_momentum(b1, "b1")
    require_momentum(b2, "b2")
    if jnp.ndim(learning_rate) == 0:
        raise ValueError(
            "learning_rate is one number; expected that of each step along the leading axis, such "
            "as jnp.full(steps, learning_rate)."
        )
    schedule = jnp.broadcast_arrays(
        *map(jnp.asarray, (learning_rate, rate, gradient_moment, weight_decay))
    )
    fixed = tuple(map(jnp.asarray, (b1, b2, size)))
    return _follow(schedule, fixed, jnp.asarray(norm))


@jax.jit
def _follow(
    schedule: list[jax.Array], fixed: tuple[jax.Array, jax.Array, jax.Array], norm: jax.Array
) -> Course:
    dtype = jnp.result_type(float, *schedule, *fixed, norm)
    shape = jnp.broadcast_shapes(schedule[0].shape[1:], norm.shape, *(x.shape for x in fixed))
    zero, one = jnp.zeros(shape, dtype), jnp.ones(shape, dtype)
    start = _Moments(one * norm.astype(dtype) ** 2, zero, zero, zero, one, one)

    def advance(state: _Moments, now: list[jax.Array]) -> tuple[_Moments, Course]:
        return _step(state, tuple(now), fixed)

    return jax.lax.scan(advance, start, [number.astype(dtype) for number in schedule])[1]


def _step(
    state: _Moments, now: tuple[jax.Array, ...], fixed: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[_Moments, Course]:
    eta, rate, moment, coupled = now
    b1, b2, size = fixed
    w, kept = state.squared_norm, 1 - rate
    gradient = moment / w + coupled**2 * w
    fresh = 1 - b1
    cross = 2 * b1 * fresh * coupled * state.product
    buffer = b1**2 * state.buffer + cross + fresh**2 * gradient
    product = b1 * state.product + fresh * coupled * w
    average = b2 * state.average + (1 - b2) * gradient
    powers = state.b1_power * b1, state.b2_power * b2
    step = eta * jnp.sqrt(size * (1 - powers[1]) / average) / (1 - powers[0])
    moved = kept**2 * w - 2 * kept * step * product + step**2 * buffer
    # ‖w‖‖w'‖ sin θ, which has the digits that 1 − cos θ would lose.
    area = step * jnp.sqrt(jnp.maximum(buffer * w - product**2, 0.0))
    angle = jnp.arctan2(area, kept * w - step * product)
    after = _Moments(moved, kept * product - step * buffer, buffer, average, *powers)
    return after, Course(jnp.sqrt(moved), angle)
