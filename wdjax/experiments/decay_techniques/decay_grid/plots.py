"""The figures of `decay-grid`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.decay_techniques.decay_grid.maps import (
    NETWORKS,
    best,
    best_decays,
    good_rates,
    maps,
    tilt,
)
from wdjax.experiments.decay_techniques.decay_grid.run import OPTIMISERS
from wdjax.experiments.experiment import Arrays
from wdjax.report import Plot
from wdjax.report.drawing import legend, panels
from wdjax.training import RunRecord

RANGE = 0.3
"""Accuracies this far below the best, or further, have one colour."""


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "maps",
            "Test accuracy over η and λ, mean of the seeds; the lowest row is λ = 0. Circles: the "
            "setting that the validation images choose. Blue: the best λ of each η that is good "
            "and where decay gains. Dotted: ηλ as in the circle. Where the line follows the dots, "
            "it is the decay per step that counts; a horizontal line is a λ that does not depend "
            "on η.",
            _maps(arrays, arrays["weight_decay"][1:], "λ", 0.0),
        ),
        Plot(
            "independent",
            "The same runs by the decay per step ρ = ηλ, as Loshchilov & Hutter count it.",
            _maps(arrays, arrays["weight_decay"][1:], "ρ = ηλ", 1.0),
        ),
        Plot(
            "norms",
            "‖w‖ of all kernels along the run, at the best λ > 0 and at λ = 0, each at its best η.",
            _norms(arrays),
        ),
    )


def _maps(arrays: Arrays, decays: np.ndarray, label: str, power: float) -> Figure:
    # Maps keep their frames.
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(len(NETWORKS), len(OPTIMISERS), squeeze=False)
    top = arrays["test"].mean(axis=2).max()
    meshes = []
    for n, o in maps(arrays):
        ax = axes[n, o]
        meshes.append(_map(ax, arrays, n, o, power, top))
        ax.set(xscale="log", yscale="log", xlabel="η", ylabel=label)
        found = tilt(arrays, n, o)
        told = f"slope {found.slope + power:+.2f}" if found.known else "slope not known"
        ax.set_title(f"{OPTIMISERS[o]}, {NETWORKS[n]}: {told}", fontsize="medium")
    figure.colorbar(meshes[0], ax=axes, label="test accuracy", shrink=0.6, extend="min")
    return figure


def _map(ax: Axes, arrays: Arrays, n: int, o: int, power: float, top: float):
    """One map; with power 1 each column is moved up by its η."""
    eta, decays = arrays["learning_rate"][o], arrays["weight_decay"].copy()
    step = decays[2] / decays[1]
    decays[0] = decays[1] / step**2
    y = decays[None, :] * eta[:, None] ** power
    mean = arrays["test"][n, o].mean(axis=0)
    x = np.broadcast_to(eta[:, None], y.shape)
    points = ax.scatter(x, y, c=mean, marker="s", s=95, vmin=top - RANGE, vmax=top, cmap="magma")
    scores = arrays["validation"][n, o].mean(axis=0)
    rows = good_rates(scores, arrays["weight_decay"])
    line = 10 ** best_decays(scores, arrays["weight_decay"])[rows] * eta[rows] ** power
    ax.plot(eta[rows], line, color="white", linewidth=3)
    ax.plot(eta[rows], line, color="C0", linewidth=1.5, marker=".")
    cell = best(arrays, n, o, True)
    middle = y[cell.rate, cell.decay] / eta[cell.rate] ** (power - 1)
    ax.plot(eta, middle * eta ** (power - 1), color="C2", linestyle=":", linewidth=1.5)
    ax.plot(eta[cell.rate], y[cell.rate, cell.decay], "o", color="C2", fillstyle="none", ms=13)
    ax.set_ylim(y.min() / step, y.max() * step)
    return points


def _norms(arrays: Arrays) -> Figure:
    figure, axes = panels(1, len(NETWORKS), width=4.4, height=3.7)
    for n, o in maps(arrays):
        for decays, style in ((True, "-"), (False, "--")):
            cell = best(arrays, n, o, decays)
            course = arrays["norms"][n, o, cell.rate, cell.decay]
            lam = arrays["weight_decay"][cell.decay]
            axes[n].plot(
                (np.arange(len(course)) + 1) / len(course), course, style, color=f"C{o}",
                label=f"{OPTIMISERS[o]}, λ = {lam:.2g}",
            )  # fmt: skip
    for ax, name in zip(axes, NETWORKS, strict=True):
        ax.set(xlabel="share of the run", ylabel="‖w‖", yscale="log", title=name)
        ax.set_ylim(top=ax.get_ylim()[1] * 2)
        legend(ax, "upper left", ncols=2)
    return figure
