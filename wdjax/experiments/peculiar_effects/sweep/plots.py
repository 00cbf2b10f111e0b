"""The figures of `addition-sweep`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.drawing import PUBLISHED, TEST, TRAIN
from wdjax.experiments.peculiar_effects.sweep.claims import by_decay
from wdjax.experiments.peculiar_effects.sweep.run import AS_PUBLISHED
from wdjax.report import Plot
from wdjax.report.drawing import legend_above, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures."""
    arrays = record.arrays
    return (
        Plot(
            "accuracy-against-decay",
            f"Accuracy after {arrays['step'][-1]:,} steps (mean of the last epochs; one dot per "
            "run, lines through the means) against λ. Crosses: test accuracies of the article, "
            "read off its plot.",
            _against_decay(arrays),
        ),
        Plot(
            "accuracy-over-training",
            "Test accuracy (sums of 3-digit numbers) over training, one panel per λ, one line per "
            "seed; grey: train accuracy. Smaller λ come later.",
            _over_training(arrays),
        ),
    )


def _against_decay(arrays: Arrays) -> Figure:
    figure, (ax,) = panels(1, 1, width=7, height=4)
    for name, label, colour in (
        ("train_at_end", "train", TRAIN),
        ("held_out_at_end", "unseen, of the same kind", "0.6"),
        ("test_at_end", "test (3 digits)", TEST),
    ):
        ax.plot(*by_decay(arrays, name), color=colour, label=label, linewidth=1.4)
        ax.scatter(arrays["weight_decay"], arrays[name], color=colour, s=20, alpha=0.8)
    lams, known = zip(*AS_PUBLISHED.items(), strict=True)
    ax.plot(lams, known, label="test, published", **PUBLISHED)
    ax.set(xscale="log", xlabel="λ of AdamW (η = 1e-3)", ylabel="share of sums with all bits right")
    legend_above(ax, 4)
    return figure


def _over_training(arrays: Arrays) -> Figure:
    lams = np.unique(arrays["weight_decay"])
    columns = (len(lams) + 1) // 2
    figure, axes = panels(2, columns, width=2.6, height=2.1, sharex="col")
    for ax, lam in zip(axes, lams, strict=False):
        for run in np.flatnonzero(arrays["weight_decay"] == lam):
            step = arrays["step"] / 1e3
            ax.plot(step, arrays["train_accuracy"][run], color="0.75", linewidth=0.8)
            ax.plot(step, arrays["test_accuracy"][run], color=TEST, linewidth=1)
        ax.set_title(f"λ = {lam:g}", fontsize="medium")
        ax.set_ylim(-0.03, 1.03)
    for ax in axes[len(lams) :]:
        ax.set_axis_off()
    figure.supxlabel("step, thousands")
    figure.supylabel("accuracy")
    return figure
