"""An optimiser on one tree of weights, with a gradient of the true size."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from wdjax import trees
from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.auditing.noise import BRANCHES, SEED, unit_tangent
from wdjax.auditing.probe import box_of_training
from wdjax.auditing.shrinking import shrunk, size
from wdjax.typing import Params

NAN = float("nan")


class Trial(NamedTuple):
    """One tree on which the optimiser is asked: the full one, or a corner of it.

    Attributes:
      params: The tree.
      box: The optimiser on it.
      weights: Its floating-point leaves, with random values in leaves that are zero.
      gradient: One gradient, random and tangent to the weights, of the size of the true one.
      sizes: ‖g‖ per leaf.
      axes: Per leaf the axes along each index of which it is tangent by itself.
    """

    params: Params
    box: BlackBox
    weights: Vectors
    gradient: Vectors
    sizes: dict[str, float]
    axes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(
        cls,
        tx: Any,
        params: Params,
        gradients: Mapping[str, np.ndarray],
        axes: Mapping[str, tuple[int, ...]],
    ) -> "Trial":
        """Makes one of the whole parameters and their gradient; to be called in float64."""
        leaves = trees.named_leaves(params)
        w = {name: np.asarray(leaves[name], float) for name in gradients}
        sizes = {name: float(np.linalg.norm(np.ravel(g))) for name, g in gradients.items()}
        return cls._made(tx, params, w, sizes, axes)

    @classmethod
    def _made(cls, tx: Any, params: Params, w: Vectors, sizes: Any, axes: Any) -> "Trial":
        rng = np.random.default_rng(SEED)
        w = {name: _held(x, rng) for name, x in w.items()}
        g = {name: _lasting(x, sizes[name], axes.get(name, ()), rng) for name, x in w.items()}
        return cls(params, box_of_training(tx, params, None, {}, w), w, g, sizes, axes)

    def cut(self, tx: Any, entries: int, most: int) -> "Trial":
        """Returns a smaller one, with gradients of the same size per entry; or this one."""
        params = shrunk(self.params, entries, most)
        if size(params) == size(self.params):
            return self
        leaves = trees.named_leaves(params)
        w = {n: x[tuple(map(slice, trees.shape(leaves[n])))] for n, x in self.weights.items()}
        sizes = {
            n: self.sizes[n] * math.sqrt(np.size(x) / np.size(self.weights[n]))
            for n, x in w.items()
        }
        try:
            return self._made(tx, params, w, sizes, self.axes)
        except (ValueError, TypeError):
            # An optimiser may hold arrays of the parameters' shapes.
            return self

    def first_steps(self, count: int = 3) -> dict[str, np.ndarray]:
        """Returns ‖Δw‖² summed over the first steps along one gradient, in each of the branches."""
        branches = [self._first(scale, factor, count) for scale, factor in BRANCHES]
        return {n: np.array([branch[n] for branch in branches]) for n in self.weights}

    def _first(self, scale: float, factor: float, count: int) -> dict[str, float]:
        w = {n: scale * x for n, x in self.weights.items()}
        states = {sign: self.box.init(w) for sign in (1.0, -1.0)}
        sums = dict.fromkeys(w, 0.0)
        for _ in range(count):
            updates = {}
            for sign, state in states.items():
                g = {n: sign * factor * x for n, x in self.gradient.items()}
                updates[sign], states[sign] = self.box.step(state, g, w)
            for n in sums:
                sums[n] += float(jnp.sum((updates[1.0][n] - updates[-1.0][n]) ** 2)) / 4
        return sums

    def from_rest(self, count: int) -> dict[str, float]:
        """Returns ‖Δw‖/‖g‖ of the first step along a gradient after steps without any."""
        zero = {n: np.zeros_like(x) for n, x in self.weights.items()}
        state = self.box.advance(self.box.init(self.weights), count, zero, self.weights)
        up, _ = self.box.step(state, self.gradient, self.weights)
        down, _ = self.box.step(state, {n: -g for n, g in self.gradient.items()}, self.weights)
        sizes = {n: float(jnp.linalg.norm(jnp.ravel(up[n] - down[n]))) / 2 for n in up}
        return {n: s / self.sizes[n] if self.sizes[n] else NAN for n, s in sizes.items()}


def _held(w: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The weights; random ones of size one where they are zero, and nothing could be removed."""
    return w if np.any(w) else rng.normal(size=w.shape)


def _lasting(
    w: np.ndarray, size: float, axes: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """A gradient of a given size, tangent to w."""
    g = unit_tangent(rng.normal(size=(1, *w.shape)), w, axes)
    norm = float(np.linalg.norm(np.ravel(g[0])))
    return size * g[0] / norm if norm else g[0]
