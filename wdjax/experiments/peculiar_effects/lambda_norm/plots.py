"""The figures of `lambda-norm`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.lambda_norm.claims import PUBLISHED, optima
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures."""
    return (
        Plot(
            "best-decay",
            "Left: test cross-entropy against λ_norm = λ √(BT/b), one line per cell (mean over "
            "seeds), with a dot at its best; grey: λ_norm that the article names. The dots would "
            "be above each other if the rule held. Right: the best λ against the number of steps, "
            "BT/b; dotted: the rule.",
            _best(record.arrays),
        ),
    )


def _best(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=5.2, height=4.2)
    best, counts = optima(arrays)
    root = np.sqrt(arrays["steps"])
    mean = arrays["loss"].mean(axis=1)
    sizes = np.unique(arrays["batch"])
    left.axvspan(*PUBLISHED, color="0.9")
    for cell, losses in enumerate(mean):
        colour = f"C{int(np.searchsorted(sizes, arrays['batch'][cell]))}"
        left.plot(arrays["decay"] * root[cell], losses, color=colour, lw=0.9, alpha=0.7)
        if counts[cell]:
            height = np.interp(np.log(best[cell]), np.log(arrays["decay"]), losses)
            left.plot(best[cell] * root[cell], height, "o", color=colour, markersize=5)
            right.plot(arrays["steps"][cell], best[cell], "o", color=colour, markersize=5)
    left.set(xscale="log", yscale="log", xlabel="λ_norm", ylabel="cross-entropy on test images")
    _rule(right, arrays)
    for place, size in enumerate(sizes):
        left.plot([], [], color=f"C{place}", label=f"b = {size}")
    legend_above(left, 4)
    return figure


def _rule(ax, arrays: Arrays) -> None:
    ends = np.array([arrays["steps"].min(), arrays["steps"].max()])
    for value in PUBLISHED:
        ax.plot(ends, value / np.sqrt(ends), **GUIDE)
    ax.set(xscale="log", yscale="log", xlabel="steps, BT/b", ylabel="best λ, per step")
