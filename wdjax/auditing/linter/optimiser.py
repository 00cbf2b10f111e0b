"""What the linter asks an optimiser that the probe has not asked it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.auditing.probe import box_of_training
from wdjax.typing import Params


class Steps(NamedTuple):
    """How large the steps of an optimiser are under a gradient that stays.

    Attributes:
      course: Per leaf, the size of the step at each sampled step, over the largest one.
      degree: Per leaf k, where steps go as the k-th power of the gradient: 1 for SGD, 0 for Adam.
        NaN for a leaf that does not move.
      by_tensor: Whether a step at zero gradient takes one and the same fraction of all entries of
        a leaf.
      removed: Per leaf the fractions that two steps at zero gradient remove, the first of them from
        the weights as they are and the second from what that leaves.
    """

    course: dict[str, np.ndarray]
    degree: dict[str, float]
    by_tensor: dict[str, bool]
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
    weights = {n: jnp.asarray(v) for n, v in trees.named_leaves(params).items() if n in gradients}
    box = box_of_training(tx, params, None, {}, weights)
    drawn = _random(weights, gradients)
    once = _along(box, weights, drawn, counts)
    twice = _along(box, weights, jax.tree.map(lambda g: 2 * g, drawn), counts[-1:])
    course = {n: sizes / max(float(np.max(sizes)), 1e-300) for n, sizes in once.items()}
    peak = counts[int(np.argmax(sum(course.values())))]
    return Steps(
        course,
        {n: _power(once[n][-1], twice[n][-1]) for n in once},
        {n: _in_proportion(*pair) for n, pair in _at_rest(box, _like(weights), peak)[0].items()},
        _removed(box, weights, peak),
    )


def _along(box: BlackBox, w: Vectors, g: Vectors, counts: np.ndarray) -> dict[str, np.ndarray]:
    state, done, sizes = box.init(w), 0, []
    for count in counts:
        state, done = box.advance(state, int(count) - done, g, w), int(count)
        updates, _ = box.step(state, g, w)
        sizes.append({n: _across(np.asarray(u, float), w[n]) for n, u in updates.items()})
    return {n: np.array([size[n] for size in sizes]) for n in w}


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


def _across(update: np.ndarray, w: Any) -> float:
    """The size of what is orthogonal to the weights."""
    w = np.asarray(w, float)
    square = float(np.sum(w**2))
    along = float(np.vdot(w, update)) / square if square and w.size > 1 else 0.0
    return float(np.linalg.norm(update - along * w))


def _random(weights: Vectors, gradients: dict[str, np.ndarray]) -> Vectors:
    rng = np.random.default_rng(0)

    def draw(name: str) -> jax.Array:
        w, size = np.asarray(weights[name], float), np.linalg.norm(gradients[name])
        g = rng.normal(size=w.shape)
        if w.size > 1 and np.any(w):
            g = g - w * np.vdot(w, g) / np.sum(w**2)
        g = g * (size or np.sqrt(w.size)) / np.linalg.norm(g)
        return jnp.asarray(g, weights[name].dtype)

    return {name: draw(name) for name in weights}


def _power(once: float, twice: float) -> float:
    return float(np.log2(twice / once)) if once > 0 and twice > 0 else float("nan")
