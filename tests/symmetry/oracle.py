"""A numeric oracle for the scalings that a loss does not see; it knows nothing of jaxprs.

If each entry wᵢ is multiplied by exp(dᵢ), the loss changes by Σ dᵢ wᵢ gᵢ to first order. So the
symmetries are the null space of a matrix with one row w·g per sample of parameters and data.

A network of more than `MANY` entries has its leaves of more than `LARGE` entries reduced to factors
along each axis, that is to the sums of w·g per index. Factors of single entries of such a leaf, or
of joint indices along several axes, are not seen.
"""

import functools
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tests.symmetry.architectures import ZOO
from tests.symmetry.architectures.parts import normal_like
from wdjax.trees import named_leaves

MANY = 600
LARGE = 60
ZERO = 1e-10
"""Singular values of at most this are zero, for rows of size one ..."""
CLEAR = 1e-7
"""... and there must be none from there up to this."""
SMALL = {"xla_backend_optimization_level": 0}
"""Options of the compiler for what takes longer to compile than to run."""


class Network(NamedTuple):
    """A loss and where it may be taken.

    Attributes:
      loss: The loss.
      params: Parameters.
      args: What else it takes.
      measure: `measure(params, args)` returns its value, and per leaf the products w·g.
    """

    loss: Callable
    params: Any
    args: tuple
    measure: Callable[[Any, tuple], tuple[jax.Array, dict[str, jax.Array]]]

    def value(self, params: Any) -> float:
        """The loss at other parameters."""
        return float(self.measure(params, self.args)[0])


class Samples(NamedTuple):
    """The products w·g of many samples; each sample has size one over all leaves.

    Attributes:
      columns: Per leaf, (samples, unknowns): one unknown per entry, or per index of each axis.
      shapes: Per leaf, its shape.
    """

    columns: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...]]

    def is_reduced(self, name: str) -> bool:
        """Whether a leaf has one unknown per index of each axis."""
        return self.columns[name].shape[1] != np.prod(self.shapes[name], dtype=int)

    def size(self, name: str) -> float:
        """The largest product of a leaf."""
        return float(np.abs(self.columns[name]).max(initial=0.0))

    def uniform(self, names: Iterable[str]) -> np.ndarray:
        """One unknown per leaf."""
        return np.stack([self._total(name) for name in names], axis=1)

    def _total(self, name: str) -> np.ndarray:
        first_axis = self.shapes[name][0] if self.is_reduced(name) else None
        return self.columns[name][:, :first_axis].sum(1)

    def full_dimension(self, names: Iterable[str]) -> int:
        """The dimension of all scalings of the entries of some leaves.

        A reduced leaf of r axes can be scaled as a whole along each of them: r − 1 directions of
        its unknowns are none.
        """
        names = list(names)
        idle = sum(len(self.shapes[name]) - 1 for name in names if self.is_reduced(name))
        return nullity(np.concatenate([self.columns[name] for name in names], axis=1)) - idle

    def finest_axes(self, name: str) -> list[tuple[int, ...]]:
        """The largest sets of axes each joint index of which may be scaled alone."""
        if self.is_reduced(name):
            return self._free_axes(name)
        shape, columns = self.shapes[name], self.columns[name]
        products = columns.reshape(len(columns), *shape)
        axes = [axis for axis, size in enumerate(shape) if size > 1]
        subsets = (c for count in range(len(axes), -1, -1) for c in combinations(axes, count))
        free: list[tuple[int, ...]] = []
        for subset in subsets:
            others = tuple(axis + 1 for axis in range(len(shape)) if axis not in subset)
            if not any(set(subset) < set(larger) for larger in free) and np.allclose(
                products.sum(others), 0, atol=ZERO
            ):
                free.append(subset)
        return free

    def _free_axes(self, name: str) -> list[tuple[int, ...]]:
        """As `finest_axes` for a reduced leaf, of which at most one axis may be free."""
        if np.abs(self._total(name)).max() > ZERO:
            return []
        shape = self.shapes[name]
        parts = np.split(self.columns[name], np.cumsum(shape)[:-1], axis=1)
        zero = [np.abs(part).max() < ZERO for part in parts]
        return [(axis,) for axis in range(len(shape)) if zero[axis] and shape[axis] > 1] or [()]


def network(loss: Callable, params: Any, args: tuple) -> Network:
    """Prepares a loss to be measured; it is compiled once."""
    leaves = named_leaves(params)
    reduced = _reduced({name: leaf.size for name, leaf in leaves.items()})

    def value(params, args):
        out = loss(params, *args)
        return out[0] if isinstance(out, tuple) else out

    def measure(params, args):
        found, gradient = jax.value_and_grad(value)(params, args)
        gradient = named_leaves(gradient)
        products = {name: leaf * gradient[name] for name, leaf in named_leaves(params).items()}
        return found, {n: index_sums(p) if n in reduced else p for n, p in products.items()}

    options = {} if reduced else SMALL
    return Network(loss, params, args, jax.jit(measure, compiler_options=options))


def _reduced(sizes: dict[str, int]) -> set[str]:
    if sum(sizes.values()) <= MANY:
        return set()
    return {name for name, size in sizes.items() if size > LARGE}


def index_sums(array: jax.Array) -> jax.Array:
    """Per axis, the sums over all other axes."""
    axes = range(array.ndim)
    return jnp.concatenate([array.sum(tuple(j for j in axes if j != i)) for i in axes])


def sample(network: Network, count: int | None = None, seed: int = 0) -> Samples:
    """Samples at normal parameters and data; labels and other whole numbers stay as they are.

    Without a count there are eight more than unknowns.
    """
    rng = np.random.default_rng(seed)
    names = list(named_leaves(network.params))
    rows: list[np.ndarray] = []
    sizes: list[int] = []
    while not rows or len(rows) < (count or sum(sizes) + 8):
        products = network.measure(*normal_like(rng, (network.params, network.args)))[1]
        flat = [np.ravel(products[name]) for name in names]
        sizes = [len(part) for part in flat]
        row = np.concatenate(flat)
        if np.any(row):  # or all its ReLUs are dead, and it says nothing
            rows.append(row / np.linalg.norm(row))
    columns = np.split(np.stack(rows), np.cumsum(sizes)[:-1], axis=1)
    shapes = {name: leaf.shape for name, leaf in named_leaves(network.params).items()}
    return Samples(dict(zip(names, columns, strict=True)), shapes)


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """All singular values, one per column, for rows of size one on average."""
    values = np.linalg.svd(matrix, compute_uv=False) / np.sqrt(len(matrix))
    return np.concatenate([values, np.zeros(matrix.shape[1] - len(values))])


def is_clear(values: np.ndarray) -> bool:
    """Whether there is no doubt which singular values are zero."""
    return not np.any((values > ZERO) & (values < CLEAR))


def nullity(matrix: np.ndarray) -> int:
    """The dimension of the null space."""
    values = singular_values(matrix)
    assert is_clear(values), values
    return int(np.sum(values <= ZERO))


@functools.cache
def network_of(name: str) -> Network:
    """An entry of the zoo, built once."""
    return network(*ZOO[name].build(np.random.default_rng(0)))


@functools.cache
def samples_of(name: str) -> Samples:
    """Samples of an entry of the zoo."""
    return sample(network_of(name))


def live_leaves(name: str) -> list[str]:
    """The leaves that matter to an entry of the zoo, by its labels."""
    entry = ZOO[name]
    return [leaf for leaf in samples_of(name).shapes if leaf not in (*entry.dead, *entry.unused)]
