"""Which norms a step keeps: of a leaf, of each index along its axes, of several leaves together."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wdjax.auditing.blackbox import BlackBox, Vectors, numpy_step
from wdjax.auditing.observations import norm
from wdjax.typing import PyTree

MOST_LEAVES = 64
"""Joint norms are looked for among so many leaves at most: it takes a step per leaf."""


class Sphere(NamedTuple):
    """A norm that steps keep.

    Attributes:
      leaves: Whose norm it is.
      axes: The axes that have a norm per index (empty: one norm).
    """

    leaves: tuple[str, ...]
    axes: tuple[int, ...] = ()


def spheres(
    box: BlackBox, state: PyTree, w: Vectors, rng: np.random.Generator
) -> dict[str, Sphere]:
    """Returns the sphere of each leaf that is on one, from steps at random gradients."""
    zero = {n: np.zeros_like(x) for n, x in w.items()}
    steps = [_random_step(box, state, w, rng) for _ in range(3)]
    still = numpy_step(box, state, zero, w)
    alone = {
        n: Sphere((n,), axes)
        for n in w
        if (axes := _kept_axes(w[n], [step[n] for step in steps], still[n])) is not None
    }
    others = [n for n in w if n not in alone and any(norm(step[n]) > 0 for step in steps)]
    if not 2 <= len(others) <= MOST_LEAVES:
        return alone
    steps += [_random_step(box, state, w, rng) for _ in others]
    together = (Sphere(group) for group in _joint(w, steps, still, others))
    return alone | {n: sphere for sphere in together for n in sphere.leaves}


def _random_step(
    box: BlackBox, state: PyTree, w: Vectors, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    gradient = {n: norm(x) / np.sqrt(x.size) * rng.normal(size=x.shape) for n, x in w.items()}
    return numpy_step(box, state, gradient, w)


def _kept_axes(
    w: np.ndarray, steps: Sequence[np.ndarray], still: np.ndarray
) -> tuple[int, ...] | None:
    """The most axes along each index of which all steps keep the norm; None if they keep none."""
    if w.size < 2:
        return None
    for count in range(w.ndim, -1, -1):
        for axes in itertools.combinations(range(w.ndim), count):
            if _entries(w, axes) > 1 and _all_keep([w], [[u] for u in steps], [still], axes):
                return axes
    return None


def _entries(w: np.ndarray, axes: tuple[int, ...]) -> int:
    return w.size // int(np.prod([w.shape[axis] for axis in axes]))


def _all_keep(
    weights: Sequence[np.ndarray],
    steps: Sequence[Sequence[np.ndarray]],
    still: Sequence[np.ndarray],
    axes: tuple[int, ...],
) -> bool:
    """Whether ‖w + u‖ = ‖w‖ at zero gradient, and in steps that could have changed it."""
    before = sum(float(np.sum(w**2)) for w in weights)
    moving = all(sum(float(np.sum(u**2)) for u in step) > 1e-12 * before for step in steps)
    return moving and all(_keeps(weights, step, axes) for step in (*steps, still))


def _keeps(
    weights: Sequence[np.ndarray], steps: Sequence[np.ndarray], axes: tuple[int, ...]
) -> bool:
    """Whether ‖w + u‖ = ‖w‖.

    A step along the tangent alone changes ‖w‖² by ‖u‖², and a decay by 2 ρ ‖w‖²: the one is far
    above what is allowed, the other above it at zero gradient. Weights that were rounded to
    float32 keep their norm to its rounding only, in which decays below 1e-7 are not seen.
    """
    arrived = [w + u for w, u in zip(weights, steps, strict=True)]
    before = sum(_squares(w, axes) for w in weights)
    change = sum(_squares(x, axes) for x in arrived) - before
    moved = sum(_squares(u, axes) for u in steps)
    rounding = 2e-7 if all(map(_is_single, arrived)) or all(map(_is_single, steps)) else 1e-14
    return bool(np.all(np.abs(change) <= 1e-6 * moved + rounding * before))


def _is_single(x: np.ndarray) -> bool:
    """Whether numbers (not all zero) have no more than float32's digits, but for a last sum."""
    return bool(np.any(x) and np.all(np.abs(x - np.asarray(x, np.float32)) <= 1e-15 * np.abs(x)))


def _squares(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.sum(x**2, axis=tuple(axis for axis in range(x.ndim) if axis not in axes))


def _joint(
    w: Vectors, steps: Sequence[Vectors], still: Vectors, names: Sequence[str]
) -> list[tuple[str, ...]]:
    """Sets of leaves whose squared norms change by amounts that add up to zero in every step."""
    changes = np.array([[norm(w[n] + u[n]) ** 2 - norm(w[n]) ** 2 for n in names] for u in steps])
    if not np.all(np.isfinite(changes)):
        return []
    _, sizes, rows = np.linalg.svd(changes)
    full = np.concatenate([sizes, np.zeros(len(names) - len(sizes))])
    null = rows[full <= 1e-6 * full[0]]
    groups = {frozenset(np.flatnonzero(row > 0.5).tolist()) for row in _reduced(null)}
    chosen = (tuple(names[i] for i in sorted(group)) for group in groups if len(group) > 1)
    return [
        group
        for group in chosen
        if _all_keep(
            [w[n] for n in group],
            [[u[n] for n in group] for u in steps],
            [still[n] for n in group],
            (),
        )
    ]


def _reduced(rows: np.ndarray) -> np.ndarray:
    """Row-reduces a basis: indicators of disjoint sets are reduced already, so they come out."""
    rows, done = rows.copy(), 0
    for column in range(rows.shape[1]):
        if done == len(rows):
            break
        pivot = done + int(np.argmax(np.abs(rows[done:, column])))
        if abs(rows[pivot, column]) < 1e-6:
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] /= rows[done, column]
        others = np.arange(len(rows)) != done
        rows[others] -= np.outer(rows[others, column], rows[done])
        done += 1
    return rows
