"""From the measures of each step to the rows of the record."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from wdjax.experiments.prediction.claims import COURSE
from wdjax.experiments.prediction.config import Config
from wdjax.experiments.prediction.laws import Law, Moments, Push, Setting
from wdjax.experiments.prediction.optimisers import Method
from wdjax.experiments.prediction.problems import Problem
from wdjax.experiments.prediction.runs import Runs, Series, schedule
from wdjax.theory.adam_transient import Course

POINTS = 150
"""Points of a curve of relaxation in the record, at most."""

COURSE_POINTS = 75
"""Points of a course in the record, at most."""


class Group(NamedTuple):
    """One matrix, and what is said of it.

    Attributes:
      index: Its number within the series.
      steady: Its settings at the peak of the learning rate.
      scheduled: Its settings along the schedule.
      method: The optimiser.
    """

    index: int
    steady: Setting
    scheduled: Setting
    method: Method

    @property
    def law(self) -> Law:
        """The law that is judged."""
        return self.method.given or self.method.plain

    def scheduled_course(self, law: Law, runs: Runs, window: int) -> np.ndarray:
        """‖w‖ before each step of the schedule, (seeds, steps), as a law says it."""
        norm = np.sqrt(runs.scheduled.squared_norm[:, 0, self.index])
        given = moments(runs.scheduled, self.index, window)
        after = law.course(self.scheduled, given, norm, None).norm
        return np.concatenate([norm[None], np.asarray(after)[:-1]]).T

    def steady_course(
        self, series: Series, before: Series, window: int, factor: float = 1.0
    ) -> Course:
        """‖w‖ before each step at a constant rate, and its angle; (seeds, steps).

        The buffer fills in the steps before; `factor` is that of the push that follows them.
        """
        norm = np.sqrt(series.squared_norm[:, 0, self.index])
        pair = (moments(part, self.index, window) for part in (before, series))
        given = Moments(*map(np.concatenate, zip(*pair, strict=True)))
        rates = jnp.full((len(given.gradient), 1), self.steady.learning_rate)
        setting, push = (
            self.steady._replace(learning_rate=rates),
            Push(before.squared_norm.shape[1], factor),
        )
        norms, angles = map(np.asarray, self.law.course(setting, given, norm / factor, push))
        after, angle = norms[push.held : -1], angles[push.held :]
        return Course(jnp.concatenate([norm[None], after]).T, jnp.asarray(angle.T))


def rows(problem: Problem, method: Method, runs: Runs, config: Config) -> dict[str, np.ndarray]:
    """Returns the arrays of one model with one optimiser, as `claims.Part` orders them."""
    groups = _groups(problem, method, config)
    seeds, count = len(config.seeds), len(groups)
    said = _followed(groups, groups[0].law, runs, window=1)
    tables = _equilibrium(groups, runs, config.window) | _course_errors(
        runs,
        said,
        plain=_followed(groups, method.plain, runs, window=1),
        coarse=_followed(groups, groups[0].law, runs, config.window),
    )
    flat = {name: values.reshape(seeds * count) for name, values in tables.items()}
    curves = _relaxation(groups, runs, config) | _courses(runs, said)
    single = {name: values.astype(np.float32) for name, values in (flat | curves).items()}
    return single | {
        "seed": np.repeat(config.seeds, count),
        "group": np.tile(np.array(problem.matrices), seeds),
        "size": np.tile([math.prod(shape) for shape in problem.shapes], seeds),
        "loss": np.repeat(runs.steady.loss.mean(axis=1), count).astype(np.float32),
        "relaxation_time": _sampled(np.arange(config.pushed), POINTS),
        "course_step": _sampled(np.arange(config.scheduled), COURSE_POINTS),
    }


def moments(series: Series, group: int, window: int) -> Moments:
    """The second moments of a group in windows, (steps, seeds), each as often as it has steps."""

    def averaged(values: np.ndarray) -> np.ndarray:
        parts = values[:, :, group].reshape(len(values), -1, window).mean(axis=-1)
        return np.repeat(parts, window, axis=1).T

    fresh = averaged(series.squared_fresh)
    return Moments(
        gradient=averaged(series.gradient_moment),
        fresh=fresh,
        memory=averaged(series.past) / fresh,
        alignment=averaged(series.along) / np.sqrt(averaged(series.squared_norm) * fresh),
    )


def _groups(problem: Problem, method: Method, config: Config) -> list[Group]:
    decay, peak = method.weight_decay(config.rate), method.learning_rate
    rates = jnp.asarray(peak * schedule(config))[:, None]
    return [
        Group(index, Setting(peak, decay, shape), Setting(rates, decay, shape), method)
        for index, shape in enumerate(problem.shapes)
    ]


def _equilibrium(groups: list[Group], runs: Runs, window: int) -> dict[str, np.ndarray]:
    """Averages over the steady steps, (seeds, groups)."""
    steady = runs.steady
    steps = steady.squared_norm.shape[1]
    given = [Moments(*(m[0] for m in moments(steady, g.index, steps))) for g in groups]
    halves = np.array_split(steady.squared_norm, 2, axis=1)
    found = {
        "angle": np.sqrt(np.mean(steady.angle**2, axis=1)),
        "norm": np.sqrt(np.mean(steady.squared_norm, axis=1)),
        "drift": np.log(halves[1].mean(axis=1) / halves[0].mean(axis=1)) / 2,
        "cosine": np.sqrt(np.mean(steady.cosine**2, axis=1)),
        "gradient_moment": np.stack([m.gradient for m in given], axis=1),
        "fresh_moment": np.stack([m.fresh for m in given], axis=1),
        "memory": np.stack([m.memory for m in given], axis=1),
        "alignment": np.stack([m.alignment for m in given], axis=1),
    }
    said = {"plain": [g.method.plain for g in groups], "equilibrium": [g.law for g in groups]}
    for kind, laws in said.items():
        for quantity in ("angle", "norm"):
            found[f"{kind}_{quantity}"] = np.stack(
                [
                    np.broadcast_to(
                        np.asarray(getattr(law, quantity)(g.steady, m)), len(steady.loss)
                    )
                    for law, g, m in zip(laws, groups, given, strict=True)
                ],
                axis=1,
            )
    return found | _followed_along(groups, runs, window, found)


def _followed_along(
    groups: list[Group], runs: Runs, window: int, found: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Angle and norm as they follow along the steady steps; at equilibrium if no law follows."""
    if groups[0].method.given is None:
        return {f"predicted_{name}": found[f"equilibrium_{name}"] for name in ("angle", "norm")}
    courses = [group.steady_course(runs.steady, runs.before, window) for group in groups]
    return {
        "predicted_angle": np.stack([_rms(course.angle) for course in courses], axis=1),
        "predicted_norm": np.stack([_rms(course.norm) for course in courses], axis=1),
    }


