"""The figures of the prediction experiment, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.prediction.claims import ANGLE, COURSE, NORM, STATED
from wdjax.experiments.prediction.parts import Arrays, by_seed, names, parts_of
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, legend_of_all, panels
from wdjax.training import RunRecord

COURSES = 2
"""Groups whose course is drawn: the first, and the one in the middle."""


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "prediction",
            "Measured over predicted, of each group (a dot is one group with one seed): the angle "
            "per step, and the norm. Crosses: over the prediction for an equilibrium, without the "
            "memory of the gradients (angles, and AdamW: from the settings alone). Grey: the "
            "tolerances, for Lion and Muon the stated errors of the theory.",
            _ratios(arrays),
        ),
        Plot(
            "relaxation",
            "How a deviation of the norm decays, averaged over groups and seeds: measured (solid) "
            "and predicted (dashed; for Lion and Muon an exponential), each divided by its own "
            "start; the dotted exponential is what the settings alone say. Time in relaxation "
            "times of the settings.",
            _relaxation(arrays),
        ),
        Plot(
            "course",
            "‖w‖ of two groups along warm-up and cosine, measured (solid) and predicted from the "
            "moments of each step (dashed; for Lion and Muon from the settings alone), first seed.",
            _courses(arrays),
        ),
        Plot(
            "memory",
            "Norm over the prediction without memory, against the memory of what a step adds, "
            "Σ μ^(k−1) E⟨x_t, x_(t−k)⟩ / E‖x‖² (x is the gradient, under AdamW over √v̂). Dotted: "
            "what memory does to heavy-ball's norm, (1 + 2μ·memory)^(1/4).",
            _memory(arrays),
        ),
    )


def _ratios(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, width=5.5)
    quantities = (("angle", ANGLE, "angle per step"), ("norm", NORM, "‖w‖"))
    optimisers = names(arrays, "optimiser")
    for ax, (quantity, limit, label) in zip(axes, quantities, strict=True):
        for column, optimiser in enumerate(optimisers):
            stated = STATED.get(optimiser)
            _band(ax, column, getattr(stated, quantity) if stated else limit)
            for number, (model, part) in enumerate(parts_of(arrays, optimiser)):
                _dots(ax, column, number, model if column == 0 else None, part, quantity)
        ax.axhline(1, **GUIDE)
        ax.set_xticks(range(len(optimisers)), optimisers)
        ax.set_ylabel(f"{label}, measured / predicted")
    legend_of_all(axes[0], 2, "small")
    return figure


def _band(ax: Axes, column: int, limit: float) -> None:
    ax.fill_between([column - 0.45, column + 0.45], 1 - limit, 1 + limit, color="0.9", zorder=0)


def _dots(
    ax: Axes, column: int, number: int, label: str | None, part: Arrays, quantity: str
) -> None:
    count = len(part[quantity])
    place = column + 0.4 * (number - 0.5) + np.linspace(-0.1, 0.1, count)
    style = {"s": 7, "linewidths": 0.5, "color": f"C{number}"}
    plain = part[quantity] / part[f"plain_{quantity}"]
    ratio = part[quantity] / part[f"predicted_{quantity}"]
    if not np.allclose(plain, ratio, rtol=1e-6):
        ax.scatter(place, plain, marker="x", alpha=0.35, **style)
    ax.scatter(place, ratio, alpha=0.7, label=label, **style)


def _relaxation(arrays: Arrays) -> Figure:
    optimisers = names(arrays, "optimiser")
    figure, axes = panels(1, len(optimisers), width=2.9, height=2.9)
    for ax, optimiser in zip(axes, optimisers, strict=False):
        for number, (model, part) in enumerate(parts_of(arrays, optimiser)):
            time = part["relaxation_time"] / part["relaxation_steps"].mean()
            early = time <= 3
            for name, style in (("relaxation", "-"), ("predicted_relaxation", "--")):
                curve = part[name].mean(axis=0)[early]
                ax.plot(
                    time[early], curve / curve[0], style, color=f"C{number}",
                    label=model if style == "-" else None,
                )  # fmt: skip
        ax.plot(np.linspace(0, 3), np.exp(-np.linspace(0, 3)), **GUIDE)
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.set_title(optimiser, fontsize="medium")
        ax.set_xlabel("steps / relaxation time")
    axes[0].set_ylabel("deviation, of its start")
    legend(axes[0])
    return figure


def _courses(arrays: Arrays) -> Figure:
    models, optimisers = names(arrays, "model"), names(arrays, "optimiser")
    columns = len(optimisers)
    figure, axes = panels(len(models), columns, width=1.9, height=1.8)
    for column, optimiser in enumerate(optimisers):
        for row, (model, part) in enumerate(parts_of(arrays, optimiser)):
            ax = axes[row * columns + column]
            _course(ax, part)
            share = f"{part['course_within'].mean():.0%} within {COURSE:.0%}"
            ax.set_title(f"{model}, {optimiser}:\n{share}", fontsize=6)
    for ax in axes[-columns:]:
        ax.set_xlabel("step")
    for ax in axes[::columns]:
        ax.set_ylabel("‖w‖")
    return figure


def _course(ax: Axes, part: Arrays) -> None:
    count = len(part["course"])
    for color, index in enumerate(sorted({0, count // 2, count - 1})[:COURSES]):
        for name, style in (("course", "-"), ("predicted_course", "--")):
            ax.plot(part["course_step"], part[name][index], style, color=f"C{color}", linewidth=1)


def _memory(arrays: Arrays) -> Figure:
    optimisers = names(arrays, "optimiser")
    figure, axes = panels(1, len(optimisers), width=2.9, height=2.9)
    for ax, optimiser in zip(axes, optimisers, strict=False):
        for number, (model, part) in enumerate(parts_of(arrays, optimiser)):
            memory, ratio = (
                by_seed(part, values).mean(axis=0)
                for values in (part["memory"], part["norm"] / part["plain_norm"])
            )
            ax.scatter(memory, ratio, s=10, alpha=0.7, color=f"C{number}", label=model)
        if optimiser == "heavy-ball":
            memory = np.linspace(*ax.get_xlim())
            ax.plot(memory, (1 + 1.8 * memory) ** 0.25, **GUIDE)
        ax.axhline(1, color="0.85", linewidth=0.8, zorder=0)
        ax.set_title(optimiser, fontsize="medium")
        ax.set_xlabel("memory")
    axes[0].set_ylabel("‖w‖, measured / predicted")
    legend(axes[0])
    return figure
