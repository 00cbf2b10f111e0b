"""The figures of the toy, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.regimes.toy.claims import multiples
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, panels
from wdjax.training import RunRecord

ARRANGEMENTS = (
    ("single", "one group", "o"),
    ("joint", "several groups, one sphere", "s"),
    ("separate", "several groups, own spheres", "^"),
)


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    return (
        Plot(
            "levels",
            "Left: mean loss over Σa against the effective learning rate as a multiple of 1/Σa, "
            "one mark per run. Dotted: 0 up to the threshold and (1 − 1/(η_e Σa))/2 above it. "
            "Groups on spheres of their own go further, to 1/max a. Right: the share of the norm "
            "that each group has got in the end, over η_e a_i; below the line it cannot converge.",
            _levels(record.arrays),
        ),
        Plot(
            "swings",
            "The first steps of the loss, over Σa, at three rates. One group: convergence, or a "
            "cycle of length two. Several groups on one sphere: convergence, a swing that is not "
            "periodic, and the level of random directions.",
            _swings(record.arrays),
        ),
    )


def _levels(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2)
    for number, (name, label, marker) in enumerate(ARRANGEMENTS):
        total = arrays[f"{name}_a"].sum(axis=1)
        left.scatter(
            multiples(arrays, name), arrays[f"{name}_loss"] / total,
            s=14, alpha=0.5, marker=marker, color=f"C{number}", label=label, linewidths=0,
        )  # fmt: skip
    rates = np.geomspace(arrays["multiple"].min(), arrays["multiple"].max(), 400)
    left.plot(rates, np.maximum(0, 1 - 1 / rates) / 2, **GUIDE)
    left.set(xscale="log", xlabel="effective learning rate × Σa", ylabel="mean loss / Σa")
    legend(left, "lower right")
    _shares(right, arrays)
    return figure


def _shares(ax: Axes, arrays: Arrays) -> None:
    multiple = multiples(arrays, "joint")
    below = multiple < 1
    for column, a in enumerate(arrays["several"]):
        ratio = arrays["joint_share"][:, column] / (a * arrays["joint_rate"])
        ax.scatter(multiple[below], ratio[below], s=14, alpha=0.6, label=f"a = {a:g}", linewidths=0)
    ax.axhline(1, **GUIDE)
    ax.set(yscale="log", xlabel="effective learning rate × Σa", ylabel="‖w‖² / (η_e a) of a group")
    legend(ax, "upper right")


def _swings(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2)
    for ax, (name, label, _) in zip(axes, ARRANGEMENTS, strict=False):
        found = multiples(arrays, name)
        for chosen in _three(arrays["multiple"]):
            run = int(np.argmin(np.abs(found - chosen)))
            curve = arrays[f"{name}_shown"][run] / arrays[f"{name}_a"][run].sum()
            ax.plot(curve, linewidth=1.1, marker=".", markersize=3, label=f"{found[run]:.3g}/Σa")
        ax.axhline(0.5, **GUIDE)
        ax.set(xlabel="step", ylabel="loss / Σa", title=label, ylim=(-0.02, 1.3))
        legend(ax, "upper right", title="η_e", ncols=3)
    return figure


def _three(multiple: np.ndarray) -> tuple[float, float, float]:
    """A rate below the threshold, one above it, and the highest."""
    above = np.sort(multiple[multiple > 1])
    return float(multiple[multiple < 1].max() * 0.9), float(above[len(above) // 2]), above[-1]
