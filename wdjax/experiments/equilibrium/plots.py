"""The figures of the equilibrium experiment, from its record."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax import theory
from wdjax.experiments.equilibrium.claims import Measured, equilibrium, joint
from wdjax.report import Plot
from wdjax.training import RunRecord

FREE = {"color": "0.45", "linestyle": "--", "linewidth": 1.5}
GUIDE = {"color": "0.2", "linewidth": 1.0, "linestyle": ":"}


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays, measured = record.arrays, equilibrium(record.arrays)
    return (
        Plot(
            "norms",
            "Left: ‖w‖² of all 3×3 kernels over training, one line per run, coloured by ηλ; "
            "dashed: without decay it only grows. Right: the ratio ‖w‖²/√(η/λ), as in figure 2 of "
            "the article.",
            _norms(arrays, measured),
        ),
        Plot(
            "scaling",
            "Left: ‖w‖² at equilibrium against η/λ, with slope 1/2 dotted. Right: the effective "
            "learning rate against ηλ, with slope 1/2 dotted; crosses are √(2ηλ(1−μ)/G) with the "
            "gradient moment G of each run.",
            _scaling(measured),
        ),
        Plot(
            "angles",
            "The angle per step of every kernel in every run against √(2ηλ/(1+μ)); the line is "
            "equality, no constant is fitted.",
            _angles(measured),
        ),
        Plot(
            "identities",
            "What is left of the identities along the runs: the cosine of gradient and weight "
            "(root mean square, worst kernel), and the relative error of ∇L(2w) = ∇L(w)/2.",
            _identities(arrays),
        ),
    )


def _axes(count: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(5.2 * count, 3.9), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _colours(measured: Measured) -> list:
    """One colour per run, from its ηλ; the scale is logarithmic."""
    product = np.log(np.where(measured.decays, measured.eta * measured.lam, np.nan))
    low, high = np.nanmin(product), np.nanmax(product)
    return [colormaps["viridis"](0.9 * (p - low) / max(high - low, 1e-9)) for p in product]


def _norms(arrays: dict[str, np.ndarray], measured: Measured) -> Figure:
    figure, (left, right) = _axes(2)
    steps, squared = arrays["step"], arrays["squared_norm"][:, :, joint(arrays)]
    for run, colour in enumerate(_colours(measured)):
        if not measured.decays[run]:
            left.plot(steps, squared[run], **FREE)
            continue
        left.plot(steps, squared[run], color=colour, linewidth=1.2)
        if measured.in_grid[run]:
            ratio = squared[run] / np.sqrt(measured.eta[run] / measured.lam[run])
            right.plot(steps, ratio, color=colour, linewidth=1.2)
    left.set(xlabel="step", ylabel="‖w‖²", yscale="log")
    right.set(xlabel="step", ylabel="‖w‖² / √(η/λ)", yscale="log")
    return figure


def _scaling(measured: Measured) -> Figure:
    figure, (left, right) = _axes(2)
    grid = measured.in_grid
    colours = [colour for colour, inside in zip(_colours(measured), grid, strict=True) if inside]
    eta, lam, squared = measured.eta[grid], measured.lam[grid], measured.squared_norm[grid]
    known = theory.effective_learning_rate(
        eta, lam, measured.mu[grid], gradient_moment=measured.moment[grid]
    )
    left.scatter(eta / lam, squared, c=colours, s=28)
    _half_slope(left, eta / lam, squared)
    right.scatter(eta * lam, eta / squared, c=colours, s=28)
    right.scatter(eta * lam, np.asarray(known), c="0.3", marker="x", s=22, linewidths=1)
    _half_slope(right, eta * lam, eta / squared)
    left.set(xlabel="η/λ", ylabel="‖w‖² at equilibrium", xscale="log", yscale="log")
    right.set(xlabel="ηλ", ylabel="η/‖w‖² at equilibrium", xscale="log", yscale="log")
    return figure


def _half_slope(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draws the line of slope 1/2 through the middle of the points."""
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, np.exp(np.mean(np.log(y / np.sqrt(x)))) * np.sqrt(ends), **GUIDE)


def _angles(measured: Measured) -> Figure:
    figure, (ax,) = _axes(1)
    runs = np.flatnonzero(measured.decays)
    predicted = np.asarray(
        theory.angle_per_step(measured.eta[runs], measured.lam[runs], measured.mu[runs])
    )
    for kernel in range(measured.angle_ratio.shape[1]):
        ax.scatter(predicted, predicted * measured.angle_ratio[runs, kernel], s=14, alpha=0.5)
    ends = np.array([predicted.min(), predicted.max()])
    ax.plot(ends, ends, **GUIDE)
    ax.set(
        xlabel="predicted √(2ηλ/(1+μ)), radians", ylabel="measured angle per step, radians",
        xscale="log", yscale="log",
    )  # fmt: skip
    return figure


def _identities(arrays: dict[str, np.ndarray]) -> Figure:
    figure, (left, right) = _axes(2)
    left.plot(arrays["step"], arrays["cosine"].max(axis=2).T, color="C0", alpha=0.4, linewidth=1)
    right.plot(
        arrays["step"], arrays["inverse_scaling_residual"].T, color="C1", alpha=0.4, linewidth=1
    )
    left.set(xlabel="step", ylabel="|cos(w, ∇L)|, worst kernel", yscale="log")
    right.set(xlabel="step", ylabel="‖2∇L(2w) − ∇L(w)‖ / ‖∇L(w)‖", yscale="log")
    return figure
