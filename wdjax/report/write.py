"""Writes the report of a run beside its record."""

from collections.abc import Sequence
from pathlib import Path

from wdjax.report.page import page
from wdjax.report.plot import Plot, png
from wdjax.training import RunRecord

PAGE = "report.html"


def write_report(record: RunRecord, plots: Sequence[Plot], folder: Path) -> Path:
    """Writes one PNG per plot and `report.html`; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {plot.caption: png(plot.figure) for plot in plots}
    for plot in plots:
        (folder / f"{plot.name}.png").write_bytes(images[plot.caption])
    path = folder / PAGE
    path.write_text(page(record, images), "utf-8")
    return path
