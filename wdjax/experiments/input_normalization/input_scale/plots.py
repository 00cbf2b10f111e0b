"""The figures of the grid of input scale and decay, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.input_scale.config import ADAMW, SGD, TECHNIQUES
from wdjax.experiments.input_normalization.input_scale.reading import (
    BATCH,
    NONE,
    best,
    best_scales,
    index,
    losses,
    scales,
    tuned,
)
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, ordered_colours, panels, ticks_at
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "scale-and-decay",
            "Test loss of SGD over the factor s on standardised inputs and the decay λ, learning "
            "rate tuned per cell (dark is good, yellow no better than guessing). White circles: "
            "the best s for each λ. Without a norm layer (left of each pair) the pattern runs "
            "along λ/s = constant (dashed); with batch norm (right) the scale does not matter, but "
            "for single cells whose learning rate is at the edge of what is stable.",
            _maps(arrays),
        ),
        Plot(
            "techniques",
            "Test loss of raw, min-max and standardised inputs against λ, SGD, learning rate tuned "
            "for each point; solid without a norm layer, dashed with batch norm; dotted: guessing.",
            _techniques(arrays),
        ),
        Plot(
            "sensitivity",
            "Test loss against the factor s on standardised inputs with the settings that are best "
            "at s = 1 (no norm layer), and, open symbols, with settings tuned for each s.",
            _sensitivity(arrays),
        ),
    )


def _maps(arrays: Arrays) -> Figure:
    tables = len(arrays["table"])
    figure, axes = panels(1, 2 * tables, width=3.4, height=3.6)
    optimiser, places = index(arrays, "optimiser", SGD), scales(arrays)
    for n, ax in enumerate(axes):
        table, norm = divmod(n, 2)
        values = tuned(losses(arrays))[table, optimiser, norm, places]
        _one_map(ax, arrays, np.log(values / arrays["chance"][table]), table, norm)
    axes[0].set_ylabel("factor s on the inputs")
    return figure


def _one_map(ax: Axes, arrays: Arrays, values: np.ndarray, table: int, norm: int) -> None:
    decays, factors = arrays["decay"][index(arrays, "optimiser", SGD)], arrays["scale"]
    ax.pcolormesh(decays, factors, values, cmap="viridis", vmax=0, shading="nearest")
    if norm == NONE:
        ax.plot(decays, best_scales(arrays, table), "o", color="white", markersize=5)
        ends = np.array([decays[0], decays[-1]])
        ax.plot(ends, ends * factors[-1] / decays[-1], "--", color="white", linewidth=1)
    ax.set(xscale="log", yscale="log", xlabel="weight decay λ")
    ax.set_title(f"{arrays['table'][table]}, {arrays['norm'][norm]}", fontsize="medium")
    ax.set_xlim(decays[0] / 1.8, decays[-1] * 1.8)
    ax.set_ylim(factors[0] / 1.8, factors[-1] * 1.8)
    ticks_at(ax.yaxis, factors)


def _techniques(arrays: Arrays) -> Figure:
    figure, axes = panels(1, len(arrays["table"]), width=4.6, height=3.8)
    optimiser = index(arrays, "optimiser", SGD)
    for table, ax in enumerate(axes):
        for colour, kind in enumerate(TECHNIQUES):
            place = index(arrays, "kind", kind)
            for norm, style in ((NONE, "o-"), (BATCH, "s--")):
                values = tuned(losses(arrays))[table, optimiser, norm, place]
                label = kind if norm == NONE else None
                ax.plot(arrays["decay"][optimiser], values, style, color=f"C{colour}", label=label)
        _finish(ax, arrays, table)
        ax.set(xlabel="weight decay λ", xscale="log")
    axes[0].legend(frameon=False)
    return figure


def _sensitivity(arrays: Arrays) -> Figure:
    figure, axes = panels(1, len(arrays["table"]), width=4.6, height=3.8)
    unit, places, found = index(arrays, "kind", "standard"), scales(arrays), losses(arrays)
    for table, ax in enumerate(axes):
        for name, colour in zip((SGD, ADAMW), ordered_colours(3), strict=False):
            optimiser = index(arrays, "optimiser", name)
            rate, decay = best(found.chosen[table, optimiser, NONE, unit])
            judged = found.judged[table, optimiser, NONE, places]
            again = [
                judged[n][best(found.chosen[table, optimiser, NONE, place])]
                for n, place in enumerate(places)
            ]
            ax.plot(arrays["scale"], judged[:, rate, decay], "o-", color=colour, label=name)
            ax.plot(arrays["scale"], again, "o", color=colour, markerfacecolor="none", markersize=9)
        _finish(ax, arrays, table)
        ax.set(xlabel="factor s on standardised inputs", xscale="log")
        ticks_at(ax.xaxis, arrays["scale"])
    axes[0].legend(frameon=False)
    return figure


def _finish(ax: Axes, arrays: Arrays, table: int) -> None:
    ax.axhline(arrays["chance"][table], **GUIDE)
    ax.set(title=str(arrays["table"][table]), ylabel="test loss", yscale="log")
    low, high = ax.get_ylim()
    coarse, fine = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3), (0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2)
    ticks_at(ax.yaxis, coarse if high > 3 * low else fine)
    ax.set_ylim(low, high)
