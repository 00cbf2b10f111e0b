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
from wdjax.training import Session, Task, TrainState, over_devices, train_step

Measure: TypeAlias = Any
"""A JAX array inside the program, a NumPy array outside."""


class Series(NamedTuple):
    """Measures of each step; arrays are (seeds, steps, groups), the loss (seeds, steps).

    Attributes:
      squared_norm: ‖w‖² before the step.
      gradient_moment: ‖w‖²‖g‖².
      angle: Between w before and after the step.
      cosine: Of w and g.
      past: ⟨x_t, Σ_{k≥1} μ^(k−1) x_{t−k}⟩ of x = g, or of x = g/√v̂ under AdamW.
      squared_fresh: ‖x‖².
      along: ⟨w, x⟩.
      loss: Of the batch.
    """

    squared_norm: Measure
    gradient_moment: Measure
    angle: Measure
    cosine: Measure
    past: Measure
    squared_fresh: Measure
    along: Measure
    loss: Measure


class Runs(NamedTuple):
    """The runs of one model with one optimiser.

    Attributes:
      scheduled: With warm-up and cosine, from the initialisation on.
      before: At a constant learning rate, the last chunk before measuring begins.
      steady: The steps that are measured, after `settle` steps.
      pushed: As `steady`, on the same batches, but pushed off its norm at the first step; fewer.
    """

    scheduled: Series
    before: Series
    steady: Series
    pushed: Series


def schedule(config: Config) -> np.ndarray:
    """Returns the factors on the learning rate: linear warm-up, then half a cosine to zero."""
    step = np.arange(config.scheduled)
    progress = (step - config.warmup) / (config.scheduled - config.warmup)
    cosine = (1 + np.cos(np.pi * np.clip(progress, 0, 1))) / 2
    return np.where(step < config.warmup, (step + 1) / config.warmup, cosine)


def train(task: Task, problem: Problem, config: Config, session: Session, name: str) -> Runs:
    """Trains the runs of all seeds: scheduled ones, and steady ones that are pushed when settled.

    Runs with the same seed start from the same weights and see the same batches. Scheduled, steady
    and pushed runs go one after the other, through one compiled program.
    """
    place = over_devices(len(config.seeds))
    run_chunk = _compiled(task, problem)
    begin = jax.jit(partial(_begin, task), out_shardings=place)
    push = jax.jit(
        jax.vmap(lambda state: pushed(state, problem.matrices, config.push)), out_shardings=place
    )

    def train_some(
        part: str, states: TrainState, factors: np.ndarray, first: int
    ) -> tuple[TrainState, Series]:
        watched = partial(session.loop, f"{name}-{part}")
        return _train(run_chunk, problem, config, watched, states, factors, first)

    _, scheduled = train_some("scheduled", begin(problem.start), schedule(config), 0)
    settled, before = train_some("settle", begin(problem.start), np.ones(problem.settle), 0)
    # Before the steady runs go on: the program takes the memory of the states that it is given.
    away = push(settled)
    _, steady = train_some("steady", settled, np.ones(config.steps), problem.settle)
    _, beside = train_some("pushed", away, np.ones(config.pushed), problem.settle)
    last = jax.tree.map(lambda values: values[:, -config.chunk :], before)
    return Runs(scheduled=scheduled, before=last, steady=steady, pushed=beside)


def _begin(task: Task, start: TrainState) -> TrainState:
    """The states of all seeds, with the optimiser's."""
    return start._replace(opt_state=jax.vmap(task.optimiser(jnp.float32(1)).init)(start.params))


def _compiled(task: Task, problem: Problem) -> Callable[..., tuple[TrainState, Series]]:
    """The program of one chunk of steps: `vmap` over runs of a `scan` over steps."""

    def one_run(state, factors, numbers, batches, inputs, targets):
        def body(state, now):
            factor, number, batch = now
            state, measures = train_step(task, factor, state, number, inputs[batch], targets[batch])
            return state, _series(measures, problem.matrices)

        return jax.lax.scan(body, state, (factors, numbers, batches))

    over_runs = jax.vmap(one_run, in_axes=(0, None, None, 0, None, None))
    return jax.jit(over_runs, donate_argnums=0)


def _train(
    run_chunk: Callable[..., tuple[TrainState, Series]], problem: Problem, config: Config,
    loop: Callable[..., tuple[TrainState, Series]],
    states: TrainState, factors: np.ndarray, first: int,
) -> tuple[TrainState, Series]:  # fmt: skip
    inputs, targets = jnp.asarray(problem.inputs), jnp.asarray(problem.targets)
    place = partial(jax.device_put, device=over_devices(len(config.seeds)))

    def advance(index: int, states: TrainState) -> tuple[TrainState, Series]:
        start = index * config.chunk
        numbers = range(first + start, first + start + config.chunk)
        batches = np.stack(
            [
                batch_indices(seed, numbers, len(problem.inputs), problem.batch_size)
                for seed in config.seeds
            ]
        )
        now = factors[start : start + config.chunk].astype(np.float32)
        return run_chunk(states, now, np.asarray(numbers), place(batches), inputs, targets)

    states, chunks = loop(len(factors) // config.chunk, advance, states)
    joined = Series(*(np.concatenate(parts, axis=1) for parts in chunks))
    _require_finite(joined, config.seeds)
    return states, joined


def _series(measures, matrices: tuple[str, ...]) -> Series:
    step, products = measures["groups"]["step"], measures["groups"]["products"]

    def over_groups(field: str) -> jax.Array:
        return jnp.stack([getattr(step[name], field) for name in matrices])

    def of_fresh(values: dict[str, jax.Array]) -> jax.Array:
        return jnp.stack([values[name] for name in matrices])

    squared_norm = over_groups("norm") ** 2
    return Series(
        squared_norm=squared_norm,
        gradient_moment=squared_norm * over_groups("gradient_norm") ** 2,
        angle=over_groups("angle"),
        cosine=over_groups("cosine"),
        past=of_fresh(products.past),
        squared_fresh=of_fresh(products.squared),
        along=of_fresh(products.along),
        loss=measures["loss"],
    )


def _require_finite(series: Series, seeds: tuple[int, ...]) -> None:
    lost = np.flatnonzero(~np.all(np.isfinite(series.loss), axis=1))
    if lost.size:
        raise FloatingPointError(
            f"the loss of the run with seed {seeds[lost[0]]} was no longer finite. Lower the rate."
        )
