"""The figures of the regimes under weight decay, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import REGIMES, half, regimes
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, legend_beside, ordered_colours, panels
from wdjax.training import RunRecord

COLOURS = dict(zip(REGIMES, ("C0", "C1", "C3"), strict=True))


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "twins",
            "Left: training loss, second half of the run, against the effective learning rate: "
            "discs with weight decay (at the rate that it came to), rings on the sphere at that "
            "rate. Dotted: guessing. Right: angle per step with decay against ηλ; the line is "
            "arccos(1 − ηλ).",
            _twins(arrays),
        ),
        Plot(
            "courses",
            "The effective learning rate (left) and the training loss (right) over training with "
            "decay, one line per ηλ (geometric mean over seeds). Lines that end high on the left "
            "have left the first regime.",
            _courses(arrays),
        ),
    )


def _twins(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2)
    for regime in REGIMES:
        for arm, rings in (("decay", False), ("fixed", True)):
            chosen = regimes(arrays, f"{arm}_loss") == regime
            left.scatter(
                arrays["rate"][chosen], half(arrays[f"{arm}_loss"])[chosen], s=24, alpha=0.7,
                facecolors="none" if rings else COLOURS[regime], edgecolors=COLOURS[regime],
                label=None if rings else regime,
            )  # fmt: skip
        chosen = regimes(arrays, "decay_loss") == regime
        angle = half(arrays["decay_angle"])[chosen]
        right.scatter(arrays["product"][chosen], angle, s=24, alpha=0.7, color=COLOURS[regime])
    left.axhline(np.log(float(arrays["classes"])), **GUIDE)
    left.set(xscale="log", yscale="log", ylabel="training loss, nats")
    left.set_xlabel("effective learning rate")
    legend(left, "lower right")
    line = np.geomspace(arrays["product"].min(), arrays["product"].max(), 200)
    right.plot(line, np.arccos(1 - line), **GUIDE)
    right.set(xscale="log", yscale="log", xlabel="ηλ", ylabel="angle per step, radians")
    return figure


def _courses(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2)
    products = np.unique(arrays["product"])
    steps = (1 + np.arange(arrays["decay_loss"].shape[1])) * int(arrays["record"])
    for product, colour in zip(products, ordered_colours(len(products), 0.95), strict=True):
        chosen = arrays["product"] == product
        for ax, name in ((left, "decay_effective_rate"), (right, "decay_loss")):
            mean = np.exp(np.log(arrays[name][chosen]).mean(axis=0))
            ax.plot(steps, mean, color=colour, linewidth=1.2, label=f"{product:.2g}")
    left.set(xlabel="step", ylabel="effective learning rate", yscale="log")
    right.set(xlabel="step", ylabel="training loss, nats", yscale="log")
    legend_beside(right, "ηλ")
    return figure
