"""The figures of the experiment on two steps, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.serendipitous.two_steps.claims import (
    length_ratio,
    predicted_ratio,
    variance_ratio,
)
from wdjax.experiments.serendipitous.two_steps.quadratic import ratio
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, panels, ticks_at
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "ratios",
            "One step with 2η against two with η. Left: ratio of the variances on a quadratic "
            "loss of curvature h; the line is 4/(1 + (1−ηh)²), dashed the article's 2. Middle: the "
            "same on the network, at points of its training and multiples of its own η_e; bars "
            "are four standard errors, crosses what the measured curvature of the noise foretells. "
            "Right: ratio of the mean lengths of the paths; the article has 1.",
            _ratios(record.arrays),
        ),
    )


def _ratios(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2, height=3.8)
    _quadratic(left, arrays)
    found, error = variance_ratio(arrays)
    foretold, lengths = predicted_ratio(arrays), length_ratio(arrays)
    for point, step in enumerate(arrays["point"]):
        for seed in range(len(arrays["seed"])):
            colour, label = f"C{point}", f"after {step:,} steps" if seed == 0 else None
            x = arrays["multiple"] * 1.07 ** (point - 1) * 1.02 ** (seed - 1)
            middle.errorbar(
                x,
                found[seed, point],
                4 * error[seed, point],
                fmt="o",
                ms=4,
                color=colour,
                label=label,
            )
            middle.plot(x, foretold[seed, point], "x", color=colour, ms=6, alpha=0.6)
            right.plot(x, lengths[seed, point], "o", ms=4, color=colour, label=label)
    for ax, level in ((middle, 2.0), (right, 1.0)):
        ax.axhline(level, color="0.4", linestyle="--", linewidth=1)
        ax.set(xscale="log", xlabel="rate of the steps / η_e of the training")
        ticks_at(ax.xaxis, arrays["multiple"])
        _room(ax)
        legend(ax, "upper left")
    middle.set_ylabel("variance: one long step / two")
    right.set_ylabel("length of the path: one long step / two")
    return figure


def _quadratic(ax: Axes, arrays: Arrays) -> None:
    curvature = arrays["quadratic_curvature"]
    fine = np.linspace(0, curvature.max(), 200)
    ax.plot(fine, ratio(fine), color="0.2", linewidth=1.2, label="4/(1 + (1−ηh)²)")
    ax.plot(curvature, arrays["quadratic_ratio"], "o", ms=5, label="measured")
    ax.axhline(2, color="0.4", linestyle="--", linewidth=1, label="the article's 2")
    ax.axvline(2, **GUIDE)
    ax.set(xlabel="ηh (unstable right of the dotted line)", ylabel="variance: one long step / two")
    _room(ax)
    legend(ax, "upper left")


def _room(ax: Axes) -> None:
    """Leaves room for a legend above the points."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
