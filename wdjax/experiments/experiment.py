"""What an experiment is: settings, a run that makes a record, and figures made from a record."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from wdjax.report import Plot
from wdjax.training import RunRecord

Progress = Callable[[range], Iterable[int]]


class Experiment(NamedTuple):
    """One experiment, as `wdjax list` shows it.

    Attributes:
      name: Its name on the command line.
      summary: What it asks, in one line.
      source: The article, and which statements and figures of it.
      default: The settings, a frozen dataclass; its fields are the options of the command.
      quick: Smaller settings, to see it work; its verdicts are no evidence.
      run: `(settings, progress) -> RunRecord`; prints nothing and writes nothing.
      plots: `record -> plots`, from the record alone.
    """

    name: str
    summary: str
    source: str
    default: Any
    quick: Any
    run: Callable[[Any, Progress], RunRecord]
    plots: Callable[[RunRecord], Sequence[Plot]]
