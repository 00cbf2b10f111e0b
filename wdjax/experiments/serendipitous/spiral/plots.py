"""The figures of the spiral experiment, from its record."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wdjax import theory
from wdjax.experiments.experiment import Arrays
from wdjax.experiments.serendipitous.spiral.claims import quarters
from wdjax.experiments.serendipitous.spiral.config import DECAY, FREE
from wdjax.experiments.serendipitous.spiral.pursuit import FOLLOWERS, LEADERS, SMOOTH
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, REFERENCE, legend, panels, plain_ticks, ticks_at
from wdjax.training import RunRecord

TURNS = 3.0
"""Turns of the run without decay, in the picture."""

NAMES = {
    "article": "η/‖w‖²",
    "constant": "η/⟨‖w‖²⟩",
    "control": "1.1 × exact",
    "exact": "exact η_e",
    "twin": "twin",
    "momentum twin": "momentum twin",
}
"""What the followers are called in the legend."""


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figures in the order of the page."""
    arrays = record.arrays
    return (
        Plot(
            "spiral",
            "Figure 1 of the article, measured (first seed). Left: the distance from the middle is "
            "‖w‖; the angle is the way that w/‖w‖ has gone on the unit sphere, scaled so that the "
            f"run without decay makes {TURNS:g} turns. Without decay it spirals out, ever slower; "
            "with the λ in the middle it comes to a circle, from inside and from outside (dots: "
            "starts). Right: ‖w‖² over the steps, all seeds; dotted, √(ηG/(λ(2−ηλ))) "
            "with the measured G = ‖w‖²‖g‖² of the last quarter.",
            _spiral(arrays),
        ),
        Plot(
            "slowing",
            "Left: gradient norm against ‖w‖, runs without decay, one dot per record, later ones "
            "darker; dotted, 1/‖w‖, met at a quarter of the run. Where dots fall faster than the "
            "line, the gradient at w/‖w‖ itself gets smaller. Right: the angle per step; dotted, "
            "√(2ηλ).",
            _slowing(arrays),
        ),
        Plot(
            "pursuit",
            "Left: relative error of one step −η_e∇L(w/‖w‖) with η_e = η/‖w‖², as it is and put "
            "back on the sphere; dotted, √(ηλ/2) and ηλ. Middle: angle between follower and SGD "
            "with decay (the λ in the middle, all seeds), with ReLU and, dotted, with a smooth "
            "activation. Right: the loss of followers on the batches over that of SGD with decay, "
            "averaged over the pursuit; a dot is a run.",
            _pursuit(arrays),
        ),
    )


def _colours(arrays: Arrays) -> dict[float, tuple]:
    decays = np.unique(arrays["weight_decay"][arrays["role"] == DECAY])
    return {
        decay: colormaps["viridis"](place)
        for decay, place in zip(decays, np.linspace(0.1, 0.85, len(decays)), strict=True)
    }


def _style(arrays: Arrays, run: Any) -> dict[str, Any]:
    if arrays["role"][run] == FREE:
        return REFERENCE
    colour = _colours(arrays)[float(arrays["weight_decay"][run])]
    return {"color": colour, "linewidth": 1.2}


def _label(arrays: Arrays, run: Any) -> str:
    return f"λ = {arrays['weight_decay'][run]:g}"


def _spiral(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.6, height=3.8)
    _rounds(left, arrays)
    shown: set[str] = set()
    for run in np.argsort(arrays["weight_decay"], kind="stable"):
        label = _label(arrays, run)
        right.plot(
            arrays["step"],
            arrays["squared_norm"][run],
            label=None if label in shown else label,
            **_style(arrays, run),
        )
        shown.add(label)
    for settled in _settled(arrays).values():
        right.axhline(settled, **GUIDE)
    right.set(xlabel="step", ylabel="‖w‖²", yscale="log")
    right.set_ylim(top=2.2 * arrays["squared_norm"].max())
    plain_ticks(right.yaxis)
    legend(right, "upper right", ncols=2)
    return figure


def _settled(arrays: Arrays) -> dict[float, float]:
    """‖w‖² at equilibrium that theory foretells from the measured gradient moment, per λ."""
    moment = quarters(arrays["gradient_moment"]).last
    found = {}
    for decay in _colours(arrays):
        runs = (arrays["role"] == DECAY) & (arrays["weight_decay"] == decay)
        settled = theory.sgd(float(arrays["learning_rate"]), decay)
        found[decay] = float(settled.squared_norm(gradient_moment=float(moment[runs].mean())))
    return found


