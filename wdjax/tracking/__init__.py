"""Measures of what each step does to each norm group, recorded inside the optimiser state.

`tracked` wraps an optimiser, `metrics` reads what it recorded: the last step, a moving average
(`ema`) or the last steps (`ring`). `average` averages steps as the theory does, `predicted` sets
`wdjax.theory` beside what was measured, and `writers` bring it to files and TensorBoard.
"""

from typing import TYPE_CHECKING

from wdjax.lazy import later
from wdjax.tracking.averages import average
from wdjax.tracking.measures import Measures, measure
from wdjax.tracking.prediction import Comparison, Quantities, predicted
from wdjax.tracking.recorders import Record, Recorder, ema, last, ring
from wdjax.tracking.wrapper import TrackedState, metrics, steps, tracked

if TYPE_CHECKING:
    from wdjax.tracking import writers

__getattr__ = later(__name__, {"writers": "writers"})

__all__ = [
    "Comparison",
    "Measures",
    "Quantities",
    "Record",
    "Recorder",
    "TrackedState",
    "average",
    "ema",
    "last",
    "measure",
    "metrics",
    "predicted",
    "ring",
    "steps",
    "tracked",
    "writers",
]
