"""Tables, figures and one self-contained page from a run record; nothing here trains.

`wdjax.report.drawing` is what the figures are drawn with.
"""

from wdjax.report.page import document, figures, outcome_cell, page
from wdjax.report.plot import Plot, png
from wdjax.report.table import verdict_table
from wdjax.report.write import write_report

__all__ = [
    "Plot",
    "document",
    "figures",
    "outcome_cell",
    "page",
    "png",
    "verdict_table",
    "write_report",
]
