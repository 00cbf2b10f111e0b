"""What an experiment is: settings, a measurement, claims judged from it, and figures."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from wdjax.report import Plot
from wdjax.training import RunRecord, Session, Verdict, environment

Arrays: TypeAlias = dict[str, np.ndarray]

QUICK_NOTE = "A quick run: it shows that everything works; its verdicts are no evidence."
"""What a reader has to know before the verdicts of a quick run."""


class Measurement(NamedTuple):
    """What an experiment measured.

    Attributes:
      arrays: All that verdicts and figures are made from.
      summary: What was trained on what, and how well, in one sentence or two.
      data: Name and checksum of the data, for the record; empty if there are none.
    """

    arrays: Arrays
    summary: str
    data: Mapping[str, Any] = MappingProxyType({})


class Experiment(NamedTuple):
    """One experiment, as `wdjax list` shows it.

    Attributes:
      name: Its name on the command line.
      article: Key of the article whose claims it tests; empty if it is about none.
      summary: What it asks, in one line.
      source: The article, and which statements and figures of it.
      cost: About what the default settings take, in time and memory.
      default: The settings, a frozen dataclass; its fields are the options of the command.
      quick: Smaller settings, to see it work; its verdicts are no evidence.
      measure: `(settings, session) -> Measurement`; prints nothing, and writes only through the
        session.
      check: `arrays -> verdicts`, from the arrays alone.
      plots: `record -> plots`, from the record alone.
    """

    name: str
    article: str
    summary: str
    source: str
    cost: str
    default: Any
    quick: Any
    measure: Callable[[Any, Session], Measurement]
    check: Callable[[Arrays], tuple[Verdict, ...]]
    plots: Callable[[RunRecord], Sequence[Plot]]


def run_experiment(
    experiment: Experiment, config: Any, session: Session | None = None, note: str = ""
) -> RunRecord:
    """Measures and judges; returns the record.

    Args:
      experiment: Which one.
      config: Its settings, of the type of its default ones.
      session: Shows the progress and keeps checkpoints; None does neither.
      note: What a reader has to know before the verdicts.
    """
    start = time.perf_counter()
    measured = experiment.measure(config, session or Session())
    # As they come back from the file: in another order in memory, sums of floats are rounded
    # otherwise, and verdicts would differ in their last digits.
    arrays = {name: np.array(values, order="C") for name, values in measured.arrays.items()}
    return RunRecord(
        experiment=experiment.name,
        source=experiment.source,
        config=plain_settings(config) | dict(measured.data),
        environment=environment(),
        summary=measured.summary,
        seconds=time.perf_counter() - start,
        verdicts=experiment.check(arrays),
        arrays=arrays,
        note=note,
    )


def plain_settings(config: Any) -> dict[str, Any]:
    """Returns the settings as plain values, for the record; of a path only the last part."""
    settings = dataclasses.asdict(config)
    return {n: v.name if isinstance(v, Path) else v for n, v in settings.items()}
