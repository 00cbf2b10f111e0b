"""The figure of `decay-sample`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.decay_techniques.decay_sample.claims import likeness
from wdjax.experiments.decay_techniques.decay_sample.run import PRINTED
from wdjax.experiments.experiment import Arrays
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "sample",
            "Left: losses that the article's code prints in 40 of the runs (grey), and those that "
            "the article prints (red). Black: the loss expected over all inputs and targets, "
            "which hardly moves. Right: the share of the runs that are like the printed one; the "
            "dotted line is 1/120, five numbers in random order.",
            _sample(record.arrays),
        ),
    )


def _sample(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, height=3.7)
    steps = np.arange(1, len(arrays["mean_loss"]) + 1)
    left.plot(steps, arrays["examples"].T, color="0.7", linewidth=0.6)
    left.plot(steps, arrays["expected_loss"][:-1], "k", linewidth=2, label="expected")
    left.plot(steps[: len(PRINTED)], PRINTED, "o-", color="C3", label="published")
    left.set(xlabel="step (the article's epoch)", ylabel="loss", xticks=steps, ylim=(0, 3.2))
    left.legend(frameon=False, loc="upper right")
    shares = likeness(arrays)
    least = 0.3 / float(arrays["runs"])
    right.barh(list(shares), np.maximum(list(shares.values()), least), color="C0", height=0.6)
    right.axvline(1 / 120, **GUIDE)
    right.set(xscale="log", xlabel="share of the runs", xlim=(least, 1))
    right.invert_yaxis()
    for place, share in enumerate(shares.values()):
        right.text(
            max(share, least) * 1.15,
            place,
            f"{share:.2g}",
            va="center",
            fontsize="small",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    return figure
