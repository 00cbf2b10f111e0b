"""The figures of the classifier under strong decay, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.drawing import decay_axis
from wdjax.experiments.input_normalization.strong_decay.claims import (
    BATCH,
    GOAL,
    MUTED,
    NONE,
    accuracy,
    signal,
)
from wdjax.experiments.input_normalization.strong_decay.config import AGGRESSIVE
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, ordered_colours, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "signals",
            "What decay leaves of the signal (deviation over the images) of each layer, over that "
            "without decay, and the test accuracy (grey), at the end of training; left without a "
            "norm layer, right with batch norm behind the hidden layers. The vertical line is "
            "λ = 5e-3, ten times a common value; dotted: half.",
            _signals(record.arrays),
        ),
        Plot(
            "convergence",
            "Training accuracy over the steps for each λ (dark: none, bright: the largest), "
            "medians over the seeds; dotted: 0.95, where speed is measured if training ends at 1 "
            "(else at 95 % of where it ends).",
            _convergence(record.arrays),
        ),
    )


def _signals(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, width=4.6, height=3.8)
    for norm, ax in zip((NONE, BATCH), axes, strict=True):
        kept = signal(arrays, norm)
        for layer, colour in enumerate(ordered_colours(kept.shape[1])):
            name = f"hidden {layer + 1}" if layer < kept.shape[1] - 1 else "outputs"
            ax.plot(arrays["decay"], kept[:, layer], "o-", color=colour, label=name, markersize=4)
        ax.plot(
            arrays["decay"],
            accuracy(arrays, norm),
            "s--",
            color="0.5",
            markersize=4,
            label="test accuracy",
        )
        ax.axhline(MUTED, **GUIDE)
        ax.axvline(AGGRESSIVE, color="C3", linewidth=0.8)
        decay_axis(ax, arrays["decay"])
        ax.set(title=str(("no norm layer", "batch norm")[norm]), ylim=(-0.05, 1.3))
    axes[0].set_ylabel("signal over that without decay")
    legend(axes[0], "lower left")
    return figure


def _convergence(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, width=4.6, height=3.8)
    shades = ordered_colours(len(arrays["decay"]))
    for norm, ax in zip((NONE, BATCH), axes, strict=True):
        for decay, values, colour in zip(
            arrays["decay"], arrays["train_accuracy"][norm], shades, strict=True
        ):
            seen = arrays["step"] > 0
            ax.plot(arrays["step"][seen], values[seen], color=colour, label=f"{decay:g}")
        ax.axhline(GOAL, **GUIDE)
        ax.set(title=str(("no norm layer", "batch norm")[norm]), xlabel="step", xscale="log")
    axes[0].set(ylabel="training accuracy")
    legend(axes[1], "lower right", title="λ", ncols=2)
    low = float(np.min(arrays["train_accuracy"][:, :, 1:]))
    for ax in axes:
        ax.set_ylim(low - 0.05, 1.02)
    return figure
