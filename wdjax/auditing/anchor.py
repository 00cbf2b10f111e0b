"""Which point weights are drawn to: where they began, where they have been, or something else."""

from collections.abc import Mapping, Sequence

import numpy as np

from wdjax.auditing.blackbox import BlackBox, Vectors, numpy_step
from wdjax.auditing.judge import Kind
from wdjax.auditing.observations import Materials, fraction, norm
from wdjax.typing import PyTree

FORGETTING = 2000
"""Steps in which momentum forgets a gradient (to 2e-9 at a factor of 0.99)."""


def wandered(
    box: BlackBox, clean: PyTree, given: Materials, names: Sequence[str]
) -> dict[str, float]:
    """How far the point moves from w while the weights are held at zero, as a fraction of ‖w‖.

    Args:
      box: The optimiser.
      clean: Its state after steps with weights held at zero.
      given: The values of the experiments.
      names: The leaves.
    """
    if not names:
        return {}
    states = (clean, box.step(clean, given.zero, given.zero)[1])
    points = [_points(box, state, given) for state in states]
    return {
        n: max((_away(at, given.weights, n) for at in points if n in at), default=0.0)
        for n in names
    }


def anchors(
    box: BlackBox, start: PyTree, given: Materials, distances: Mapping[str, float]
) -> dict[str, tuple[Kind, str]]:
    """Says of leaves that rest where they began to which point they are drawn.

    Args:
      box: The optimiser.
      start: Its first state.
      given: The values of the experiments.
      distances: Per leaf the largest of `wandered`.

    Returns:
      A kind and a note per leaf.
    """
    if not distances:
        return {}
    pushed = box.step(start, given.gradient, given.weights)[1]
    state = box.advance(pushed, FORGETTING, given.zero, given.weights)
    drawn = _points(box, state, given)

    def kind(n: str) -> tuple[Kind, str]:
        if n not in drawn or _away(drawn, given.weights, n) > 1e-6:
            return "unknown", "drawn to a point that gradients move"
        return ("average" if distances[n] > 1e-8 else "initial"), ""

    return {n: kind(n) for n in distances}


def _away(points: Vectors, w: Vectors, name: str) -> float:
    return norm(points[name] - w[name]) / norm(w[name])


def _points(box: BlackBox, state: PyTree, given: Materials) -> Vectors:
    """The weights at which the update at zero gradient is zero, of the leaves that have a rate."""
    w, zero = given.weights, given.zero
    at_zero, at_w = numpy_step(box, state, zero, zero), numpy_step(box, state, zero, w)
    rates = {n: fraction(at_w[n] - at_zero[n], w[n]) for n in w}
    return {n: np.divide(at_zero[n], rates[n]) for n in w if abs(rates[n]) > 1e-12}
