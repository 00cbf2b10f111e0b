"""The figures of rescaled inputs, from the record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.adaptive_scaling.claims import MODE, judged, signal
from wdjax.experiments.input_normalization.adaptive_scaling.config import MODES, PLAIN
from wdjax.experiments.input_normalization.drawing import decay_axis
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, ordered_colours, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "accuracy",
            "Test accuracy over λ with fixed inputs, with weight normalisation (rescaling inside "
            "the loss) and with inputs rescaled before the step; one panel for each gain and "
            "learning rate. Means over the judging seeds.",
            _panels(arrays, judged(arrays), "test accuracy"),
        ),
        Plot(
            "signal",
            "The hidden signal (deviation over the images) at the end, over that without decay.",
            _panels(arrays, np.stack([signal(arrays, mode) for mode in MODES]), "hidden signal"),
        ),
        Plot(
            "effective-rate",
            "Left: the effective learning rate ηs² of the first layer over training for each λ "
            "(dark: none, bright: the largest), at the last gain and rate, cut off where it "
            "runs away; solid: rescaled outside, dashed: weight normalisation. Right: |cos(W, g)|, "
            "root mean square over the run, of all settings; rounding of float32 is below 1e-6.",
            _effective(arrays),
        ),
    )


def _panels(arrays: Arrays, values: np.ndarray, label: str) -> Figure:
    gains, rates = len(arrays["gain"]), len(arrays["rate"])
    width = max(3.2, 4.6 / (gains * rates))
    figure, axes = panels(1, gains * rates, width=width, height=3.4)
    for n, ax in enumerate(axes):
        gain, rate = divmod(n, rates)
        for mode in MODES:
            shown = values[MODE[mode], gain, rate]
            ax.plot(arrays["decay"], shown, "o-", markersize=4, color=f"C{MODE[mode]}", label=mode)
        decay_axis(ax, arrays["decay"])
        ax.set(title=f"γ = {arrays['gain'][gain]:g}, η = {arrays['rate'][rate]:g}", ylim=(0, None))
    axes[0].set_ylabel(label)
    legend(axes[0], "lower left")
    return figure


def _effective(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.6, height=3.8)
    for mode, style in ((MODES[2], "-"), (MODES[1], "--")):
        courses = arrays["effective_rate"][MODE[mode], -1, -1]
        for values, colour in zip(courses, ordered_colours(len(courses)), strict=True):
            left.plot(arrays["step"], values, style, color=colour, linewidth=1.2)
    rates = arrays["effective_rate"][:, -1, -1]
    left.set(xlabel="step", ylabel="effective rate ηs²", yscale="log")
    # Where the weights have died out, it is infinite.
    seen = rates[np.isfinite(rates)]
    left.set_ylim(0.5 * seen.min(), min(2 * seen.max(), 1e3 * rates[0, 0, 0]))
    for mode in MODES:
        cosines = arrays["cosine"][MODE[mode]].reshape(-1, len(arrays["decay"]))
        label = None if mode == PLAIN else mode
        if label:
            right.plot(arrays["decay"], cosines.T, "o", color=f"C{MODE[mode]}", markersize=4)
            right.plot([], [], "o", color=f"C{MODE[mode]}", label=label)
    right.axhline(1e-6, **GUIDE)
    decay_axis(right, arrays["decay"])
    right.set(ylabel="|cos(W, g)|", yscale="log", ylim=(1e-9, 3))
    right.legend(frameon=False, loc="center left")
    return figure
