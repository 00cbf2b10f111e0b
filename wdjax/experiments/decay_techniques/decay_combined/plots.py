"""The figures of `decay-combined`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.decay_techniques.decay_combined.arms import SCOPES
from wdjax.experiments.decay_techniques.decay_combined.claims import (
    NETWORKS,
    groups,
    no_decay,
    scope,
    tested,
)
from wdjax.experiments.experiment import Arrays
from wdjax.report import Plot
from wdjax.report.drawing import legend_of_all, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "combined",
            "Test accuracy of each combination of regularisers, at the strengths that the "
            "validation images choose: mean of the seeds with two standard errors, and each seed. "
            "Blue: with decay.",
            _combined(record.arrays),
        ),
        Plot(
            "selective",
            "Test accuracy over λ if only some of the parameters decay, and nothing else "
            "regularises; with two standard errors. Grey: no decay.",
            _selective(record.arrays),
        ),
    )


def _combined(arrays: Arrays) -> Figure:
    figure, (ax,) = panels(1, 1, width=7.5, height=4.2)
    for place, (name, allowed) in enumerate(groups(arrays).items()):
        values = 100 * tested(arrays, allowed)
        colour = "C0" if "decay" in name and "without" not in name else "0.4"
        ax.plot(values, np.full(len(values), place), ".", color=colour, alpha=0.4)
        ax.errorbar(values.mean(), place, xerr=_error(values), fmt="o", color=colour, capsize=3)
    ax.set_yticks(range(len(groups(arrays))), list(groups(arrays)))
    ax.invert_yaxis()
    ax.set_xlabel("test accuracy, %")
    ax.grid(axis="x", alpha=0.3)
    return figure


def _selective(arrays: Arrays) -> Figure:
    figure, axes = panels(1, len(NETWORKS), sharey="row")
    for network, ax in enumerate(axes):
        free = 100 * tested(arrays, no_decay(arrays, network))
        ax.axhspan(free.mean() - _error(free), free.mean() + _error(free), color="0.9")
        ax.axhline(free.mean(), color="0.6", linewidth=1)
        for which in range(len(SCOPES)):
            _scope(ax, arrays, network, which)
        ax.set(xscale="log", xlabel="λ", title=NETWORKS[network])
    axes[0].set_ylabel("test accuracy, %")
    legend_of_all(axes[0], len(SCOPES))
    return figure


def _scope(ax: Axes, arrays: Arrays, network: int, which: int) -> None:
    arms = np.flatnonzero(scope(arrays, network, which)[network])
    values = 100 * arrays["test"][network][:, arms]
    errors = [_error(column) for column in values.T]
    shift = 1.06 ** (which - 1.5)  # so that bars do not cover each other
    ax.errorbar(arrays["decay"][arms] * shift, values.mean(axis=0), errors, fmt="o-",
                markersize=4, capsize=2, label=SCOPES[which])  # fmt: skip


def _error(values: np.ndarray) -> float:
    return float(2 * values.std(ddof=1) / np.sqrt(len(values)))
