"""The figures of the printed examples, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.drawing import decay_axis
from wdjax.experiments.input_normalization.muted_activations.config import (
    EXAMPLE_1,
    EXAMPLE_2,
    MIN_MAX,
    NONE,
    STANDARD,
)
from wdjax.experiments.input_normalization.muted_activations.reading import arm, kept, sweep
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, panels, ticks_at
from wdjax.training import RunRecord

BINS = np.geomspace(1e-4, 10, 101)
PAIRS = ((STANDARD, EXAMPLE_1, "C0"), (MIN_MAX, EXAMPLE_2, "C1"))


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "examples",
            "Left: the median loss of the article's two examples (lines) and of the same runs "
            "without decay (dots on them), over 100 epochs; dotted: the variance of the targets. "
            "Right: the weights with decay over those without, one run per seed; the vertical line "
            "is what (1 − ηλ)^100 says. “Much closer to zero” would be tens of per cent.",
            _examples(record.arrays),
        ),
        Plot(
            "sweep",
            "What a run of 100 epochs has lost to decay, against λ: size of the weights, deviation "
            "of the hidden units and of the output over the examples, each over its value without "
            "decay (medians over the seeds); the dotted line is (1 − ηλ)^100. The λ of both "
            "examples are marked. The share of active ReLUs is drawn as it is.",
            _sweep(record.arrays),
        ),
    )


def _examples(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.6, height=3.8)
    for scaling, decay, colour in PAIRS:
        with_decay, without = (arm(arrays, scaling, value) for value in (decay, NONE))
        label = f"{scaling}, λ = {decay:g}"
        left.plot(arrays["epoch"], arrays["loss"][with_decay], color=colour, label=label)
        left.plot(arrays["epoch"], arrays["loss"][without], "o", color=colour, markersize=3)
        ratio = arrays["last_norm"][with_decay] / arrays["last_norm"][without]
        right.hist(100 * (1 - ratio), bins=list(BINS), color=colour, alpha=0.7, label=label)
        right.axvline(100 * (1 - kept(arrays, decay)), color=colour, linewidth=1)
    left.axhline(np.median(arrays["target_variance"]), **GUIDE)
    left.set(xlabel="epoch", ylabel="mean squared error", yscale="log")
    ticks_at(left.yaxis, (0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4))
    right.set(xlabel="what decay has taken of ‖w‖, %", ylabel="seeds", xscale="log")
    ticks_at(right.xaxis, (1e-4, 1e-3, 0.01, 0.1, 1, 10))
    left.legend(frameon=False)
    return figure


def _sweep(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, width=4.6, height=3.8)
    for ax, scaling in zip(axes, (STANDARD, MIN_MAX), strict=True):
        _one_sweep(ax, arrays, scaling)
    axes[0].set_ylabel("end of the run, over that without decay")
    legend(axes[0], "lower left")
    return figure


def _one_sweep(ax: Axes, arrays: Arrays, scaling: str) -> None:
    chosen, decays = sweep(arrays, scaling), np.unique(arrays["decay"])
    measures = {
        "norm": "weights ‖w‖",
        "hidden_spread": "hidden units, deviation",
        "output_spread": "output, deviation",
    }
    for name, label in measures.items():
        values = arrays[name][chosen, -1]
        ax.plot(decays, values / values[0], marker="o", markersize=4, label=label)
    ax.plot(decays, arrays["active"][chosen, -1], "s--", color="0.5", markersize=4, label="active")
    fine = np.geomspace(decays[1], decays[-1], 200)
    ax.plot(fine, (1 - arrays["learning_rate"] * fine) ** arrays["epochs"], **GUIDE)
    for published in (EXAMPLE_2, EXAMPLE_1):
        ax.axvline(published, color="C3", linewidth=0.8, alpha=0.6)
    decay_axis(ax, decays)
    ax.set(title=f"{scaling} inputs", ylim=(-0.05, 1.3))
