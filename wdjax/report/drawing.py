"""What the figures of reports are drawn with: panels, lines to compare with, ticks, legends."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, NullLocator

Sharing = Literal["none", "all", "row", "col"]

GUIDE: dict[str, Any] = {"color": "0.2", "linewidth": 1.0, "linestyle": ":"}
"""Of a line that is not measured: theory, a level, a limit."""

REFERENCE: dict[str, Any] = {"color": "0.45", "linewidth": 1.5, "linestyle": "--"}
"""Of a run that others are compared with, as one without decay."""


def panels(
    rows: int,
    columns: int,
    *,
    width: float = 4.8,
    height: float = 3.9,
    sharex: Sharing = "none",
    sharey: Sharing = "none",
) -> tuple[Figure, list[Axes]]:
    """Returns a figure, and its panels row by row, open above and on the right.

    Args:
      rows: Number of rows.
      columns: Number of columns.
      width: Of each panel with its labels, in inches.
      height: The same.
      sharex: Which panels have one horizontal axis in common.
      sharey: Which have one vertical axis in common.

    Example:
      >>> figure, (left, right) = panels(1, 2, width=3, height=2)
      >>> print(figure)
      Figure(600x200)
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    axes: list[Axes] = list(grid.flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def ordered_colours(count: int, brightest: float = 0.9) -> list[tuple[float, ...]]:
    """Returns a colour for each of so many ordered values, from dark to bright."""
    return [colormaps["viridis"](brightest * place) for place in np.linspace(0, 1, count)]


def plain_ticks(*axes: Axis, subs: Sequence[float] = (1, 2, 5)) -> None:
    """Labels logarithmic axes by plain numbers: these multiples of the powers of ten."""
    for axis in axes:
        _label(axis, LogLocator(subs=subs))


def ticks_at(axis: Axis, places: Iterable[float]) -> None:
    """Labels an axis by plain numbers at the given places, and nowhere else.

    Example:
      >>> _, (ax,) = panels(1, 1)
      >>> ax.set_xscale("log")
      >>> ticks_at(ax.xaxis, (0.5, 2, 30))
      >>> [label.get_text() for label in ax.get_xticklabels()]
      ['0.5', '2', '30']
    """
    _label(axis, FixedLocator(list(places)))


def _label(axis: Axis, locator: Locator) -> None:
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def legend(ax: Axes, loc: str = "best", **options: Any) -> None:
    """Adds a small legend without a frame, with other options of `Axes.legend` if need be."""
    small: dict[str, Any] = {"loc": loc, "frameon": False, "fontsize": "small"}
    ax.legend(**small | options)


def legend_above(ax: Axes, columns: int) -> None:
    """Puts the legend of a panel over it, where it covers nothing."""
    legend(ax, "lower left", ncols=columns, bbox_to_anchor=(0, 1), borderaxespad=0.2)


def legend_beside(ax: Axes, title: str) -> None:
    """Puts the legend of a panel on its right, in tiny letters, for many lines."""
    tiny = {"fontsize": "x-small", "title_fontsize": "x-small"}
    legend(ax, "upper left", title=title, bbox_to_anchor=(1, 1), **tiny)


def legend_of_all(ax: Axes, columns: int, fontsize: str = "medium") -> None:
    """Puts the legend of one panel over all panels of its figure."""
    handles, labels = ax.get_legend_handles_labels()
    ax.figure.legend(
        handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=fontsize
    )
