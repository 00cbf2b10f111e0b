"""The figures of `adam-l2`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.decay_techniques.adam_l2.claims import COUPLED, DECOUPLED, decay_rates
from wdjax.experiments.decay_techniques.adam_l2.quadratics import OPTIMISERS
from wdjax.experiments.experiment import Arrays
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, panels
from wdjax.training import RunRecord

COLOURS = ("C3", "C0")


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "quadratics",
            "One weight under Adam+L2 (red) and AdamW (blue); lines are theory. Left: the rate of "
            "decay against the size s of the weight's gradients. Middle and right: where it rests, "
            "if the noise alone is scaled, or loss and noise together. Adam+L2 decays at ηλ/s, but "
            "rests at the ridge optimum h w*/(h+λ) whatever the noise. AdamW decays at ηλ, and "
            "rests at h w*/(h+λs).",
            _quadratics(arrays),
        ),
        Plot(
            "network",
            "Left: the fraction that decay removes from each weight of a network in one step, "
            "against √v. Lines are ηλ/√v and ηλ. Right: weights at pixels that are always black. "
            "Under Adam+L2 they fall by η per step whatever λ is; under AdamW by ηλ of themselves.",
            _network(arrays),
        ),
        Plot(
            "groups",
            "Left: norms at which scale-invariant groups settle on pure noise; lines are theory, "
            "with slopes −1/3 and −1/2. Right: how far SGD with L2 and SGD with decay come apart. "
            "Without momentum they are one algorithm, to rounding.",
            _groups(arrays),
        ),
    )


def _quadratics(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.4, height=3.7)
    rates = decay_rates(arrays)
    scales = arrays["scales"]
    unscaled = arrays["rate_learning_rate"] * arrays["weight_decay"]
    for number, name in enumerate(OPTIMISERS):
        size = arrays["left_size"][number]
        left.plot(size, rates[number], "o", color=COLOURS[number], label=name)
        theory = unscaled / size if number == COUPLED else np.full(len(size), unscaled)
        left.plot(size, theory, color=COLOURS[number], linewidth=1)
    left.set(xscale="log", yscale="log", xlabel="size s of the gradients", ylabel="decay per step")
    left.legend(frameon=False)
    for family, (ax, label) in enumerate(
        ((middle, "noise c (h = 1)"), (right, "loss and noise c (h = c)"))
    ):
        _places(ax, arrays, family, scales)
        ax.set(xscale="log", xlabel=label, ylabel="where w rests, in units of w*", ylim=(0, 1.1))
    return figure


def _places(ax: Axes, arrays: Arrays, family: int, scales: np.ndarray) -> None:
    curvature = scales if family else np.ones_like(scales)
    lam = arrays["weight_decay"]
    for number in range(len(OPTIMISERS)):
        place, error = (arrays[n][number, family] for n in ("place", "place_error"))
        ax.errorbar(scales, place, 2 * error, fmt="o", color=COLOURS[number], markersize=5)
        penalty = lam * (1.0 if number == COUPLED else arrays["gradient_size"][number, family])
        ax.plot(scales, curvature / (curvature + penalty), color=COLOURS[number], linewidth=1)


def _network(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.4, height=3.7)
    eta = arrays["network_learning_rate"]
    for number, name in enumerate(OPTIMISERS):
        root, fraction = arrays["root"][number], arrays["fraction"][number]
        decays = arrays["network_coupled" if number == COUPLED else "network_decoupled"]
        middle = decays[len(decays) // 2]
        left.scatter(
            root,
            np.where(fraction > 0, fraction, np.nan),
            s=4,
            alpha=0.35,
            color=COLOURS[number],
            linewidths=0,
            label=f"{name}, λ = {middle:g}",
        )
        ends = np.array([root[root > 0].min(), root.max()])
        line = eta * middle / (ends if number == COUPLED else 1 + 0 * ends)
        left.plot(ends, line, color="0.1", linewidth=1)
    left.set(xscale="log", yscale="log", xlabel="√v", ylabel="fraction removed per step")
    left.set_ylim(*np.nanquantile(arrays["fraction"][arrays["fraction"] > 0], [0.002, 0.998]))
    left.legend(frameon=False, markerscale=3, loc="upper right")
    for number, name in enumerate(OPTIMISERS):
        decays = arrays["network_coupled" if number == COUPLED else "network_decoupled"]
        for place, (lam, curve) in enumerate(zip(decays, arrays["unused"][number], strict=True)):
            right.plot(
                arrays["unused_step"],
                curve.mean(axis=0),
                color=COLOURS[number],
                linestyle=("-", "--", ":")[place % 3],
                label=f"{name}, λ = {lam:g}",
            )
    right.set(xlabel="step", ylabel="norm of unused weights / at first", ylim=(0, 1.02))
    legend(right)
    return figure


def _groups(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.4, height=3.7)
    for number, key in ((COUPLED, "coupled"), (DECOUPLED, "decoupled")):
        decays = arrays[f"{key}_decay"]
        left.plot(decays, arrays[f"{key}_norm"], "o", color=COLOURS[number],
                  label=OPTIMISERS[number])  # fmt: skip
        left.plot(decays, arrays[f"{key}_predicted"], color=COLOURS[number], linewidth=1)
    left.set(xscale="log", yscale="log", xlabel="λ", ylabel="‖w‖ at equilibrium")
    left.legend(frameon=False)
    steps = arrays["sgd_step"]
    for name, label, colour in (
        ("sgd_without", "no decay", "0.5"),
        ("sgd_momentum", "momentum, same λ", "C1"),
        ("sgd_matched", "momentum, λ/(1−μ)", "C2"),
        ("sgd_plain", "plain SGD", "C4"),
    ):
        right.plot(steps, np.maximum(arrays[name], 1e-18), label=label, color=colour)
    right.axhline(2.2e-16, **GUIDE)
    right.set(yscale="log", xlabel="step", ylabel="distance of the weights / their norm")
    legend(right, "center right")
    return figure
