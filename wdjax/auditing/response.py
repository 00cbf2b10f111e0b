"""How an optimiser steps on noise, from outside: its size, its memory, what makes it larger."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
import optax

from wdjax.auditing.autocorrelation import autocorrelation_sum
from wdjax.auditing.evidence import Response
from wdjax.auditing.noise import BLOCK, BRANCHES, BURN_IN, WINDOW, Window, under_noise
from wdjax.auditing.schedule import Course, courses
from wdjax.auditing.shrinking import size
from wdjax.auditing.trial import Trial
from wdjax.typing import Params

ENTRIES = 30_000
"""Trees of more entries are cut for the long runs."""

WORK = 1.5e9
"""About how many entries may be stepped in all."""

SMALL = 4096
TINY = 64
"""Where a lasting gradient is followed along the whole run, trees of more than SMALL entries have
their leaves cut to TINY."""

ROUNDING = 1e-15
"""A smaller fraction of w is what rounding leaves of a sum of opposite steps."""

MOST_NOISE = 4000
"""Trees of fewer entries get several noises, up to eight."""

MEMORIES = 5
"""Steps before the window, and those in it, in memories of the steps: fewer tell no R."""

SHORT = 1.5
"""Steps of a smaller R have next to no memory."""

LEAST_LOOK = 8
"""Fewer steps show none that there is."""

NAN = float("nan")


class Motion(NamedTuple):
    """How one leaf steps, at the largest learning rate of the run and the given gradient size.

    Attributes:
      moment: E‖Δw‖² under noise.
      correlation: R, the autocorrelation of the steps summed over all lags; NaN where the look at
        them was too short for it.
      degree: k: steps go as the k-th power of the gradient's size.
      drag: The fraction of w that is removed per step under noise, with buffers filled.
      drag_degree: It goes as this power of the gradient's size.
      growth_power: p, and
      drag_power: q: where w grows and its gradient falls as 1/‖w‖, E‖Δw‖² goes as W^(−p) and the
        drag as W^q, with W = ‖w‖².
      sustained: Root-mean-square step of an entry along a lasting gradient.
      immediate: ‖Δw‖/‖g‖ of the first step from rest.
      course: The learning rate along the run, relative to its largest.
    """

    moment: float
    correlation: float
    degree: float
    drag: float
    drag_degree: float
    growth_power: float
    drag_power: float
    sustained: float
    immediate: float
    course: Course

    @property
    def response(self) -> Response:
        """What the evidence keeps."""
        return Response(self.moment, self.degree, self.correlation)


def motions(
    tx: optax.GradientTransformation | optax.MultiSteps,
    params: Params,
    gradients: Mapping[str, np.ndarray],
    steps: int,
    axes: Mapping[str, tuple[int, ...]],
) -> dict[str, Motion]:
    """Measures how an optimiser steps on gradients without memory that are orthogonal to weights.

    It calls `init` and `update` only. The weights are held; each leaf gets white noise, tangent to
    it, of the size of its true gradient; noises come in pairs z and −z, whose steps differ by what
    gradients do and agree in what the weights do. The schedule is seen from the steps under one
    lasting gradient, and divided out. Of a large tree the corners are cut out, and sizes corrected
    by what a few steps at full size come to: so the correlation is exact for rules that act entry
    by entry, and of a smaller matrix for one like Muon.

    Args:
      tx: The optimiser.
      params: Weights.
      gradients: The gradient of each floating-point leaf.
      steps: Length of the run.
      axes: Per leaf the axes along each index of which the noise is tangent by itself; none for
        leaves that are not named.

    Returns:
      The motion of each leaf that has a gradient and moves.

    Raises:
      ValueError: The optimiser fails at these parameters.
    """
    with jax.enable_x64(True):
        full = Trial.of(tx, params, gradients, axes)
        small = size(params) <= SMALL
        tiny = full if small else full.cut(tx, TINY * len(full.weights), TINY)
        horizon = max(steps, BURN_IN + WINDOW)
        seen = courses(tiny.box, tiny.weights, tiny.gradient, steps, horizon)
        if not seen:
            return {}
        start, count = _window(seen, steps)
        budget = WORK / (2 * len(BRANCHES) * (start + count))
        middle = full.cut(tx, int(np.clip(budget, 2000, ENTRIES)), SMALL)
        windows = _windows(middle, start, count)
        first = {id(trial): trial.first_steps() for trial in _different(full, middle, tiny)}
        rest = tiny.from_rest(start)
    found = {}
    for name, course in seen.items():
        if full.sizes[name] > 0:
            larger = _larger(first, name, full, middle)
            per_entry = _larger(first, name, full, tiny)[0] / _share(name, full, tiny)
            along = course.at(start + np.arange(count))
            motion = _motion(windows[name], course, along, larger)
            unit = math.sqrt(per_entry)
            sustained = unit * course.largest
            linear = sustained**2 * np.size(full.weights[name]) / motion.moment
            correlation = _correlation(windows[name], linear)
            # A memory of τ steps makes R = 2τ.
            short = correlation < SHORT and count >= LEAST_LOOK
            told = short or MEMORIES * correlation / 2 <= min(start, count)
            found[name] = motion._replace(
                correlation=correlation if told else NAN,
                sustained=sustained,
                immediate=unit * rest[name] / max(float(course.at(np.array(start))), 1e-12),
            )
    return {n: m for n, m in found.items() if 0 < m.moment < math.inf}


def _window(seen: Mapping[str, Course], steps: int) -> tuple[int, int]:
    """The steps before the window, and its length: it is to hold the largest learning rates."""
    peak = max((course.peak for course in seen.values()), default=0)
    wanted = BURN_IN + WINDOW
    after = np.arange(steps, wanted)
    # Where the schedule has not ended, a longer look than the run shows more of the memory.
    lasting = all(np.all(course.at(after) > 0.5) for course in seen.values())
    total = wanted if steps < wanted and lasting else min(steps, max(peak + WINDOW, wanted))
    count = min(WINDOW, max(total - BURN_IN, (total + 1) // 2))
    block = min(BLOCK, count)
    count -= count % block
    return (total - count) // block * block, count


def _windows(trial: Trial, start: int, count: int) -> dict[str, Window]:
    walkers = int(np.clip(MOST_NOISE / size(trial.params), 1, 8))
    sampled = int(np.clip(4e7 / (count * walkers * len(trial.weights)), 32, 1024 / walkers))
    return under_noise(
        trial.box,
        trial.weights,
        trial.sizes,
        dict(trial.axes),
        start=start,
        steps=count,
        walkers=walkers,
        entries=sampled,
    )


def _different(*trials: Trial) -> list[Trial]:
    """The trials, each of them once; of one trial there is nothing to correct."""
    once = list({id(trial): trial for trial in trials}.values())
    return once if len(once) > 1 else []


def _share(name: str, of: Trial, beside: Trial) -> float:
    """How many times the entries of a leaf there are in another tree."""
    return np.size(of.weights[name]) / np.size(beside.weights[name])


def _larger(
    first: Mapping[int, Mapping[str, np.ndarray]], name: str, of: Trial, beside: Trial
) -> np.ndarray:
    """By what ‖Δw‖² in a tree exceeds that in a smaller one, per branch."""
    if of is beside:
        return np.ones(len(BRANCHES))
    large, small = first[id(of)][name], first[id(beside)][name]
    known = (large > 0) & (small > 0)
    return np.where(known, large / np.where(known, small, 1.0), _share(name, of, beside))


def _motion(window: Window, course: Course, along: np.ndarray, larger: np.ndarray) -> Motion:
    weight = max(float(np.sum(along**2)), 1e-300)
    moments = larger * np.sum(np.asarray(window.moments), axis=0) / weight
    drags = [_at_largest(drag, along) for drag in np.asarray(window.drags).T]
    drags = [drag if abs(drag) > ROUNDING else 0.0 for drag in drags]
    return Motion(
        moment=float(moments[0]),
        correlation=NAN,
        degree=_exponent(moments[1], moments[0]) / 2,
        drag=drags[0],
        drag_degree=_exponent(drags[1], drags[0]),
        growth_power=-_exponent(moments[2], moments[0]) / 2,
        drag_power=_exponent(drags[2], drags[0]) / 2,
        sustained=NAN,
        immediate=NAN,
        course=course,
    )


def _correlation(window: Window, linear: float) -> float:
    """R from the lags; or, if the two agree, the less noisy one of a rule that is linear.

    A rule that adds up gradients, u_t = Σ_k h_k g_{t−k}, has R = (Σ h)² / Σ h²: what it makes of a
    lasting gradient over what it makes of noise.
    """
    measured = autocorrelation_sum(np.asarray(window.samples))
    return linear if abs(linear - measured.value) <= 3 * measured.error else measured.value


def _exponent(doubled: float, before: float) -> float:
    """The power of 2 by which something grew; 0 where it is nothing."""
    return math.log2(doubled / before) if doubled > 0 and before > 0 else 0.0


def _at_largest(drags: np.ndarray, along: np.ndarray) -> float:
    """The drag at the largest learning rate, from drags along a schedule."""
    near = along >= 0.95 * np.max(along)
    known = (along >= 0.3 * np.max(along)) & (drags > 0)
    if np.ptp(along) <= 0.01 * np.max(along) or np.sum(known) < 8:
        return float(np.mean(drags[near]))
    logs = np.log(along[known])
    slope = np.polyfit(logs, np.log(drags[known]), 1)[0] if np.ptp(logs) > 0.01 else 0.0
    return float(np.mean(drags[near] / along[near] ** slope))
