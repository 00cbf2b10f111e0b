"""The figures of the identities, from their record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.l2_batch_norm.grading import Arrays
from wdjax.experiments.l2_batch_norm.identities.claims import EXPECTED_SUM
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_of_all, panels, ticks_at
from wdjax.training import RunRecord

SHOWN = {
    "network logits": "logits",
    "network gradient": "c ∇L(cw) = ∇L(w)",
    "network direction": "direction of ∇L",
    "network step": "relative step · c²",
}


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "scaling",
            "How far a network is from invariance when its kernels are scaled by c and 1/c in turn "
            "(the worst kernel, seed and batch size). Left: against c. Right: against the batch "
            "size, at the largest c. With the usual ε of the batch norms (solid) there is a small "
            "error; with one that is as good as zero (dashed), rounding.",
            _scaling(arrays),
        ),
        Plot(
            "sums",
            "Left: the sum of squares of the convolutions of fresh ResNet-20s, and 800, the number "
            "in the article's code. Right: Σw² of the hidden matrices of small networks trained "
            "without L2, with batch norm and without, over its initial value; a line per seed.",
            _sums(arrays),
        ),
    )


def _scaling(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=5)
    largest = int(np.argmax(arrays["scales"]))
    for number, (name, label) in enumerate(SHOWN.items()):
        for epsilon, style in enumerate(("o-", "o--")):
            values, drawn = arrays[name][:, epsilon], {"color": f"C{number}", "ms": 3.5}
            shown = None if epsilon else label
            left.plot(arrays["scales"], values.max(axis=0), style, label=shown, **drawn)
            right.plot(arrays["batch_sizes"], values[:, largest], style, **drawn)
    left.set(xlabel="factor c", ylabel="relative error (angle in radians)")
    right.set(xlabel="images in the batch", ylabel=f"the same at c = {arrays['scales'][largest]:g}")
    for ax, name in ((left, "scales"), (right, "batch_sizes")):
        ax.set(xscale="log", yscale="log")
        ticks_at(ax.xaxis, arrays[name])
    legend_of_all(left, len(SHOWN))
    return figure


def _sums(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=5)
    left.hist(arrays["initial sum"], bins=12, color="C0", alpha=0.7)
    left.axvline(EXPECTED_SUM, **GUIDE)
    left.set(xlabel="Σw² of the convolutions at init", ylabel="networks")
    for kind, label in enumerate(("without batch norm", "with batch norm")):
        squares = arrays["plain_squares"][kind]
        parts = np.arange(squares.shape[1]) / (squares.shape[1] - 1)
        right.plot(parts, squares.T, color=f"C{kind}", label=[label, *[None] * (len(squares) - 1)])
    right.set(xlabel="share of the run", ylabel="Σw² / Σw_0²")
    right.axhline(1, **GUIDE)
    right.legend(frameon=False)
    return figure
