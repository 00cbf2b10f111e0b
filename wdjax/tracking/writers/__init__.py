"""Brings measures to files and dashboards, outside of jit: JSON lines, CSV, TensorBoard.

Every writer has `write(step, measures, **scalars)` for one step and `write_all(steps, measures)`
for a ring. Each step is one row of numbers, keyed `group/measure`; how the arrays of a group become
numbers is a function, `summary` or `full`. Inside a jitted loop a writer is called through
`jax.debug.callback(writer.write, step, metrics(state), ordered=True)`. In a program of several
processes let one of them write.

A row is written at once and whole. If the process is killed within one, the file ends in a part of
a row, which is taken away, with a warning, when a writer is next opened on it. On a file that is
there a writer appends, so that a run can be resumed; where it was resumed from an earlier step, the
later of two rows of a step is the one that counts.
"""

from wdjax.tracking.writers.files import CSVWriter, JSONLWriter
from wdjax.tracking.writers.tensorboard import TensorBoardWriter
from wdjax.tracking.writers.writer import Writer, full, summary

__all__ = ["CSVWriter", "JSONLWriter", "TensorBoardWriter", "Writer", "full", "summary"]
