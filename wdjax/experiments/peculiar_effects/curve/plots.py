"""The figures of `addition-curve`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.curve.claims import (
    PUBLISHED_NORMS,
    PUBLISHED_STEP,
    PUBLISHED_TEST,
)
from wdjax.experiments.peculiar_effects.drawing import PUBLISHED, TEST, TRAIN
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figure."""
    return (
        Plot(
            "training-curves",
            "Loss, weight norm (sum of the tensors' norms) and accuracy over training, as in the "
            "article: with decay (dark, one line per seed) and without (light). The dotted line is "
            "the published step of the fit, the crosses are published values.",
            _curves(record.arrays),
        ),
    )


def _curves(arrays: Arrays) -> Figure:
    figure, (loss, norm, accuracy) = panels(3, 1, width=8.5, height=2.3, sharex="col")
    step = arrays["step"] / 1e3
    for run, lam in enumerate(arrays["weight_decay"]):
        alpha = 0.95 if lam > 0 else 0.3
        first = run == int(np.argmax(arrays["weight_decay"] == lam))
        name = f"λ = {lam:g}" if lam > 0 else "without decay"
        loss.plot(step, arrays["loss"][run], color="C2", alpha=alpha, linewidth=1)
        norm.plot(step, arrays["norm_sum"][run], color="C4", alpha=alpha, linewidth=1.2)
        for what, colour in (("train", TRAIN), ("test", TEST)):
            course, label = arrays[f"{what}_accuracy"][run], f"{what}, {name}" if first else None
            accuracy.plot(step, course, color=colour, alpha=alpha, lw=1, label=label)
    loss.set(ylabel="mean squared error", yscale="log")
    norm.set(ylabel="weight norm")
    accuracy.set(ylabel="accuracy")
    _published(loss, norm, accuracy)
    accuracy.set_xlabel("step, thousands")
    return figure


def _published(loss: Axes, norm: Axes, accuracy: Axes) -> None:
    fit = PUBLISHED_STEP / 1e3
    for ax in (loss, norm, accuracy):
        ax.axvline(fit, **GUIDE)
    norm.plot([0, fit, 30], PUBLISHED_NORMS, **PUBLISHED)
    accuracy.plot([fit, 30], PUBLISHED_TEST, label="test, published", **PUBLISHED)
    legend_above(accuracy, 5)
