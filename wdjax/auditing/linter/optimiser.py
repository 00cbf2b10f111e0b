"""What the linter asks an optimiser that the probe has not asked it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.auditing.probe import box_of_training
from wdjax.auditing.shrinking import shrunk
from wdjax.typing import Params

ENTRIES = 10_000
MOST = 2_000
"""Of larger trees, or leaves, the corners are stepped: how steps go does not depend on sizes."""


class Steps(NamedTuple):
    """How large the steps of an optimiser are under a gradient that stays.

    Attributes:
      sizes: Per leaf, the root mean square of an entry's step at each sampled step.
      course: Per leaf, the size of the step at each sampled step, over the largest one.
      degree: Per leaf k, where steps go as the k-th power of the gradient: 1 for SGD, 0 for Adam.
        NaN for a leaf that does not move.
      by_tensor: Whether a step at zero gradient takes one and the same fraction of all entries of
        a leaf.
      ascent: Per leaf the cosine between step and gradient, where it is smallest; NaN for a leaf
        that does not move.
      removed: Per leaf the fractions that two steps at zero gradient remove, the first of them from
        the weights as they are and the second from what that leaves.
    """

    sizes: dict[str, np.ndarray]
    course: dict[str, np.ndarray]
    degree: dict[str, float]
    by_tensor: dict[str, bool]
    ascent: dict[str, float]
    removed: dict[str, tuple[float, float]]


def step_sizes(
    tx: optax.GradientTransformation | optax.MultiSteps,
    params: Params,
    gradients: dict[str, np.ndarray],
    counts: np.ndarray,
) -> Steps:
    """Measures steps, from outside: with weights and a random gradient held.

    The gradients are of the size of those given and orthogonal to the weights, and of the steps
    what is along the weights is left out: so decay does not show.

    Args:
      tx: The optimiser.
      params: The parameters.
      gradients: Gradients per leaf, of which only the sizes count.
      counts: The sampled steps.
    """
    small = shrunk(params, ENTRIES, MOST)
    if small is not params:
        try:
            return _measured(tx, small, gradients, counts)
        except (ValueError, TypeError):
            pass  # an optimiser may hold arrays of the parameters' shapes
    return _measured(tx, params, gradients, counts)


def _measured(
    tx: optax.GradientTransformation | optax.MultiSteps,
    params: Params,
    gradients: dict[str, np.ndarray],
    counts: np.ndarray,
) -> Steps:
    weights = {n: jnp.asarray(v) for n, v in trees.named_leaves(params).items() if n in gradients}
    box = box_of_training(tx, params, None, {}, weights)
    drawn = _random(weights, gradients)
    once, ascent = _along(box, weights, drawn, counts)
    course = {n: sizes / max(float(np.max(sizes)), 1e-300) for n, sizes in once.items()}
    best = _best(course)
    twice, _ = _along(box, weights, jax.tree.map(lambda g: 2 * g, drawn), counts[best : best + 1])
    at_rest = _at_rest(box, _like(weights), counts[best])[0]
    return Steps(
        {n: sizes / np.sqrt(max(np.size(weights[n]), 1)) for n, sizes in once.items()},
        course,
        {n: _power(once[n][best], twice[n][0]) for n in once},
        {n: _in_proportion(*pair) for n, pair in at_rest.items()},
        ascent,
        _removed(box, weights, counts[best]),
    )


def _best(course: dict[str, np.ndarray]) -> int:
    """The first sample at which all leaves that move take large steps; else where most do."""
    moving = [sizes for sizes in course.values() if np.any(sizes)]
    least = np.min(moving, axis=0) if moving else np.ones(1)
    if not np.any(least):
        return int(np.argmax(sum(moving)))
    return int(np.argmax(least >= 0.5 * np.max(least)))


def _along(
    box: BlackBox, w: Vectors, g: Vectors, counts: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Sizes of the steps, and their smallest cosine with the gradient."""
    state, done = box.init(w), 0
    sizes: dict[str, list[float]] = {name: [] for name in w}
    ascent = dict.fromkeys(w, float("nan"))
    for count in counts:
        state, done = box.advance(state, int(count) - done, g, w), int(count)
        updates, _ = box.step(state, g, w)
        for name, update in updates.items():
            across = _across(np.asarray(update, float), w[name])
            size = float(np.linalg.norm(across))
            sizes[name].append(size)
            if size > 0:
                gradient = np.asarray(g[name], float)
                cosine = float(np.vdot(across, gradient)) / (size * np.linalg.norm(gradient))
                ascent[name] = float(np.fmin(ascent[name], cosine))
    return {name: np.array(found) for name, found in sizes.items()}, ascent


def _at_rest(box: BlackBox, w: Vectors, start: int) -> list[dict[str, tuple[Any, Any]]]:
    """Weights and updates per leaf of two steps at zero gradient, after those with weights held."""
    zero, found = jax.tree.map(jnp.zeros_like, w), []
    state = box.advance(box.init(w), int(start), zero, w)
    for _ in range(2):
        updates, state = box.step(state, zero, w)
        found.append({n: (np.asarray(w[n], float), np.asarray(updates[n], float)) for n in w})
        w = {n: jnp.asarray(w[n] + updates[n], w[n].dtype) for n in w}
    return found


def _removed(box: BlackBox, w: Vectors, start: int) -> dict[str, tuple[float, float]]:
    first, second = _at_rest(box, w, start)
    return {name: (_fraction(*first[name]), _fraction(*second[name])) for name in w}


def _fraction(w: np.ndarray, update: np.ndarray) -> float:
    square = float(np.sum(w**2))
    return -float(np.vdot(w, update)) / square if square else 0.0


def _in_proportion(w: np.ndarray, update: np.ndarray) -> bool:
    left = update + _fraction(w, update) * w
    size = float(np.linalg.norm(update))
    return bool(w.size > 1 and size > 0 and np.linalg.norm(left) <= 1e-3 * size)


def _like(weights: Vectors) -> Vectors:
    """Random weights of the same shapes and dtypes."""
    rng = np.random.default_rng(1)
    return {n: jnp.asarray(rng.normal(size=w.shape), w.dtype) for n, w in weights.items()}


def _across(update: np.ndarray, w: Any) -> np.ndarray:
    """What is orthogonal to the weights."""
    w = np.asarray(w, float)
    square = float(np.sum(w**2))
    along = float(np.vdot(w, update)) / square if square and w.size > 1 else 0.0
    return update - along * w


def _random(weights: Vectors, gradients: dict[str, np.ndarray]) -> Vectors:
    rng = np.random.default_rng(0)

    def draw(name: str) -> jax.Array:
        w = np.asarray(weights[name], float)
        size = np.linalg.norm(gradients[name]) * np.sqrt(w.size / np.size(gradients[name]))
        g = rng.normal(size=w.shape)
        if w.size > 1 and np.any(w):
            g = g - w * np.vdot(w, g) / np.sum(w**2)
        g = g * (size or np.sqrt(w.size)) / np.linalg.norm(g)
        return jnp.asarray(g, weights[name].dtype)

    return {name: draw(name) for name in weights}


def _power(once: float, twice: float) -> float:
    return float(np.log2(twice / once)) if once > 0 and twice > 0 else float("nan")
