"""The figures of the three regimes, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.sphere.measured import (
    CHAOTIC,
    REGIMES,
    by_rate,
    quarter,
    regimes,
    relative_sharpness,
    stability,
)
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, legend_beside, ordered_colours, panels
from wdjax.training import RunRecord

COLOURS = dict(zip(REGIMES, ("C0", "C1", "C3"), strict=True))
PUBLISHED = ((1e-5, 0.29), (1e-4, 0.21), (5e-4, 0.17), (5e-2, 0.9), (1e-1, 0.9))
"""Effective rates and test errors of Kodryan et al., read off: a ConvNet on CIFAR-10."""
LABEL = "effective learning rate η_e"


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "regimes",
            "Left: training loss over the first stage, one line per rate (mean over seeds), "
            "coloured by rate. Middle: its level in the last quarter, one mark per run. Dotted: "
            "guessing; dashed: random directions on the sphere. Right: the same level, and the "
            "norm of the effective gradient of a batch, per run from its first quarter (rings) to "
            "its last (discs).",
            _regimes(arrays),
        ),
        Plot(
            "generalisation",
            "Test error against the rate of the first stage: left at its end, right after all "
            "higher rates were lowered to that of the grey line. Crosses are the article's, read "
            "off, of another network on other data (CIFAR-10).",
            _generalisation(arrays),
        ),
        Plot(
            "sharpness",
            "Left: curvature over 2/η_e, median over the first stage but for its first "
            "measurement; discs: largest eigenvalue of the whole loss, rings: of a batch, along "
            "its gradient. The line is the edge of stability. Right: sharpness over training loss "
            "after the first stage (discs) and after the drop (rings).",
            _sharpness(arrays),
        ),
        Plot(
            "motion",
            "Left: angle per step. Middle: cosine between successive steps; 0 is a random walk. "
            "Right: loss of the chaotic runs at their own rate, at the lowered one, and back.",
            _motion(arrays),
        ),
    )


def _scatter(ax: Axes, arrays: Arrays, values: np.ndarray, rings: bool = False) -> None:
    """One mark per run, coloured by its regime."""
    found = regimes(arrays)
    for regime in REGIMES:
        chosen = found == regime
        face = "none" if rings else COLOURS[regime]
        ax.scatter(
            arrays["rate"][chosen], values[chosen], s=18, alpha=0.7, facecolors=face,
            edgecolors=COLOURS[regime], label=None if rings else regime,
        )  # fmt: skip


def _regimes(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2)
    rates = np.unique(arrays["rate"])
    steps = (1 + np.arange(arrays["own_loss"].shape[1])) * int(arrays["record"])
    for rate, colour in zip(rates, ordered_colours(len(rates), 0.95), strict=True):
        mean = arrays["own_loss"][arrays["rate"] == rate].mean(axis=0)
        left.plot(steps, mean, color=colour, linewidth=1.2, label=f"{rate:.2g}")
    left.set(xlabel="step", ylabel="training loss, nats", yscale="log")
    legend_beside(left, LABEL)
    _scatter(middle, arrays, quarter(arrays["own_loss"], 3))
    middle.axhline(np.log(float(arrays["classes"])), **GUIDE)
    middle.axhline(arrays["random_loss"].mean(), color="0.2", linewidth=1.0, linestyle="--")
    middle.set(xscale="log", yscale="log", xlabel=LABEL, ylabel="training loss, last quarter, nats")
    legend(middle, "lower right")
    _gradients(right, arrays)
    return figure


def _gradients(ax: Axes, arrays: Arrays) -> None:
    """The effective gradient against the loss, from the first quarter of each run to its last."""
    found = regimes(arrays)
    losses, gradients = (
        [quarter(arrays[f"own_{name}"], number) for number in (0, 3)]
        for name in ("loss", "effective_gradient")
    )
    for regime in REGIMES:
        x, y = (np.array(pair)[:, found == regime] for pair in (losses, gradients))
        ax.plot(x, y, color=COLOURS[regime], linewidth=0.6, alpha=0.5)
        ax.scatter(x[0], y[0], s=14, facecolors="none", edgecolors=COLOURS[regime])
        ax.scatter(x[1], y[1], s=14, color=COLOURS[regime])
    ax.set(xscale="log", yscale="log", xlabel="training loss, nats")
    ax.set_ylabel("effective gradient norm, of a batch")


def _generalisation(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2)
    titles = {"own": "at the rate itself", "drop": "after the drop"}
    for ax, (stage, title) in zip((left, right), titles.items(), strict=True):
        error = 100 * arrays[f"{stage}_test_error"]
        _scatter(ax, arrays, error)
        mean = by_rate(arrays, error)
        ax.plot(mean.rate, mean.mean, color="0.6", linewidth=1, zorder=0)
        ax.set(xscale="log", xlabel=LABEL, ylabel="test error, %", title=title)
    rates, published = np.array(PUBLISHED).T
    left.scatter(rates, 100 * published, marker="x", c="0.2", s=30, label="published", zorder=3)
    left.set_ylim(0, 108)
    legend(left, "upper left")
    right.axvline(float(arrays["drop_rate"]), color="0.8", zorder=0)
    return figure


def _sharpness(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2)
    for name, rings in (("sharpness", False), ("batch_sharpness", True)):
        _scatter(left, arrays, np.median(stability(arrays, name), axis=1), rings)
    left.axhline(1, **GUIDE)
    left.set(xscale="log", xlabel=LABEL, ylabel="curvature × η_e / 2")
    left.set_yscale("log", nonpositive="mask")
    legend(left, "upper left")
    _scatter(right, arrays, relative_sharpness(arrays, "own"))
    _scatter(right, arrays, relative_sharpness(arrays, "drop"), rings=True)
    right.set(xscale="log", yscale="log", xlabel=LABEL, ylabel="sharpness / training loss")
    return figure


def _motion(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2)
    _scatter(left, arrays, quarter(arrays["own_angle"], 3))
    left.set(xscale="log", yscale="log", xlabel=LABEL, ylabel="angle per step, radians")
    left.axhline(np.pi / 2, **GUIDE)
    legend(left, "lower right")
    _scatter(middle, arrays, quarter(arrays["own_turn"], 3))
    middle.axhline(0, **GUIDE)
    middle.set(xscale="log", xlabel=LABEL, ylabel="cosine of successive steps")
    _visits(right, arrays)
    return figure


def _visits(ax: Axes, arrays: Arrays) -> None:
    found, begin = regimes(arrays), 0
    rates = np.unique(arrays["rate"][found == CHAOTIC])
    for stage in ("own", "drop", "back"):
        losses = arrays[f"{stage}_loss"]
        steps = (begin + 1 + np.arange(losses.shape[1])) * int(arrays["record"])
        for number, rate in enumerate(rates):
            mean = losses[(arrays["rate"] == rate) & (found == CHAOTIC)].mean(axis=0)
            label = f"{rate:.2g}" if stage == "own" else None
            ax.plot(steps, mean, color=f"C{number}", linewidth=1, label=label)
        begin += losses.shape[1]
    ax.set(xlabel="step", ylabel="training loss, nats", yscale="log")
    if len(rates):
        legend(ax, title=LABEL, fontsize="x-small", title_fontsize="x-small")
