"""The figures of the replication, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.l2_batch_norm.grading import Arrays
from wdjax.experiments.l2_batch_norm.replicated.arms import BASELINE, FREE, SCALED, TWIN
from wdjax.experiments.l2_batch_norm.replicated.claims_inference import lag_of_growth
from wdjax.experiments.l2_batch_norm.replicated.config import KNOTS, PUBLISHED_FACTOR
from wdjax.experiments.l2_batch_norm.replicated.measured import LONG, RESCALED, SHORT, of_arm
from wdjax.report import Plot
from wdjax.report.drawing import legend, legend_of_all, panels
from wdjax.training import RunRecord

COLOURS = {BASELINE: "C1", FREE: "C0", SCALED: "C2", TWIN: "C4"}
PUBLISHED = {"color": "0.35", "linestyle": ":", "linewidth": 1.5}


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "weights",
            "Left: Σw² of the convolutions over its initial value; mean over seeds, which differ "
            "by the shaded range. Without L2 it grows, with it it settles, and compensated it "
            "grows exponentially; dashed is what theory adds to the baseline, c⁻². Right: the "
            "angle by which a step turns them. Compensated runs lie on the baseline; without L2 it "
            "falls.",
            _weights(arrays),
        ),
        Plot(
            "factor",
            "What the baseline asks for: Σw_0²/Σw² of each seed (solid) and the four linear pieces "
            "fitted to it (dashed). Dotted: the factor published for a ResNet-20 on CIFAR-10, "
            "drawn over the same share of the run; other data, so not to be compared in height.",
            _factor(arrays),
        ),
        Plot(
            "accuracy",
            "Test accuracy, mean over seeds, of three records in a row. Left: all arms with the "
            "long window of running averages: in the first phase the compensated runs are worse. "
            "Right: the same runs with other averages: the short window, and for the exact twin "
            "averages in the units of its weights.",
            _accuracy(arrays),
        ),
        Plot(
            "training",
            "Left: training loss, mean over seeds; the shaded range is that of the baseline's "
            "seeds. Right: running variance over true variance (long window), and what "
            "(1−ρ)/(1−ρ(1−δ)²) predicts for the first phase of the exact twin.",
            _training(arrays),
        ),
    )


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    figure, axes = panels(1, count, width=5.2)
    for ax in axes:
        ax.set_xlabel("step")
    return figure, axes


def _phases(ax: Axes, arrays: Arrays) -> None:
    """Marks the drops of the learning rate."""
    for drop in arrays["step"][:-1][np.diff(arrays["phase"]) > 0]:
        ax.axvline(drop, color="0.85", linewidth=1, zorder=0)


def _line(ax: Axes, arrays: Arrays, values: np.ndarray, arm: str, **style) -> None:
    """Draws the mean over seeds, and their range."""
    ax.plot(arrays["step"], values.mean(axis=0), color=COLOURS[arm], **{"linewidth": 1.5, **style})


def _range(ax: Axes, arrays: Arrays, values: np.ndarray, arm: str) -> None:
    low, high = values.min(axis=0), values.max(axis=0)
    ax.fill_between(arrays["step"], low, high, color=COLOURS[arm], alpha=0.2, linewidth=0)


def _weights(arrays: Arrays) -> Figure:
    figure, (left, right) = _panels(2)
    for arm in COLOURS:
        grown = of_arm(arrays, "squared_norm", arm) / arrays["initial"][:, None]
        _line(left, arrays, grown, arm, label=arm)
        _range(left, arrays, grown, arm)
        _line(right, arrays, of_arm(arrays, "angle", arm), arm, label=arm)
        _range(right, arrays, of_arm(arrays, "angle", arm), arm)
    base = of_arm(arrays, "squared_norm", BASELINE) / arrays["initial"][:, None]
    theory = base.mean(axis=0) / arrays["decay_factor"] ** 2
    left.plot(arrays["step"], theory, color="0.2", linestyle="--", linewidth=1, label="L2 / c²")
    left.set(ylabel="Σw² / Σw_0²", yscale="log")
    right.set(ylabel="angle per step, radians", yscale="log")
    for ax in (left, right):
        _phases(ax, arrays)
    legend_of_all(left, 5)
    return figure


def _factor(arrays: Arrays) -> Figure:
    figure, (ax,) = _panels(1)
    steps = arrays["step"][-1]
    wanted = arrays["initial"][:, None] / of_arm(arrays, "squared_norm", BASELINE)
    middles = (np.arange(wanted.shape[1]) + 0.5) * steps / wanted.shape[1]
    for seed, (values, knots) in enumerate(zip(wanted, arrays["knots"], strict=True)):
        ax.plot(middles, values, color="C1", linewidth=1, label=None if seed else "baseline")
        label = None if seed else "four linear pieces"
        ax.plot(np.array(KNOTS) * steps, knots, "C2--", linewidth=1.2, label=label)
    ax.plot(np.array(KNOTS) * steps, PUBLISHED_FACTOR, label="published, CIFAR-10", **PUBLISHED)
    ax.set(ylabel="Σw_0² / Σw²", ylim=(0, None))
    _phases(ax, arrays)
    legend_of_all(ax, 3, "small")
    return figure


def _accuracy(arrays: Arrays) -> Figure:
    figure, (left, right) = _panels(2)
    for arm in COLOURS:
        _line(left, arrays, _smooth(of_arm(arrays, "accuracy", arm)[..., LONG]), arm, label=arm)
    shown = ((BASELINE, LONG), (BASELINE, SHORT), (SCALED, SHORT), (TWIN, SHORT), (TWIN, RESCALED))
    for arm, kind in shown:
        values = _smooth(of_arm(arrays, "accuracy", arm)[..., kind])
        style = ("-", "--", ":")[kind]
        _line(right, arrays, values, arm, label=f"{arm}, {arrays['statistics'][kind]}", ls=style)
    for ax in (left, right):
        ax.set_ylabel("test accuracy")
        legend(ax, "lower right")
        _phases(ax, arrays)
    right.set_ylim(left.get_ylim())
    return figure


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean of each record with its neighbours; (seeds, chunks)."""
    padded = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3


def _training(arrays: Arrays) -> Figure:
    figure, (left, right) = _panels(2)
    for arm in COLOURS:
        _line(left, arrays, of_arm(arrays, "loss", arm), arm, label=arm)
        _line(right, arrays, np.exp(of_arm(arrays, "lag", arm)[..., LONG]), arm)
    _range(left, arrays, of_arm(arrays, "loss", BASELINE), BASELINE)
    first = arrays["step"][arrays["phase"] == 0]
    growth = -2 * float(np.log1p(-arrays["decay_per_step"]))
    ends = [lag_of_growth(arrays, growth)[LONG]] * 2
    right.plot([first[0], first[-1]], ends, "--", color="0.2", linewidth=1, label="predicted")
    left.set(ylabel="training loss", yscale="log")
    right.set_ylabel("running / true variance")
    legend(left)
    legend(right, "lower right")
    for ax in (left, right):
        _phases(ax, arrays)
    return figure
