"""The figures of `batch-norm-instability`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects import descent
from wdjax.experiments.peculiar_effects.instability.claims import UNSTABLE, detail, gaps, jumps
from wdjax.experiments.peculiar_effects.instability.run import chosen
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures."""
    arrays = record.arrays
    return (
        Plot(
            "cycle",
            "One run for each of two ε. The loss jumps where η times the largest eigenvalue of the "
            "Hessian exceeds 2 (dotted); the norm of the weights decays freely between (dotted: "
            "e^(−ηλt)); the outputs of batch norm show nothing of it.",
            _cycle(arrays),
        ),
        Plot(
            "periods",
            "Left: jumps per run. Right: steps from jump to jump against those that free decay "
            "takes from the norm after one to the norm before the next; the line is equality.",
            _periods(arrays),
        ),
    )


def _cycle(arrays: Arrays) -> Figure:
    figure, axes = panels(4, 1, width=9, height=1.7, sharex="col")
    shown = (chosen(arrays, "small")[0], chosen(arrays, "raised")[0])
    names = ("loss", "sharpness", "norm", "normalised")
    labels = ("largest loss\nof 50 steps", "η λ_max", "‖w‖", "largest |x̂|")
    for run, colour in zip(shown, ("C3", "C0"), strict=True):
        for ax, name, label in zip(axes, names, labels, strict=True):
            style = {"color": colour, "lw": 1, "label": f"ε = {arrays['first'][run]:g}"}
            ax.plot(arrays["step"] / 1e3, detail(arrays, name, run), **style)
            ax.set(ylabel=label, yscale="linear" if name == "normalised" else "log")
    axes[1].axhline(UNSTABLE, **GUIDE)
    _free_decay(arrays, shown[0], axes[2])
    axes[3].set_ylim(bottom=0)
    legend_above(axes[0], 2)
    axes[3].set_xlabel("step, thousands")
    return figure


def _free_decay(arrays: Arrays, run: int, ax) -> None:
    rate = float(arrays["learning_rate"]) * float(arrays["weight_decay"])
    found = jumps(arrays, run)
    ends = [*found[1:], arrays["step"].size - 1][: len(found)]
    for start, end in zip(found, ends, strict=True):
        steps = arrays["step"][start + 1 : end + 1]
        top = detail(arrays, "norm", run)[min(start + 1, end)]
        since = steps - arrays["step"][start] - descent.CHUNK
        ax.plot(steps / 1e3, top * np.exp(-rate * since), **GUIDE)


def _periods(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, height=3.4)
    pairs = np.stack([arrays["first"], arrays["second"]], axis=1)
    kinds = np.unique(pairs, axis=0)
    for place, kind in enumerate(kinds):
        own = np.flatnonzero(np.all(pairs == kind, axis=1))
        found = [len(jumps(arrays, run)) for run in own]
        left.scatter(found, place + np.linspace(-0.2, 0.2, len(found)), s=22, color="C3")
    left.set_yticks(range(len(kinds)), [f"{a:g}, {b:g}" for a, b in kinds])
    left.set(
        xlabel="jumps of the loss",
        ylabel="ε of the first, the second batch norm",
        xlim=(-0.5, None),
    )
    measured, predicted = gaps(arrays)
    right.scatter(predicted, measured, s=24, color="C3")
    if measured.size:
        ends = np.array([0, 1.05 * max(measured.max(), predicted.max())])
        right.plot(ends, ends, **GUIDE)
    right.set(xlabel="steps of free decay", ylabel="steps from jump to jump")
    return figure
