"""The course of the learning rate, seen from the steps along one lasting gradient."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.typing import PyTree

MOST_BLOCKS = 4096
"""Times at which the size of the steps is kept; each is a mean over the steps up to the next."""

SETTLED = 100
"""First steps, at most a tenth of the run, that do not count for the largest: they may be larger
for a denominator that is still filling. One that fills more slowly, without a correction of its
bias, counts as a larger learning rate, as it is one."""


class Course(NamedTuple):
    """How the steps of one leaf change in size along a run under one lasting gradient.

    Attributes:
      steps: Numbers of steps, in the middle of each block.
      sizes: Root-mean-square size of an entry's step, relative to the largest.
      largest: The largest.
      peak: The first step at which it is reached.
    """

    steps: np.ndarray
    sizes: np.ndarray
    largest: float
    peak: int

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The relative size at other steps."""
        return np.interp(steps, self.steps, self.sizes)


def courses(box: BlackBox, w: Vectors, g: Vectors, steps: int, horizon: int) -> dict[str, Course]:
    """Returns the course of each leaf that moves.

    Steps under g and under −g are subtracted from each other, so that decay does not count.

    Args:
      box: The optimiser.
      w: The weights, which are held.
      g: The gradient.
      steps: The length of the run, in which the largest step counts.
      horizon: The steps that are looked at.

    Raises:
      ValueError: Steps of the run are not finite.
    """
    stride = -(-horizon // MOST_BLOCKS)
    starts = np.arange(0, horizon, stride)
    lengths = np.minimum(horizon - starts, stride)
    signs = jnp.array([1.0, -1.0])
    pair = jax.vmap(lambda state, sign: box.step(state, _times(g, sign), w))

    def one(_: int, carry: tuple[PyTree, Vectors]) -> tuple[PyTree, Vectors]:
        updates, state = pair(carry[0], signs)
        squares = {name: jnp.mean((u[0] - u[1]) ** 2) / 4 for name, u in updates.items()}
        return state, {name: carry[1][name] + square for name, square in squares.items()}

    def block(state: PyTree, length: jax.Array) -> tuple[PyTree, Vectors]:
        none = {name: jnp.zeros(()) for name in w}
        state, squares = jax.lax.fori_loop(0, length, one, (state, none))
        return state, jax.tree.map(lambda sum_: jnp.sqrt(sum_ / length), squares)

    start = box.init(w)
    both = jax.tree.map(lambda x: jnp.stack([x, x]), start)
    _, sizes = jax.jit(lambda s, n: jax.lax.scan(block, s, n))(both, jnp.asarray(lengths))
    for name, value in sizes.items():
        if not np.all(np.isfinite(np.asarray(value)[starts < steps])):
            raise ValueError(
                f"the optimiser's steps are not finite at leaf {name!r}: its learning rate, its "
                "decay or what it divides by is NaN, infinite or zero. Correct it: an audit needs "
                "finite steps."
            )
    found = {n: _course(np.asarray(v), starts, lengths, steps) for n, v in sizes.items()}
    return {name: course for name, course in found.items() if course is not None}


def _course(
    sizes: np.ndarray, starts: np.ndarray, lengths: np.ndarray, steps: int
) -> Course | None:
    late = (starts >= min(SETTLED, steps // 10)) & (starts < steps)
    largest = float(np.max(sizes[late]))
    if not (0 < largest < np.inf):
        return None
    peak = int(starts[np.argmax(late & (sizes >= 0.999 * largest))])
    return Course(starts + (lengths - 1) / 2, sizes / largest, largest, peak)


def _times(x: Vectors, factor: jax.Array) -> Vectors:
    return {name: factor * value for name, value in x.items()}
