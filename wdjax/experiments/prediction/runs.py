"""Trains the runs of one model with one optimiser, all seeds side by side."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from wdjax.data import batch_indices
from wdjax.experiments.prediction.config import Config
from wdjax.experiments.prediction.problems import Problem
from wdjax.experiments.prediction.push import pushed
from wdjax.training import Task, TrainState, over_devices, train_step

Measure: TypeAlias = Any
"""A JAX array inside the program, a NumPy array outside."""


class Series(NamedTuple):
    """Measures of each step; arrays are (seeds, steps, groups), the loss (seeds, steps).

    Attributes:
      squared_norm: ‖w‖² before the step.
      gradient_moment: ‖w‖²‖g‖².
      angle: Between w before and after the step.
      cosine: Of w and g.
      product: ⟨g_t, Σ_{k≥1} μ^(k−1) g_{t−k}⟩.
      squared_gradient: ‖g‖².
      loss: Of the batch.
    """

    squared_norm: Measure
    gradient_moment: Measure
    angle: Measure
    cosine: Measure
    product: Measure
    squared_gradient: Measure
    loss: Measure


class Runs(NamedTuple):
    """The runs of one model with one optimiser.

    Attributes:
      scheduled: With warm-up and cosine, from the initialisation on.
      steady: At a constant learning rate, after `settle` steps.
      pushed: As `steady`, on the same batches, but pushed off its norm at the first step.
    """

    scheduled: Series
    steady: Series
    pushed: Series


def schedule(config: Config) -> np.ndarray:
    """Returns the factors on the learning rate: linear warm-up, then half a cosine to zero."""
    step = np.arange(config.scheduled)
    progress = (step - config.warmup) / (config.scheduled - config.warmup)
    cosine = (1 + np.cos(np.pi * np.clip(progress, 0, 1))) / 2
    return np.where(step < config.warmup, (step + 1) / config.warmup, cosine)


def train(task: Task, problem: Problem, config: Config) -> Runs:
    """Trains steady and scheduled runs side by side, then steady ones, then steady and pushed ones.

    Runs with the same seed start from the same weights and see the same batches.
    """
    half = len(config.seeds)
    place, alone = over_devices(2 * half), over_devices(half)
    train_some = partial(_train, _compiled(task, problem), problem, config)
    begin = jax.jit(partial(_twice, task), out_shardings=place)
    constant, scheduled = np.ones((half, config.scheduled)), np.tile(schedule(config), (half, 1))
    states, first = train_some(begin(problem.start), np.concatenate([constant, scheduled]), 0)
    states = jax.device_put(jax.jit(partial(_first, half))(states), alone)
    if problem.settle > config.scheduled:
        more = np.ones((half, problem.settle - config.scheduled))
        states, _ = train_some(states, more, config.scheduled)
    both = jax.device_put(jax.jit(partial(_pushed_beside, problem, config))(states), place)
    _, second = train_some(both, np.ones((2 * half, config.steps)), problem.settle)
    return Runs(
        Series(*(values[half:] for values in first)),
        Series(*(values[:half] for values in second)),
        Series(*(values[half:] for values in second)),
    )


def _twice(task: Task, start: TrainState) -> TrainState:
    """The states of all seeds, with the optimiser's, and once more."""
    opt_state = jax.vmap(task.optimiser(jnp.float32(1)).init)(start.params)
    return _beside(start._replace(opt_state=opt_state), start._replace(opt_state=opt_state))


def _first(count: int, states: TrainState) -> TrainState:
    return jax.tree.map(lambda leaf: leaf[:count], states)


def _pushed_beside(problem: Problem, config: Config, steady: TrainState) -> TrainState:
    """The states, and beside them the same, pushed."""
    push = jax.vmap(lambda state: pushed(state, problem.matrices, config.push))
    return _beside(steady, push(steady))


def _beside(one: TrainState, other: TrainState) -> TrainState:
    return jax.tree.map(lambda *pair: jnp.concatenate(pair), one, other)


def _compiled(task: Task, problem: Problem) -> Callable[..., tuple[TrainState, Series]]:
    """The program of one chunk of steps: `vmap` over runs of a `scan` over steps."""

    def one_run(state, factors, numbers, batches, inputs, targets):
        def body(state, now):
            factor, number, batch = now
            state, measures = train_step(task, factor, state, number, inputs[batch], targets[batch])
            return state, _series(measures, problem.matrices)

        return jax.lax.scan(body, state, (factors, numbers, batches))

    over_runs = jax.vmap(one_run, in_axes=(0, 0, None, 0, None, None))
    return jax.jit(over_runs, donate_argnums=0)


def _train(
    advance: Callable[..., tuple[TrainState, Series]], problem: Problem, config: Config,
    states: TrainState, factors: np.ndarray, first: int,
) -> tuple[TrainState, Series]:  # fmt: skip
    seeds = np.resize(config.seeds, len(factors))
    inputs, targets = jnp.asarray(problem.inputs), jnp.asarray(problem.targets)
    place = partial(jax.device_put, device=over_devices(len(seeds)))
    collected = []
    for start in range(0, factors.shape[1], config.chunk):
        numbers = range(first + start, first + start + config.chunk)
        batches = np.stack(
            [
                batch_indices(int(seed), numbers, len(problem.inputs), problem.batch_size)
                for seed in seeds
            ]
        )
        now = factors[:, start : start + config.chunk].astype(np.float32)
        states, series = advance(
            states, place(now), np.asarray(numbers), place(batches), inputs, targets
        )
        collected.append(jax.device_get(series))
    joined = Series(*(np.concatenate(parts, axis=1) for parts in zip(*collected, strict=True)))
    _require_finite(joined, seeds)
    return states, joined


def _series(measures, matrices: tuple[str, ...]) -> Series:
    step, product = measures["groups"]["step"], measures["groups"]["product"]

    def over_groups(field: str) -> jax.Array:
        return jnp.stack([getattr(step[name], field) for name in matrices])

    squared_norm, squared_gradient = over_groups("norm") ** 2, over_groups("gradient_norm") ** 2
    return Series(
        squared_norm=squared_norm,
        gradient_moment=squared_norm * squared_gradient,
        angle=over_groups("angle"),
        cosine=over_groups("cosine"),
        product=jnp.stack([product[name] for name in matrices]),
        squared_gradient=squared_gradient,
        loss=measures["loss"],
    )


def _require_finite(series: Series, seeds: np.ndarray) -> None:
    lost = np.flatnonzero(~np.all(np.isfinite(series.loss), axis=1))
    if lost.size:
        raise FloatingPointError(
            f"the loss of the run with seed {seeds[lost[0]]} was no longer finite. Lower the rate."
        )