def _rms(values: ArrayLike) -> np.ndarray:
    return np.sqrt(np.mean(np.asarray(values) ** 2, axis=-1))


def _relaxation(groups: list[Group], runs: Runs, config: Config) -> dict[str, np.ndarray]:
    """Deviations of the pushed runs from the steady ones, averaged over groups, (seeds, points).

    The deviation is that of ‖w‖^(2(1+p)), in which the law of the norm is linear (p of `Balance`).
    """
    given = {"gradient_moment": 1.0, "size": 1, "rank": 1}
    law = groups[0].method.predict(*groups[0].steady).balance(**given)
    order, steps = 1 + float(np.asarray(law.growth_power)), float(law.relaxation_steps)
    beside = jax.tree.map(lambda values: values[:, : config.pushed], runs.steady)
    ratio = np.divide(runs.pushed.squared_norm, beside.squared_norm)
    measured = np.mean(ratio**order - 1, axis=-1)
    predicted = np.exp(-np.arange(config.pushed) / steps) * measured[:, :1]
    if groups[0].method.given:
        followed = [
            [
                group.steady_course(series, runs.before, config.window, factor).norm
                for group in groups
            ]
            for series, factor in ((runs.pushed, config.push), (beside, 1.0))
        ]
        away = np.divide(*map(np.asarray, followed)) ** (2 * order) - 1
        predicted = away.mean(axis=0)
    return {
        "relaxation": _sampled(measured, POINTS),
        "predicted_relaxation": _sampled(predicted, POINTS),
        "relaxation_steps": np.full(len(measured), steps),
    }


def _course_errors(
    runs: Runs, said: np.ndarray, plain: np.ndarray, coarse: np.ndarray
) -> dict[str, np.ndarray]:
    """How far ‖w‖ along the schedule is from what is said, (seeds, groups)."""
    measured = np.sqrt(runs.scheduled.squared_norm).swapaxes(1, 2)
    error, plain_error, coarse_error = (
        np.abs(course / measured - 1) for course in (said, plain, coarse)
    )
    return {
        "course_error": error.max(axis=-1),
        "course_within": np.mean(error <= COURSE, axis=-1),
        "plain_course_error": plain_error.max(axis=-1),
        "coarse_course_error": coarse_error.max(axis=-1),
    }


def _courses(runs: Runs, said: np.ndarray) -> dict[str, np.ndarray]:
    """‖w‖ along the schedule, measured and predicted, of the first seed, (groups, points)."""
    measured = np.sqrt(runs.scheduled.squared_norm[0]).T
    return {
        "course": _sampled(measured, COURSE_POINTS),
        "predicted_course": _sampled(said[0], COURSE_POINTS),
    }


def _followed(groups: list[Group], law: Law, runs: Runs, window: int) -> np.ndarray:
    """‖w‖ before each step of the schedule, as a law says it, (seeds, groups, steps)."""
    return np.stack([group.scheduled_course(law, runs, window) for group in groups], axis=1)


def _sampled(curve: np.ndarray, points: int) -> np.ndarray:
    """At most so many points, evenly along the last axis, beginning with the first."""
    return curve[..., :: -(-curve.shape[-1] // points)]
