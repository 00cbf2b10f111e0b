"""Measures of what each step does to each norm group, recorded inside the optimiser state."""

from wdjax.tracking.measures import Measures, measure
from wdjax.tracking.wrapper import TrackedState, metrics, tracked

__all__ = ["Measures", "TrackedState", "measure", "metrics", "tracked"]
