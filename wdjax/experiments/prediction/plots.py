"""The figures of the prediction experiment, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.prediction.claims import (
    ANGLE,
    COURSE,
    NORM,
    Arrays,
    by_seed,
    names,
    rows_of,
)
from wdjax.report import Plot
from wdjax.training import RunRecord

GUIDE = {"color": "0.2", "linewidth": 1.0, "linestyle": ":"}


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "prediction",
            "Measured over predicted, of each group (a dot is one group with one seed): the angle "
            "per step, and the norm at equilibrium. The bands are the tolerances of the claims.",
            _ratios(arrays),
        ),
        Plot(
            "relaxation",
            "How a deviation of the norm decays, averaged over groups and seeds (solid), against "
            "the predicted exponential (dotted) and what follows with the gradient moment of each "
            "run (dashed), each divided by its own start; time in predicted relaxation times.",
            _relaxation(arrays),
        ),
        Plot(
            "course",
            "‖w‖ of each group along warm-up and cosine, measured (solid) and predicted from the "
            "measured gradient moment (dashed), first seed.",
            _courses(arrays),
        ),
        Plot(
            "memory",
            "Norm over prediction against the memory of the gradients, Σ μ^(k−1) E⟨g_t, g_(t−k)⟩ / "
            "E‖g‖². Dotted: what memory does to heavy-ball's norm, (1 + 2μ·memory)^(1/4).",
            _memory(arrays),
        ),
    )


def _axes(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _ratios(arrays: Arrays) -> Figure:
    models, optimisers = names(arrays, "model"), names(arrays, "optimiser")
    figure, axes = _axes(1, 2, 5.5, 3.9)
    quantities = (("angle", ANGLE, "angle per step"), ("norm", NORM, "‖w‖"))
    for ax, (quantity, limit, label) in zip(axes[0], quantities, strict=True):
        ratio = arrays[quantity] / arrays[f"predicted_{quantity}"]
        for number, model in enumerate(models):
            offset = 0.3 * (number - (len(models) - 1) / 2)
            for column, optimiser in enumerate(optimisers):
                chosen = (arrays["model"] == model) & (arrays["optimiser"] == optimiser)
                spread = np.linspace(-0.1, 0.1, int(chosen.sum()))
                ax.scatter(
                    column + offset + spread, ratio[chosen], s=8, alpha=0.6, color=f"C{number}",
                    label=model if column == 0 else None,
                )  # fmt: skip
        ax.axhspan(1 - limit, 1 + limit, color="0.9", zorder=0)
        ax.axhline(1, **GUIDE)
        ax.set_xticks(range(len(optimisers)), optimisers)
        ax.set_ylabel(f"{label}, measured / predicted")
    axes[0, 0].legend(frameon=False, fontsize="small")
    return figure


def _relaxation(arrays: Arrays) -> Figure:
    optimisers = names(arrays, "optimiser")
    figure, axes = _panels(len(optimisers))
    for ax, optimiser in zip(axes, optimisers, strict=False):
        for number, (model, rows) in enumerate(rows_of(arrays, optimiser)):
            time = rows["relaxation_time"] / rows["relaxation_steps"].mean()
            early = time <= 3
            for name, style in (("relaxation", "-"), ("relaxation_given_moment", "--")):
                curve = rows[name].mean(axis=0)[early]
                ax.plot(
                    time[early], curve / curve[0], style, color=f"C{number}",
                    label=model if style == "-" else None,
                )  # fmt: skip
        ax.plot(np.linspace(0, 3), np.exp(-np.linspace(0, 3)), **GUIDE)
        ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        ax.set_title(optimiser, fontsize="medium")
        ax.set_xlabel("steps / relaxation time")
    axes[0].set_ylabel("deviation, of its start")
    axes[0].legend(frameon=False, fontsize="small")
    return figure


def _courses(arrays: Arrays) -> Figure:
    models, optimisers = names(arrays, "model"), names(arrays, "optimiser")
    figure, axes = _axes(len(models), len(optimisers), 2.4, 2.2)
    for column, optimiser in enumerate(optimisers):
        for row, (model, rows) in enumerate(rows_of(arrays, optimiser)):
            _course(axes[row, column], rows)
            share = f"{rows['course_within'].mean():.0%} within {COURSE:.0%}"
            axes[row, column].set_title(f"{model}, {optimiser}: {share}", fontsize="small")
    for ax in axes[-1]:
        ax.set_xlabel("step")
    for ax in axes[:, 0]:
        ax.set_ylabel("‖w‖")
    return figure


def _course(ax: Axes, rows: Arrays) -> None:
    measured, predicted = (by_seed(rows, rows[n])[0] for n in ("course", "predicted_course"))
    for index, (one, other) in enumerate(zip(measured, predicted, strict=True)):
        ax.plot(rows["course_step"], one, color=f"C{index % 10}", linewidth=0.8)
        ax.plot(rows["course_step"], other, "--", color=f"C{index % 10}", linewidth=0.8)


def _memory(arrays: Arrays) -> Figure:
    optimisers = names(arrays, "optimiser")
    figure, axes = _panels(len(optimisers))
    for ax, optimiser in zip(axes, optimisers, strict=False):
        for number, (model, rows) in enumerate(rows_of(arrays, optimiser)):
            ratio = rows["norm"] / rows["predicted_norm"]
            ax.scatter(rows["memory"], ratio, s=10, alpha=0.7, color=f"C{number}", label=model)
        if optimiser == "heavy-ball":
            memory = np.linspace(*ax.get_xlim())
            ax.plot(memory, (1 + 1.8 * memory) ** 0.25, **GUIDE)
        ax.axhline(1, color="0.85", linewidth=0.8, zorder=0)
        ax.set_title(optimiser, fontsize="medium")
        ax.set_xlabel("memory of the gradients")
    axes[0].set_ylabel("‖w‖, measured / predicted")
    axes[0].legend(frameon=False, fontsize="small")
    return figure


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    figure, axes = _axes(1, count, 2.9, 2.9)
    return figure, list(axes[0])
