"""The figures of `bias-variance`, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax.experiments.decay_techniques.bias_variance.claims import best
from wdjax.experiments.decay_techniques.bias_variance.run import MODELS
from wdjax.experiments.experiment import Arrays
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend, legend_of_all, panels
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "parts",
            "The risk (mean squared distance from the truth, whose variance is 1) and its two "
            "parts over λ, with two standard errors; the leftmost points are λ = 0. Upper row: "
            "little noise; lower row: much. Dashed: the training error, noise included. Dotted: "
            "the best λ.",
            _parts(arrays),
        ),
        Plot(
            "weights",
            "What decay does to the weights and to the output. Left: how many of the informative "
            "inputs share the weight. Middle: weights of irrelevant over those of informative "
            "inputs. Right: how much small fluctuations of the input change the output. All with "
            "much noise; triangles are at the best λ.",
            _weights(arrays),
        ),
    )


def positions(decays: np.ndarray) -> np.ndarray:
    """Returns λ, with 0 moved to a step below the smallest, for a logarithmic axis."""
    step = decays[2] / decays[1]
    return np.append(decays[1] / step**1.5, decays[1:])


def _parts(arrays: Arrays) -> Figure:
    rows = len(arrays["noise"])
    columns = len(MODELS)
    figure, axes = panels(rows, columns, width=9.6 / columns, height=2.6, sharey="row")
    for (q, m), ax in zip(np.ndindex(rows, columns), axes, strict=True):
        _part(ax, arrays, m, q)
        ax.set_title(f"{MODELS[m]}, noise {arrays['noise'][q]:g}", fontsize="medium")
        ax.set(xscale="log", yscale="log", xlabel="λ (leftmost: 0)")
    for ax in axes[::columns]:
        ax.set_ylabel("mean squared error")
        ax.set_ylim(bottom=1e-2)
    legend_of_all(axes[0], 4)
    return figure


def _part(ax: Axes, arrays: Arrays, m: int, q: int) -> None:
    x, risk = positions(arrays["decay"][m]), arrays["risk"][m, q]
    error = 2 * risk.std(axis=0, ddof=1) / np.sqrt(len(risk))
    ax.errorbar(x, risk.mean(axis=0), error, fmt="o-", color="k", markersize=3.5, label="risk")
    for name, label, colour in (("variance", "variance", "C0"), ("bias", "bias²", "C3")):
        left = arrays[f"{name}_left_out"][m][:, q]
        spread = 2 * np.sqrt((len(left) - 1) * left.var(axis=0))
        values = np.maximum(arrays[name][m, q], 1e-6)
        ax.errorbar(x, values, spread, fmt=".-", color=colour, label=label)
    training = arrays["error"][m, q].mean(axis=0)
    ax.plot(x, np.maximum(training, 1e-6), "--", color="0.5", label="training error")
    ax.axvline(x[best(arrays, m, q)], **GUIDE)


def _weights(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 3, width=11.5 / 3, height=3.4)
    labels = {
        "spread": "effective number of informative inputs",
        "irrelevant": "irrelevant / informative weights",
        "shaken": "change of the output / at λ = 0",
    }
    for ax, (name, label) in zip(axes, labels.items(), strict=True):
        for m, model in enumerate(MODELS):
            x, values = positions(arrays["decay"][m]), arrays[name][m, -1].mean(axis=0)
            values = values / values[0] if name == "shaken" else values
            place = best(arrays, m, -1)
            (line,) = ax.plot(x, values, ".-", label=model)
            ax.plot(x[place], values[place], "^", color=line.get_color(), markersize=9)
        ax.set(xscale="log", xlabel="λ (leftmost: 0)", ylabel=label)
    axes[2].set(yscale="log", ylim=(1e-4, 3))
    legend(axes[1])
    return figure
