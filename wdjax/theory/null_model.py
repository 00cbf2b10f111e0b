"""The random-walk null model: an optimiser on a scale-invariant loss with nothing to learn."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_rate
from wdjax.typing import PyTree


class Walk(NamedTuple):
    """Trajectories of the null model, each of shape (steps, walkers).

    Attributes:
      norm: ‖w‖ before each step.
      angle: Angle between the weight before and after each step, in radians.
      cosine: Cosine between the weight before each step and the one before the first that is
        recorded: the memory of the direction; 1 at first.
    """

    norm: jax.Array
    angle: jax.Array
    cosine: jax.Array


def simulate(
    key: jax.Array,
    tx: optax.GradientTransformation,
    *,
    gradient_moment: ArrayLike = 1.0,
    norm: ArrayLike = 1.0,
    shape: Sequence[int] = (256,),
    steps: int = 1000,
    discard: int = 0,
    walkers: int = 1,
    scales: ArrayLike | None = None,
) -> Walk:
    """Runs an optimiser on pure noise: gradients tangent to w, of size ∝ 1/‖w‖.

        z ~ s N(0, 1);   p = z − ŵ⟨ŵ, z⟩;   g̃ = p √(G / E‖p‖²);   w ← w + tx(g̃/‖w‖, w)

    with ŵ = w/‖w‖ and E‖p‖² = Σ s² − Σ s² ŵ², so that E‖g̃‖² = G at every w. Decay, momentum and
    schedules are those of the optimiser. This is what `wdjax.theory` makes statements about,
    without a network, so it separates an error in a formula from an effect of training.

    It is one `lax.scan`, to be used under `jit` and `vmap` at will: a grid of learning rates is one
    program, `vmap(lambda lr: simulate(key, optax.sgd(lr)))(rates)`, with common random numbers.
    Called as it is, it compiles once per call. Angles below 1e-3 want `jax.enable_x64`.

    Args:
      key: A JAX random key.
      tx: Any Optax optimiser; its learning rate may be traced. Each walker has its own state.
      gradient_moment: G = E‖g̃‖² ≥ 0, a number or one per walker.
      norm: ‖w‖ > 0 at the start, a number or one per walker; the direction is random.
      shape: Of w, at least two entries (a tangent needs room): a vector, a matrix, or any other.
      steps: Number of steps that are recorded.
      discard: Number of steps that run before, unrecorded.
      walkers: Number of independent copies.
      scales: s ≥ 0, broadcast to `shape`: how strong the noise is in each entry; None for 1.

    Returns:
      Norm, angle and cosine of each recorded step, each (steps, walkers).

    Raises:
      ValueError: `tx` is no optimiser, a number is NaN, infinite, negative or (the norm) zero, a
        size is too small, or the scales do not fit the shape or leave fewer than two entries.

    Example:
      >>> tx = optax.chain(optax.add_decayed_weights(0.05), optax.sgd(0.1, momentum=0.9))
      >>> walk = simulate(jax.random.key(0), tx, shape=(64,), steps=500, walkers=2)
      >>> walk.norm.shape
      (500, 2)
    """
    _check(tx, gradient_moment, norm, shape, (steps, discard, walkers), scales)
    spread = jnp.broadcast_to(jnp.asarray(1.0 if scales is None else scales, float), tuple(shape))
    moments = jnp.broadcast_to(jnp.asarray(gradient_moment, float), (walkers,))

    def step(w: jax.Array, state: PyTree, noise: jax.Array, moment: jax.Array) -> tuple:
        updates, state = tx.update(_gradient(w, spread * noise, spread, moment), state, w)
        return optax.apply_updates(w, updates), state

    def advance(carry: tuple, key: jax.Array) -> tuple:
        weights, states = carry
        return jax.vmap(step)(weights, states, jax.random.normal(key, weights.shape), moments)

    def run(key: jax.Array, norm: jax.Array) -> Walk:
        start_key, noise_key = jax.random.split(key)
        start = _start(start_key, (walkers, *shape), norm)
        keys = jax.random.split(noise_key, discard + steps)
        carry = start, jax.vmap(tx.init)(start)
        if discard:
            carry, _ = jax.lax.scan(lambda *x: (advance(*x), None), carry, keys[:discard])
        first, _ = carry

        def record(carry: tuple, key: jax.Array) -> tuple[tuple, Walk]:
            moved = advance(carry, key)
            return moved, jax.vmap(_compare)(carry[0], moved[0], first)

        return jax.lax.scan(record, carry, keys[discard:])[1]

    # One program, where it is not part of a larger one already.
    return jax.jit(run)(key, jnp.asarray(norm, float))


def _start(key: jax.Array, shape: tuple[int, ...], norm: jax.Array) -> jax.Array:
    """Random directions of the given norms."""
    direction = jax.random.normal(key, shape)
    return jax.vmap(lambda w, r: w * (r / _norm(w)))(direction, jnp.broadcast_to(norm, shape[:1]))


def _gradient(w: jax.Array, z: jax.Array, scales: jax.Array, moment: jax.Array) -> jax.Array:
    """The tangent part of z over ‖w‖, brought to E‖g‖² = G/‖w‖²."""
    square = jnp.sum(w**2)
    tangent = z - w * (jnp.sum(w * z) / square)
    expected = jnp.sum(scales**2) - jnp.sum((scales * w) ** 2) / square
    return jnp.sqrt(moment / (expected * square)) * tangent


def _compare(w: jax.Array, moved: jax.Array, first: jax.Array) -> Walk:
    """‖w‖, the angle from w to where it moved, and its cosine with the first.

    The angle is 2·atan2(‖â − b̂‖, ‖â + b̂‖), which resolves small ones that arccos rounds to zero.
    """
    a, b, c = (x / _norm(x) for x in (w, moved, first))
    return Walk(_norm(w), 2 * jnp.arctan2(_norm(a - b), _norm(a + b)), jnp.sum(a * c))


def _norm(w: jax.Array) -> jax.Array:
    """Over all axes; `jnp.linalg.norm` takes other norms of matrices."""
    return jnp.sqrt(jnp.sum(w**2))


def _check(
    tx: optax.GradientTransformation,
    gradient_moment: ArrayLike,
    norm: ArrayLike,
    shape: Sequence[int],
    counts: tuple[int, int, int],
    scales: ArrayLike | None,
) -> None:
    if not isinstance(tx, optax.GradientTransformation):
        raise ValueError(
            f"tx is {tx!r}; expected an Optax optimiser, such as "
            "optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(0.1))."
        )
    steps, discard, walkers = counts
    if int(np.prod(shape)) < 2 or steps < 1 or discard < 0 or walkers < 1:
        raise ValueError(
            f"shape is {tuple(shape)}, steps {steps}, discard {discard}, walkers {walkers}; "
            "expected at least 2 entries (a tangent needs room), 1, 0 and 1."
        )
    for name, value in (("gradient_moment", gradient_moment), ("norm", norm)):
        require_rate(name, value)
        if jnp.shape(value) not in ((), (1,), (walkers,)):
            raise ValueError(
                f"{name} has shape {jnp.shape(value)}; expected a number, or one for each of the "
                f"{walkers} walkers."
            )
    if not isinstance(norm, Tracer) and np.any(np.asarray(norm) == 0):
        raise ValueError(f"norm is {norm}; expected a positive number: zero has no direction.")
    _check_scales(scales, tuple(shape))


def _check_scales(scales: ArrayLike | None, shape: tuple[int, ...]) -> None:
    if scales is None:
        return
    require_rate("scales", scales)
    try:
        spread = np.broadcast_shapes(np.shape(scales), shape)
    except ValueError:
        spread = None
    if spread != shape:
        raise ValueError(f"scales has shape {np.shape(scales)}; expected one that fits {shape}.")
    if not isinstance(scales, Tracer) and np.count_nonzero(np.broadcast_to(scales, shape)) < 2:
        raise ValueError("scales leave fewer than two entries with noise, and no tangent to w.")
