"""The figures of `addition-collapses`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects import adding
from wdjax.experiments.peculiar_effects.collapses.claims import jumps, large, small
from wdjax.experiments.peculiar_effects.drawing import TEST, TRAIN
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels, plain_ticks
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures."""
    arrays = record.arrays
    return (
        Plot(
            "test-accuracy",
            "Test accuracy over training for both ε, as in the article, one panel per seed. "
            "Triangles: where the loss of training jumps at the smaller ε.",
            _accuracy(arrays),
        ),
        Plot(
            "what-blows-up",
            "The first run with the smaller ε. The normalised values of training stay below "
            "√(B−1) (dotted); the norm of the gradient does not stay; the norm of the weights "
            "falls between the jumps.",
            _mechanism(arrays),
        ),
    )


def _accuracy(arrays: Arrays) -> Figure:
    seeds = np.unique(arrays["seed"])
    figure, axes = panels(len(seeds), 1, width=9, height=1.9, sharex="col")
    for ax, seed in zip(axes, seeds, strict=True):
        for runs, colour in ((small(arrays), TEST), (large(arrays), TRAIN)):
            run = next(r for r in runs if arrays["seed"][r] == seed)
            label = f"ε = {arrays['epsilon'][run]:g}"
            step = arrays["step"] / 1e3
            ax.plot(step, arrays["test_accuracy"][run], color=colour, lw=0.9, label=label)
            if colour == TEST:
                at = jumps(arrays, run)
                ax.plot(step[at], np.full(at.size, 1.06), "v", color="0.3", markersize=4)
        ax.set(ylabel=f"seed {seed}", ylim=(-0.03, 1.1))
    legend_above(axes[0], 2)
    axes[-1].set_xlabel("step, thousands")
    figure.supylabel("test accuracy")
    return figure


def _mechanism(arrays: Arrays) -> Figure:
    run, step = small(arrays)[0], arrays["step"] / 1e3
    figure, axes = panels(4, 1, width=9, height=1.7, sharex="col")
    drawn = (
        ("loss_peak", "largest loss\nof an epoch", True),
        ("gradient_norm", "largest gradient\nof an epoch, norm", True),
        ("train_normalised", "largest |x̂|", False),
        ("norm_sum", "weight norm", False),
    )
    for ax, (name, label, logarithmic) in zip(axes, drawn, strict=True):
        ax.plot(step, arrays[name][run], lw=0.9, color="C3", label="in training")
        ax.set(ylabel=label, yscale="log" if logarithmic else "linear")
    axes[2].plot(step, arrays["test_normalised"][run], lw=0.9, color="0.6", label="at evaluation")
    axes[2].axhline(np.sqrt(adding.BATCH - 1), **GUIDE)
    axes[2].set_yscale("log")
    plain_ticks(axes[2].yaxis)
    legend_above(axes[2], 2)
    axes[-1].set_xlabel("step, thousands")
    return figure
