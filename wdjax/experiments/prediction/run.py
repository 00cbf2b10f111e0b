"""Trains every model with every optimiser and gathers what the claims are about."""

import time
from collections.abc import Callable, Iterable

import numpy as np

from wdjax.experiments.prediction.claims import CURVE_TIMES, check
from wdjax.experiments.prediction.config import Config, plain_settings, validate
from wdjax.experiments.prediction.optimisers import METHODS
from wdjax.experiments.prediction.problems import Problem, load_problem, with_optimiser
from wdjax.experiments.prediction.rows import rows
from wdjax.experiments.prediction.runs import train
from wdjax.training import RunRecord, environment

NAME = "prediction"
SOURCE = "wdjax.theory, after van Laarhoven (2017), Wan et al. (2020), Kosson et al. (2023)"


def run(config: Config, progress: Callable[[range], Iterable[int]] = iter) -> RunRecord:
    """Trains all runs and judges the claims; returns the record."""
    start = time.perf_counter()
    validate(config)
    problems = {name: load_problem(name, config) for name in config.models}
    arrays = measure(config, problems, progress)
    data = {name: problem.data for name, problem in problems.items()}
    return RunRecord(
        experiment=NAME,
        source=SOURCE,
        config=plain_settings(config) | {"data": data},
        environment=environment(),
        summary=_summary(config, problems, arrays),
        seconds=time.perf_counter() - start,
        verdicts=check(arrays),
        arrays=arrays,
    )


def measure(
    config: Config,
    problems: dict[str, Problem],
    progress: Callable[[range], Iterable[int]] = iter,
) -> dict[str, np.ndarray]:
    """Trains all runs; returns the arrays of the record, whose rows are as `rows` has them."""
    pairs = [(model, name) for model in config.models for name in config.optimisers]
    parts = []
    for index in progress(range(len(pairs))):
        model, name = pairs[index]
        problem, method = problems[model], METHODS[name]
        runs = train(with_optimiser(problem, method, config), problem, config)
        part = rows(problem, method, runs, config)
        count = len(part["seed"])
        parts.append({"model": np.full(count, model), "optimiser": np.full(count, name), **part})
    times = {name: parts[0][name] for name in CURVE_TIMES}
    joined = {n: np.concatenate([p[n] for p in parts]) for n in parts[0] if n not in times}
    return joined | times


def _summary(config: Config, problems: dict[str, Problem], arrays: dict[str, np.ndarray]) -> str:
    described = []
    settling = " and ".join(f"{problem.settle:,}" for problem in problems.values())
    for model, problem in problems.items():
        loss = arrays["loss"][arrays["model"] == model]
        described.append(
            f"{model} on {problem.data['dataset']} ({len(problem.matrices)} matrices proven to be "
            f"scale-invariant; loss {loss.min():.2f} to {loss.max():.2f})"
        )
    return (
        f"{' and '.join(described)}; {len(config.optimisers)} optimisers, {len(config.seeds)} "
        f"seeds, {settling} steps to settle and {config.steps:,} measured."
    )
