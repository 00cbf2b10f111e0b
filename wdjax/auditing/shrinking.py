"""Smaller trees of the same kind, on which an optimiser can be asked many times."""

import jax
import numpy as np

from wdjax import trees
from wdjax.typing import Params

CAPS = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2)
"""The sizes of axes that are tried."""


def shrunk(params: Params, entries: int, most: int) -> Params:
    """Cuts the corner of every leaf out of which the tree has few enough entries.

    Rank, dtype, structure and paths stay, so that masks, labels and groups still fit. A tree that
    is small enough is returned as it is.

    Args:
      params: The parameters.
      entries: How many there may be in all.
      most: How many there may be in one leaf.

    Example:
      >>> small = shrunk({"kernel": np.ones((512, 100)), "bias": np.ones(100)}, 5000, 4096)
      >>> small["kernel"].shape, small["bias"].shape
      ((64, 64), (64,))
    """
    leaves = trees.named_leaves(params)
    shapes = [trees.shape(leaf) for leaf in leaves.values()]
    if _fits(shapes, entries, most):
        return params
    for cap in CAPS:
        cut = [tuple(min(size, cap) for size in shape) for shape in shapes]
        if cap == CAPS[-1] or _fits(cut, entries, most):
            break
    return jax.tree.map(lambda leaf: _corner(leaf, cap), params)


def size(params: Params) -> int:
    """Returns the number of entries of the floating-point leaves."""
    leaves = trees.named_leaves(params).values()
    return sum(int(np.prod(trees.shape(x))) for x in leaves if trees.is_floating(x))


def _fits(shapes: list[tuple[int, ...]], entries: int, most: int) -> bool:
    sizes = [int(np.prod(shape)) for shape in shapes]
    return sum(sizes) <= entries and max(sizes, default=0) <= most


def _corner(leaf: jax.Array, cap: int) -> jax.Array:
    return leaf[tuple(slice(cap) for _ in trees.shape(leaf))] if trees.shape(leaf) else leaf
