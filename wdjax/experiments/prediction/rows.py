"""From the measures of each step to the rows of the record: one per group, seed and pair."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax.experiments.prediction.claims import COURSE
from wdjax.experiments.prediction.config import Config
from wdjax.experiments.prediction.optimisers import Method, Shape, matrix_shape
from wdjax.experiments.prediction.problems import Problem
from wdjax.experiments.prediction.runs import Runs, Series, schedule
from wdjax.theory.balance import Balance
from wdjax.theory.optimiser import Equilibrium, GradientStatistics

POINTS = 200
"""Points of a curve in the record, at most."""


class Theory(NamedTuple):
    """Theory for all kernels of one shape.

    Attributes:
      shape: Of the kernels.
      method: The optimiser.
      decay: λ.
      rates: The learning rates of the schedule, (steps, 1).
      steady: What is said at the peak of the learning rate.
      scheduled: What is said at each of the rates.
    """

    shape: Shape
    method: Method
    decay: float
    rates: jax.Array
    steady: Equilibrium
    scheduled: Equilibrium

    def statistics(self, moment: np.ndarray) -> GradientStatistics:
        """What the theory of a norm is given."""
        rank = min(matrix_shape(self.shape))
        return {"gradient_moment": moment, "size": math.prod(self.shape), "rank": rank}

    def norm(self, moment: np.ndarray) -> np.ndarray:
        """‖w‖ at equilibrium, of the shape of the moment."""
        return np.broadcast_to(self.steady.norm(**self.statistics(moment)), moment.shape)

    def law(self, which: Equilibrium, moment: np.ndarray) -> Balance:
        """The law of ‖w‖², with growth of shape (steps, seeds), for moments (seeds, steps)."""
        law = which.balance(**self.statistics(moment.T))
        return dataclasses.replace(law, growth=jnp.broadcast_to(law.growth, moment.T.shape))

    def course(self, series: Series, group: int) -> np.ndarray:
        """‖w‖ before each step, (seeds, steps), at the peak of the learning rate.

        It starts at the ‖w‖ before the first step, and follows from the moments of all steps.
        """
        law = self.law(self.steady, series.gradient_moment[:, :, group])
        return _before(series, group, law.course)

    def scheduled_course(self, series: Series, group: int) -> np.ndarray:
        """‖w‖ before each step, (seeds, steps), along the schedule, likewise."""
        moment = series.gradient_moment[:, :, group]
        if self.method.follow is None:
            return _before(series, group, self.law(self.scheduled, moment).course)
        follow = partial(
            self.method.follow, self.rates, self.decay,
            size=math.prod(self.shape), gradient_moment=moment.T,
        )  # fmt: skip
        return _before(series, group, follow)


def _before(series: Series, group: int, after: Callable[[np.ndarray], jax.Array]) -> np.ndarray:
    """‖w‖ before each step, (seeds, steps), from a function that gives it after each."""
    norm = np.sqrt(series.squared_norm[:, 0, group])
    return np.concatenate([norm[None], np.asarray(after(norm))[:-1]]).T


def rows(problem: Problem, method: Method, runs: Runs, config: Config) -> dict[str, np.ndarray]:
    """Returns the rows of one model with one optimiser, and the times of its curves.

    The rows are ordered by seed and then by group.
    """
    theories = _theories(problem, method, config)
    tables = _equilibrium(theories, runs) | _relaxation(theories, runs) | _course(theories, runs)
    seeds, count = len(config.seeds), len(theories)
    flat = {n: v.reshape(seeds * count, *v.shape[2:]).astype(np.float32) for n, v in tables.items()}
    return flat | {
        "seed": np.repeat(config.seeds, count),
        "group": np.tile(np.array(problem.matrices), seeds),
        "size": np.tile([math.prod(shape) for shape in problem.shapes], seeds),
        "loss": np.repeat(runs.steady.loss.mean(axis=1), count),
        "relaxation_time": _sampled(np.arange(config.steps)),
        "course_step": _sampled(np.arange(config.scheduled)),
    }


def _theories(problem: Problem, method: Method, config: Config) -> list[Theory]:
    """One per group; those of equal shape are the same."""
    decay, peak = method.weight_decay(config.rate), method.learning_rate
    rates = jnp.asarray(peak * schedule(config))[:, None]
    known = {
        shape: Theory(
            shape=shape,
            method=method,
            decay=decay,
            rates=rates,
            steady=method.predict(peak, decay, shape),
            scheduled=method.predict(rates, decay, shape),
        )
        for shape in set(problem.shapes)
    }
    return [known[shape] for shape in problem.shapes]


def _equilibrium(theories: list[Theory], runs: Runs) -> dict[str, np.ndarray]:
    """Averages over the steady steps, (seeds, groups)."""
    steady = runs.steady
    moment = steady.gradient_moment.mean(axis=1)
    halves = np.array_split(steady.squared_norm, 2, axis=1)
    predicted = [theory.norm(moment[:, group]) for group, theory in enumerate(theories)]
    angles = np.array([float(theory.steady.angle) for theory in theories])
    return {
        "angle": np.sqrt(np.mean(steady.angle**2, axis=1)),
        "predicted_angle": np.broadcast_to(angles, moment.shape),
        "norm": np.sqrt(np.mean(steady.squared_norm, axis=1)),
        "predicted_norm": np.stack(predicted, axis=1),
        "gradient_moment": moment,
        "drift": np.log(halves[1].mean(axis=1) / halves[0].mean(axis=1)) / 2,
        "memory": steady.product.mean(axis=1) / steady.squared_gradient.mean(axis=1),
        "cosine": np.sqrt(np.mean(steady.cosine**2, axis=1)),
    }


def _relaxation(theories: list[Theory], runs: Runs) -> dict[str, np.ndarray]:
    """Deviations of the pushed runs from the steady ones, (seeds, groups, points).

    The deviation is that of ‖w‖^(2(1+p)), in which the law of the norm is linear (p of `Balance`).
    """
    measured, given, steps = [], [], []
    for group, theory in enumerate(theories):
        law = theory.law(theory.steady, runs.steady.gradient_moment[:, :, group])
        order = 1 + float(np.asarray(law.growth_power))
        ratio = runs.pushed.squared_norm[:, :, group] / runs.steady.squared_norm[:, :, group]
        pushed, steady = (theory.course(series, group) for series in (runs.pushed, runs.steady))
        measured.append(_sampled(ratio**order - 1))
        given.append(_sampled((pushed / steady) ** (2 * order) - 1))
        steps.append(np.full(len(ratio), np.mean(law.relaxation_steps)))
    return {
        "relaxation": np.stack(measured, axis=1),
        "relaxation_given_moment": np.stack(given, axis=1),
        "relaxation_steps": np.stack(steps, axis=1),
    }


def _course(theories: list[Theory], runs: Runs) -> dict[str, np.ndarray]:
    """‖w‖ along the schedule, measured and predicted, (seeds, groups, points)."""
    measured = np.sqrt(runs.scheduled.squared_norm).swapaxes(1, 2)
    predicted = np.stack(
        [theory.scheduled_course(runs.scheduled, group) for group, theory in enumerate(theories)],
        axis=1,
    )
    error = np.abs(predicted / measured - 1)
    return {
        "course": _sampled(measured),
        "predicted_course": _sampled(predicted),
        "course_error": error.max(axis=-1),
        "course_within": np.mean(error <= COURSE, axis=-1),
    }


def _sampled(curve: np.ndarray) -> np.ndarray:
    """At most `POINTS` points, evenly along the last axis, beginning with the first."""
    return curve[..., :: -(-curve.shape[-1] // POINTS)]
