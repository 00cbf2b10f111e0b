"""The figures of `interpolation-threshold`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.random_features.claims import (
    medians,
    threshold,
    without_decay,
)
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels, ticks_at
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures."""
    return (
        Plot(
            "threshold",
            "Test error (left), training error (middle) and norm of the solution (right) against "
            "the number of features, medians over the seeds: without decay, with noisy labels and "
            "with clean ones, and with the best λ for noisy ones. Dotted: as many features as "
            "images.",
            _by_width(record.arrays),
        ),
        Plot(
            "along-decay",
            "Test accuracy against λ at some widths (means over the seeds), with noisy (solid) and "
            "with clean labels (dashed): it has one maximum, and no dip.",
            _by_decay(record.arrays),
        ),
    )


def _by_width(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 3, width=4.2, height=3.4)
    best = np.argmin(medians(arrays, "test_error"), axis=1)
    names = (("test_error", "test error"), ("train_error", "training error"), ("norm", "‖a‖"))
    for ax, (name, label) in zip(axes, names, strict=True):
        noisy = medians(arrays, name)
        width = arrays["width"]
        floor = 1e-4 if name == "train_error" else 0
        ax.plot(width, np.maximum(noisy[:, 0], floor), "o-", ms=3, label="no decay, noisy")
        clean = np.maximum(without_decay(arrays, name, 0), floor)
        ax.plot(width, clean, "o--", ms=3, label="no decay, clean")
        chosen = noisy[np.arange(len(best)), best]
        ax.plot(width, np.maximum(chosen, floor), "o-", ms=3, label="best λ, noisy")
        ax.axvline(float(arrays["images"]), **GUIDE)
        ax.set(xscale="log", yscale="log", xlabel="number of features", ylabel=label)
        ticks_at(ax.xaxis, _ticks(arrays))
        ax.minorticks_off()
    axes[1].set_ylabel("training error (below 1e-4: 1e-4)")
    legend_above(axes[0], 3)
    return figure


def _ticks(arrays: Arrays) -> list[int]:
    """The ends, and the number of images."""
    return [int(arrays["width"][0]), int(arrays["images"]), int(arrays["width"][-1])]


def _by_decay(arrays: Arrays) -> Figure:
    figure, (ax,) = panels(1, 1, width=7, height=4)
    accuracy, at = arrays["accuracy"].mean(axis=0), threshold(arrays)
    decay = np.maximum(arrays["decay"], arrays["decay"][1] / 10)
    for colour, width in enumerate(sorted({0, at // 2, at, len(accuracy) - 1})):
        label = f"{arrays['width'][width]} features"
        ax.plot(decay, accuracy[width, -1], color=f"C{colour}", label=label)
        ax.plot(decay, accuracy[width, 0], color=f"C{colour}", linestyle="--")
    ax.set(xscale="log", xlabel="λ (the first point is λ = 0)", ylabel="test accuracy")
    legend_above(ax, 4)
    return figure
