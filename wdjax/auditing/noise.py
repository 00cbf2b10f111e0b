"""An optimiser under gradients that are noise, tangent to weights that are held."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.typing import PyTree

BRANCHES = ((1.0, 1.0), (1.0, 2.0), (2.0, 0.5))
"""Factors of weights and gradients: as they are; the gradient doubled; the weights doubled, and the
gradient halved, as it is for a loss that is blind to their scale."""

SEED = (1706, 5350)
"""Weights that a user drew with a plain seed must not be the noise: their tangent is rounding."""

WINDOW = 2048
BURN_IN = 1024
"""Steps that are looked at, and steps before them in which buffers fill."""

BLOCK = 256
"""Steps that are run at once; longer looks are multiples of it."""


class Window(NamedTuple):
    """What was seen of one leaf in the last steps of the noise.

    Attributes:
      moments: E‖Δw‖² of the part that changes its sign with the gradients; (steps, branches).
      drags: The fraction of w that the other part removes; (steps, branches).
      samples: Some entries of the first part in the first branch; (steps, entries).
    """

    moments: ArrayLike
    drags: ArrayLike
    samples: ArrayLike


def under_noise(
    box: BlackBox,
    w: Vectors,
    sizes: dict[str, float],
    axes: dict[str, tuple[int, ...]],
    *,
    start: int,
    steps: int,
    walkers: int,
    entries: int,
) -> dict[str, Window]:
    """Runs an optimiser under noise and returns what each leaf did in the steps from `start` on.

    Each noise comes with its negative: half the difference of the two steps is what gradients do,
    and half their sum is what the weights do, which is exact for a rule that is odd in its gradient
    beside a decay.

    Args:
      box: The optimiser.
      w: The weights, which are held.
      sizes: ‖g‖ per leaf.
      axes: Per leaf the axes along each index of which noise is tangent by itself.
      start: The steps before, a multiple of BLOCK or of `steps`.
      steps: The steps that are looked at, below BLOCK or a multiple of it.
      walkers: Independent noises.
      entries: How many entries of each leaf and walker are sampled.
    """
    factors = np.repeat(np.asarray(BRANCHES), 2 * walkers, axis=0)
    signs = np.tile(np.repeat([1.0, -1.0], walkers), len(BRANCHES))
    held = {name: _times(factors[:, 0], np.asarray(x)[None]) for name, x in w.items()}
    rng, block = np.random.default_rng((*SEED, 1)), min(BLOCK, steps)

    def noise(name: str) -> np.ndarray:
        x = w[name]
        z = rng.normal(size=(block * walkers, *np.shape(x)))
        tangent = sizes[name] * unit_tangent(z, x, axes.get(name, ()))
        return tangent.reshape(block, walkers, *np.shape(x))

    def one(state: PyTree, z: Vectors) -> tuple[PyTree, dict[str, Window]]:
        each = {name: jnp.concatenate([x] * (2 * len(BRANCHES))) for name, x in z.items()}
        g = {name: _times(signs * factors[:, 1], x) for name, x in each.items()}
        updates, state = jax.vmap(box.step)(state, g, held)
        return state, {name: _seen(u, w[name], walkers, entries) for name, u in updates.items()}

    begun = [box.init({n: factor * x for n, x in w.items()}) for factor, _ in BRANCHES]
    state = jax.tree.map(lambda *x: jnp.repeat(jnp.stack(x), 2 * walkers, axis=0), *begun)
    run = jax.jit(lambda state, z: jax.lax.scan(one, state, z))
    kept = []
    for first in range(0, start + steps, block):
        state, seen = run(state, {name: noise(name) for name in w})
        if first >= start:
            kept.append(jax.tree.map(np.asarray, seen))
    return {
        name: Window(*map(np.concatenate, zip(*(seen[name] for seen in kept), strict=True)))
        for name in w
    }


def unit_tangent(z: np.ndarray, w: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Makes of white noise (samples, *shape of w) vectors with E‖·‖² = 1 that are tangent to w.

    A norm over one entry has no tangent: such leaves keep their noise.
    """
    summed = tuple(axis for axis in range(np.ndim(w)) if axis not in axes)
    in_group = int(np.prod([w.shape[axis] for axis in summed]))
    if in_group < 2:
        return z / np.sqrt(np.size(w))
    square = np.sum(w**2, axis=summed, keepdims=True)
    along = np.sum(z * w, axis=tuple(axis + 1 for axis in summed), keepdims=True)
    tangent = z - along / np.where(square > 0, square, 1.0) * w
    return tangent / np.sqrt(np.size(w) * (in_group - 1) / in_group)


def _times(factors: np.ndarray, x: Any) -> Any:
    return factors.reshape(-1, *(1,) * (x.ndim - 1)) * x


def _seen(u: jax.Array, w: np.ndarray, walkers: int, entries: int) -> Window:
    """Reduces the updates (branches · signs · walkers, *shape of w) of one step."""
    flat = u.reshape(len(BRANCHES), 2, walkers, -1)
    odd, even = (flat[:, 0] - flat[:, 1]) / 2, (flat[:, 0] + flat[:, 1]) / 2
    scales = np.asarray([factor for factor, _ in BRANCHES])
    drags = -jnp.mean(even, axis=1) @ np.ravel(w) / scales / np.sum(w**2)
    chosen = np.random.default_rng(0).permutation(w.size)[:entries]
    return Window(jnp.mean(jnp.sum(odd**2, axis=2), axis=1), drags, odd[0][:, chosen].ravel())
