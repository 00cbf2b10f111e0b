"""The figures of the equilibrium experiment, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax import theory
from wdjax.experiments.equilibrium.claims import Measured, claimed_angle, equilibrium, joint
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, REFERENCE, legend, panels, plain_ticks, ticks_at
from wdjax.training import RunRecord


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays, measured = record.arrays, equilibrium(record.arrays)
    return (
        Plot(
            "equilibrium",
            "Left: ‖w‖² of all 3×3 kernels over training, one line per run. Without decay (dashed) "
            "it only grows; with decay it settles. Right: the angle per step of every kernel in "
            "every run against √(2ηλ/(1+μ)). The line is equality: no constant is fitted.",
            _equilibrium(arrays, measured),
        ),
        Plot(
            "scaling",
            "Left: the ratio ‖w‖²/√(η/λ) over training, as in figure 2 of the article. Middle: "
            "‖w‖² at equilibrium against η/λ. Right: the effective learning rate against ηλ; "
            "crosses are √(2ηλ(1−μ)/G) with the gradient moment G of each run. Dotted lines have "
            "slope 1/2.",
            _scaling(arrays, measured),
        ),
        Plot(
            "angles",
            "The angle per step over its prediction, for each kernel (columns) in each run (dots).",
            _angle_ratios(arrays, measured),
        ),
        Plot(
            "identities",
            "What is left of the identities along the runs: the cosine of gradient and weight "
            "(root mean square, worst kernel), and the relative error of ∇L(2w) = ∇L(w)/2.",
            _identities(arrays),
        ),
    )


def _colours(measured: Measured) -> list:
    """One colour per run, from its ηλ; the scale is logarithmic."""
    product = np.log(np.where(measured.decays, measured.eta * measured.lam, np.nan))
    low, high = np.nanmin(product), np.nanmax(product)
    return [colormaps["viridis"](0.9 * (p - low) / max(high - low, 1e-9)) for p in product]


def _equilibrium(arrays: dict[str, np.ndarray], measured: Measured) -> Figure:
    figure, (left, right) = panels(1, 2)
    steps, squared = arrays["step"], arrays["squared_norm"][:, :, joint(arrays)]
    shown: set[str] = set()
    for run in np.argsort(measured.eta * measured.lam):
        label = f"ηλ = {measured.eta[run] * measured.lam[run]:.2g}"
        style = {"color": _colours(measured)[run]} if measured.decays[run] else REFERENCE
        left.plot(steps, squared[run], label=None if label in shown else label, **style)
        shown.add(label)
    left.set(xlabel="step", ylabel="‖w‖²", yscale="log")
    legend(left, "upper right", ncols=2)
    left.set_ylim(top=4 * squared.max())
    plain_ticks(left.yaxis)
    _angles(right, measured)
    return figure


def _angles(ax: Axes, measured: Measured) -> None:
    runs = np.flatnonzero(measured.decays)
    predicted = claimed_angle(measured.eta[runs], measured.lam[runs], measured.mu[runs])
    for kernel in range(measured.angle_ratio.shape[1]):
        ax.scatter(predicted, predicted * measured.angle_ratio[runs, kernel], s=14, alpha=0.5)
    ends = np.array([predicted.min(), predicted.max()])
    ax.plot(ends, ends, **GUIDE)
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="predicted angle per step, radians", ylabel="measured angle per step, radians")
    plain_ticks(ax.xaxis, ax.yaxis)


def _scaling(arrays: dict[str, np.ndarray], measured: Measured) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2)
    grid = np.flatnonzero(measured.grid)
    colours = [_colours(measured)[run] for run in grid]
    eta, lam, squared = measured.eta[grid], measured.lam[grid], measured.squared_norm[grid]
    ratio = arrays["squared_norm"][grid, :, joint(arrays)] / np.sqrt(eta / lam)[:, None]
    for values, colour in zip(ratio, colours, strict=True):
        left.plot(arrays["step"], values, color=colour, linewidth=1.2)
    left.set(xlabel="step", ylabel="‖w‖² / √(η/λ)", yscale="log")
    plain_ticks(left.yaxis)
    _half_slope(middle, eta / lam, squared, colours)
    middle.set(xlabel="η/λ", ylabel="‖w‖² at equilibrium")
    _half_slope(right, eta * lam, eta / squared, colours)
    settled = theory.sgd(eta, lam, measured.mu[grid])
    known = settled.effective_lr(gradient_moment=measured.moment[grid])
    right.scatter(eta * lam, np.asarray(known), c="0.3", marker="x", s=22, linewidths=1)
    right.set(xlabel="ηλ", ylabel="η/‖w‖² at equilibrium")
    return figure


def _half_slope(ax: Axes, x: np.ndarray, y: np.ndarray, colours: list) -> None:
    """Draws points, and the line of slope 1/2 through their middle, on logarithmic axes."""
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, np.exp(np.mean(np.log(y / np.sqrt(x)))) * np.sqrt(ends), **GUIDE)
    ax.scatter(x, y, c=colours, s=28)
    ax.set(xscale="log", yscale="log")
    ticks_at(ax.xaxis, np.unique(np.round(x, 8)))
    plain_ticks(ax.yaxis)


def _angle_ratios(arrays: dict[str, np.ndarray], measured: Measured) -> Figure:
    figure, (ax,) = panels(1, 1, width=8)
    ratio = measured.angle_ratio[measured.decays]
    colours = [_colours(measured)[run] for run in np.flatnonzero(measured.decays)]
    names = [str(name).removesuffix("/kernel") for name in arrays["group"]]
    for column, values in enumerate(ratio.T):
        ax.scatter(np.full(len(values), column), values, c=colours, s=16, alpha=0.8)
    ax.axhline(1, **GUIDE)
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right")
    ax.set_ylabel("measured / predicted angle")
    return figure


def _identities(arrays: dict[str, np.ndarray]) -> Figure:
    figure, (left, right) = panels(1, 2)
    thin = {"alpha": 0.4, "linewidth": 1}
    left.plot(arrays["step"], arrays["cosine"].max(axis=2).T, color="C0", **thin)
    right.plot(arrays["step"], arrays["inverse_scaling_residual"].T, color="C1", **thin)
    left.set(xlabel="step", ylabel="|cos(w, ∇L)|", yscale="log")
    right.set(xlabel="step", ylabel="‖2∇L(2w) − ∇L(w)‖ / ‖∇L(w)‖", yscale="log")
    return figure