def _rounds(ax: Axes, arrays: Arrays) -> None:
    """The weight as a point in a plane, for the first seed."""
    chunk = arrays["step"][1] - arrays["step"][0]
    first = arrays["seed"] == arrays["seed"][0]
    free = np.flatnonzero(first & (arrays["role"] == FREE))[0]
    scale = 2 * np.pi * TURNS / (arrays["angle"][free].sum() * chunk)
    decays = arrays["weight_decay"][first]
    middle = _middle(decays[decays > 0])
    for run in np.flatnonzero(first & np.isin(arrays["weight_decay"], (0, middle))):
        way = scale * np.cumsum(arrays["angle"][run]) * chunk
        fine = np.linspace(0, len(way) - 1, 40 * len(way))
        angle = np.interp(fine, np.arange(len(way)), way)
        radius = np.sqrt(np.interp(fine, np.arange(len(way)), arrays["squared_norm"][run]))
        style: dict[str, Any] = _style(arrays, run) | {"linewidth": 0.8}
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        ax.plot(x, y, **style)
        ax.plot(x[0], y[0], "o", color=style["color"], markersize=5)
    ax.plot(0, 0, "+", color="0.2")
    ax.set_aspect("equal")
    ax.set(xlabel="‖w‖ cos(way)", ylabel="‖w‖ sin(way)")


def _middle(decays: np.ndarray) -> float:
    different = np.unique(decays)
    return different[len(different) // 2]


def _slowing(arrays: Arrays) -> Figure:
    figure, (left, right) = panels(1, 2, width=4.6, height=3.8)
    free = arrays["role"] == FREE
    norm = np.sqrt(arrays["squared_norm"][free])
    gradient = np.sqrt(arrays["squared_gradient"][free])
    shades = np.broadcast_to(np.linspace(0.2, 1, norm.shape[1]), norm.shape)
    left.scatter(norm, gradient, c=shades, cmap="Greys", vmin=0, vmax=1, s=12)
    ends = np.array([norm.min(), norm.max()])
    quarter = norm.shape[1] // 4
    left.plot(ends, np.mean((norm * gradient)[:, quarter]) / ends, **GUIDE)
    left.set(xlabel="‖w‖", ylabel="‖∇L(w)‖ on a batch (rms)", xscale="log", yscale="log")
    plain_ticks(left.xaxis, left.yaxis)
    first = arrays["seed"] == arrays["seed"][0]
    for run in np.flatnonzero(first & np.isin(arrays["role"], (FREE, DECAY))):
        angle = np.sqrt(arrays["squared_angle"][run])
        right.plot(arrays["step"], angle, label=_label(arrays, run), **_style(arrays, run))
    for decay in _colours(arrays):
        right.axhline(np.sqrt(2 * float(arrays["learning_rate"]) * decay), **GUIDE)
    right.set(xlabel="step", ylabel="angle per step (rms), radians", yscale="log")
    right.set_ylim(top=2 * np.sqrt(arrays["squared_angle"][first].max()))
    plain_ticks(right.yaxis)
    legend(right, "upper right", ncols=2)
    return figure


def _pursuit(arrays: Arrays) -> Figure:
    figure, (left, middle, right) = panels(1, 3, width=4.2, height=3.8)
    product = float(arrays["learning_rate"]) * arrays["weight_decay"][arrays["chased"]]
    ends = np.array([product.min() / 1.5, product.max() * 1.5])
    for name, law, label in (
        ("bare", np.sqrt(ends / 2), "as it is"),
        ("landed", ends, "put back on the sphere"),
    ):
        error = np.sqrt(np.mean(arrays[f"pursuit_{name}"] ** 2, axis=1))
        left.scatter(product, error, s=24, label=label, zorder=3)
        left.plot(ends, law, **GUIDE)
    left.set(xlabel="ηλ", ylabel="relative error of one step", xscale="log", yscale="log")
    left.set_ylim(top=0.5)
    ticks_at(left.xaxis, np.unique(product))
    legend(left, "upper left")
    _paths(middle, arrays)
    mean = arrays["pursuit_loss"].mean(axis=1)
    ratios = mean[:, len(LEADERS) :] / mean[:, :1]
    # The twin of the run with momentum follows another leader.
    ratios[:, -1] = mean[:, -1] / mean[:, LEADERS.index("momentum")]
    for column, values in enumerate(ratios.T):
        right.scatter(np.full(len(values), column), values, s=18, color=f"C{column}", alpha=0.8)
    right.axhline(1, **GUIDE)
    right.set_xticks(range(len(FOLLOWERS)), list(NAMES.values()), rotation=35, ha="right")
    right.set_ylabel("mean loss / that of its leader")
    return figure


def _paths(ax: Axes, arrays: Arrays) -> None:
    decays = arrays["weight_decay"][arrays["chased"]]
    middle = np.flatnonzero(decays == _middle(decays))
    steps = arrays["pursuit_step"]
    for run in middle:
        alone = run == middle[0]
        way, label = arrays["pursuit_turned"][run, :, 0], "way of SGD" if alone else None
        ax.plot(steps, way, label=label, **REFERENCE)
        off = arrays["smooth_off"][run, :, SMOOTH.index("article")]
        label = "η/‖w‖², no kinks" if alone else None
        ax.plot(steps, off, ":", color="C0", label=label, linewidth=1.4)
        for column, name in enumerate(FOLLOWERS):
            off = arrays["pursuit_off"][run, :, column]
            ax.plot(
                steps, off, color=f"C{column}", label=NAMES[name] if alone else None, linewidth=1.1
            )
    ax.set(xlabel="step of the pursuit", ylabel="angle, radians", yscale="log")
    ax.set_ylim(top=1e7)
    legend(ax, "upper left", ncols=2)
