"""The random-walk null model: the optimiser of a scale-invariant loss that has nothing to learn."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate


class Walk(NamedTuple):
    """Trajectories of the null model, each of shape (steps, walkers).

    Attributes:
      norm: ‖w‖ before each step.
      angle: Angle between the weight before and after each step, in radians.
    """

    norm: jax.Array
    angle: jax.Array


def simulate(
    key: jax.Array,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    gradient_moment: ArrayLike = 1.0,
    norm: ArrayLike = 1.0,
    dimension: int = 256,
    steps: int = 1000,
    walkers: int = 1,
) -> Walk:
    """Runs SGD with coupled L2 on pure noise: gradients tangent to w, of size ∝ 1/‖w‖.

        z ~ N(0, 1)^d;   g̃ = √(G/(d−1)) (z − ŵ⟨ŵ, z⟩);   g = g̃/‖w‖ + λ w
        m ← μ m + g;   w ← w − η m

    This is what `wdjax.theory` makes statements about, without a network, so it separates an error
    in a formula from an effect of training.

    Args:
      key: A JAX random key.
      learning_rate: η.
      weight_decay: λ.
      momentum: μ.
      gradient_moment: G = E‖g̃‖².
      norm: ‖w‖ at the start.
      dimension: d ≥ 2, the number of entries of w.
      steps: Number of steps.
      walkers: Number of independent copies.

    Returns:
      The norm before and the angle of each step, each (steps, walkers).

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, or a size is too small.

    Example:
      >>> walk = simulate(jax.random.key(0), 0.1, 0.05, dimension=64, steps=500)
      >>> walk.norm.shape
      (500, 1)
    """
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    require_momentum(momentum)
    require_rate("gradient_moment", gradient_moment)
    require_rate("norm", norm)
    if dimension < 2 or steps < 1 or walkers < 1:
        raise ValueError(
            f"dimension is {dimension}, steps {steps}, walkers {walkers}; expected at least 2 (a "
            "tangent needs room), 1 and 1."
        )
    settings = (learning_rate, weight_decay, momentum, gradient_moment, norm)
    return _walk(key, *map(jnp.asarray, settings), dimension, steps, walkers)


@partial(jax.jit, static_argnums=(6, 7, 8))
def _walk(
    key: jax.Array,
    learning_rate: jax.Array,
    weight_decay: jax.Array,
    momentum: jax.Array,
    gradient_moment: jax.Array,
    norm: jax.Array,
    dimension: int,
    steps: int,
    walkers: int,
) -> Walk:
    start_key, noise_key = jax.random.split(key)
    start = jax.random.normal(start_key, (walkers, dimension))
    start = norm * start / jnp.linalg.norm(start, axis=-1, keepdims=True)

    def step(state, noise_key):
        w, buffer = state
        length = jnp.linalg.norm(w, axis=-1, keepdims=True)
        noise = jax.random.normal(noise_key, w.shape)
        tangent = noise - w * jnp.sum(noise * w, axis=-1, keepdims=True) / length**2
        gradient = jnp.sqrt(gradient_moment / (dimension - 1)) * tangent / length
        buffer = momentum * buffer + gradient + weight_decay * w
        moved = w - learning_rate * buffer
        return (moved, buffer), Walk(length[..., 0], _angle(w, moved))

    _, walk = jax.lax.scan(step, (start, jnp.zeros_like(start)), jax.random.split(noise_key, steps))
    return walk


def _angle(a: jax.Array, b: jax.Array) -> jax.Array:
    """2·atan2(‖â − b̂‖, ‖â + b̂‖), which resolves small angles that arccos rounds to zero."""
    a = a / jnp.linalg.norm(a, axis=-1, keepdims=True)
    b = b / jnp.linalg.norm(b, axis=-1, keepdims=True)
    return 2 * jnp.arctan2(jnp.linalg.norm(a - b, axis=-1), jnp.linalg.norm(a + b, axis=-1))
