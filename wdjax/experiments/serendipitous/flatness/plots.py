"""The figures of the flatness experiment, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.serendipitous.flatness.claims import decays, table
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, panels, plain_ticks
from wdjax.training import RunRecord

ARMS = {"decay": "SGD with decay", "sphere": "on the sphere, at the same η_e"}


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "flatness",
            "Left: the largest curvature of the training loss on the unit sphere, after cooling "
            "down; dots are runs, lines medians, and the runs at the left end have no decay. "
            "Crosses: runs without decay, on the sphere, at the effective learning rate of the "
            "runs in the same place. Middle: test error. Right: error on the training labels, of "
            "which some are wrong; the dotted line is their share.",
            _flatness(arrays),
        ),
        Plot(
            "rates",
            "Left: the effective learning rate η/‖w‖² of the last quarter of training at a "
            "constant rate, against λ. Middle: sharpness at that moment against it; above the "
            "dotted line 2/η_e steps along the sharpest direction of a quadratic would diverge. "
            "Right: test error against sharpness, after cooling down; one dot per run.",
            _rates(arrays),
        ),
    )


def _places(arrays: Arrays) -> np.ndarray:
    """λ, with that of no decay half a decade below the smallest."""
    lam = decays(arrays)
    return np.where(lam > 0, lam, lam[1] / 3)


def _flatness(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2, height=3.8)
    for ax, name, label in (
        (left, "sharpness", "sharpness on the unit sphere"),
        (middle, "test_error", "test error"),
        (right, "train_error", "error on the training labels"),
    ):
        _over_decay(ax, arrays, f"cooled_{name}")
        ax.set_ylabel(label)
    left.set_yscale("log")
    plain_ticks(left.yaxis)
    _headroom(middle)
    legend(middle, "upper center")
    right.axhline(float(arrays["label_noise"]), **GUIDE)
    return figure


def _over_decay(ax: Axes, arrays: Arrays, name: str) -> None:
    places = _places(arrays)
    for (arm, label), marker in zip(ARMS.items(), ("o", "x"), strict=True):
        values = table(arrays, f"{arm}_{name}")
        x = np.broadcast_to(places, values.shape)
        colour = "C0" if arm == "decay" else "C1"
        ax.scatter(x, values, s=14, marker=marker, color=colour, alpha=0.6)
        style = "-" if arm == "decay" else "--"
        ax.plot(places, np.median(values, axis=0), style, color=colour, label=label)
    _decay_axis(ax, arrays)


def _decay_axis(ax: Axes, arrays: Arrays) -> None:
    places = _places(arrays)
    ax.set(xscale="log", xlabel="λ")
    names = [f"{lam:g}" for lam in decays(arrays)]
    ax.set_xticks(places, names, rotation=45)
    ax.set_xticks([], minor=True)


def _headroom(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.25 * (high - low))


def _rates(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2, height=3.8)
    rates = table(arrays, "rate")
    left.scatter(np.broadcast_to(_places(arrays), rates.shape), rates, s=14, alpha=0.6)
    left.plot(_places(arrays), np.median(rates, axis=0))
    left.set(yscale="log", ylabel="effective learning rate η/‖w‖²")
    _decay_axis(left, arrays)
    shades = np.broadcast_to(np.arange(rates.shape[1]), rates.shape)
    middle.scatter(rates, table(arrays, "decay_trained_sharpness"), c=shades, s=16)
    ends = np.array([rates.min(), rates.max()])
    middle.plot(ends, 2 / ends, **GUIDE)
    middle.set(xscale="log", yscale="log", xlabel="η_e", ylabel="sharpness at the constant rate")
    plain_ticks(left.yaxis, middle.yaxis)
    plain_ticks(middle.xaxis, subs=(1, 3))
    sharpness, error = (table(arrays, f"decay_cooled_{n}") for n in ("sharpness", "test_error"))
    points = right.scatter(sharpness, error, c=shades, s=16)
    right.set(xscale="log", xlabel="sharpness, cooled down", ylabel="test error")
    plain_ticks(right.xaxis)
    bar = figure.colorbar(points, ax=right, label="λ", ticks=range(rates.shape[1]))
    bar.ax.set_yticklabels([f"{lam:g}" for lam in decays(arrays)])
    return figure
