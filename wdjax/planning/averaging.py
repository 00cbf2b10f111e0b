"""How much of its past a planned run averages, and how much of its start is left."""

from collections.abc import Iterator

import numpy as np

from wdjax.planning.run import Run
from wdjax.planning.section import Section, number
from wdjax.planning.settling import is_known, rates
from wdjax.theory import timescale


def section(run: Run) -> Section | None:
    """Returns the time scales of the decay; None where they depend on unknown gradients."""
    if run.weight_decay == 0 or (run.optimizer == "adam-l2" and not is_known(run)):
        return None
    return Section("What the decay averages over", tuple(_rows(run)))


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    per_step = np.minimum(rates(run), 1.0)
    rate = float(np.max(per_step))
    steps = float(timescale.averaging_time(rate))
    epochs = "" if run.steps_per_epoch is None else f"{number(steps / run.steps_per_epoch)} epochs"
    left = float(timescale.memory_of_start(per_step))
    yield "removed per step", number(rate), "of the weight, at the largest learning rate"
    yield "averaging time", f"{number(steps)} steps", epochs
    yield "the run is", f"{number(float(timescale.time_scales(per_step)))} averaging times", "long"
    yield "left of the initial weights", f"{left:.2%}" if left > 1e-4 else f"{left:.1e}", ""
