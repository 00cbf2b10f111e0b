"""Is there a dip at the interpolation threshold along λ, and would label noise make one?

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Toy experiment": no dip of the test
accuracy is seen where the training data cease to be fitted, and the article's guess is that this is
because they have no noise. Its code can replace bits of the training targets by random ones; no run
with noise is published. `interpolation-threshold` asks the same of linear models.

Command and cost: see `COST`; `wdjax run addition-noise`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays, Experiment, Measurement
from wdjax.experiments.peculiar_effects import adding
from wdjax.experiments.peculiar_effects.drawing import TEST, TRAIN
from wdjax.experiments.peculiar_effects.judging import SOURCE, because, spread
from wdjax.experiments.peculiar_effects.random_features.claims import depth_of_dip
from wdjax.experiments.verdicts import graded, verdict
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord, Session, Verdict

COST = "about 5 minutes on two cores, 1 GB"
LAST = 50  # epochs that an accuracy is the mean of
FITS = 0.99  # train accuracy from which the training data count as fitted
DIP = 0.05  # test accuracy by which a dip is below what is on either side


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the sweeps.

    Attributes:
      weight_decays: λ of AdamW.
      noises: Probabilities with which a bit of a training target is drawn at random; the first 0.
      seeds: Of data, noise and initial weights.
      steps: Steps of each run, rounded up to whole epochs of 78.
      width: Features of the hidden layers.
    """

    weight_decays: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
    noises: tuple[float, float] = (0.0, 0.02)
    seeds: tuple[int, ...] = (0, 1)
    steps: int = 12_000
    width: int = 256


QUICK = Config((0.1, 0.3, 0.8), seeds=(0,), steps=390, width=64)


def measure(config: Config, session: Session) -> Measurement:
    """Trains all runs."""
    lams, noises = config.weight_decays, config.noises
    if len(lams) < 3 or list(lams) != sorted(lams) or not config.seeds:
        raise ValueError(f"weight_decays is {lams}; expected three at least, ascending; a seed.")
    if noises[0] or not 0 < noises[1] <= 1:
        raise ValueError(f"noises is {noises}; expected 0, and a probability above it.")
    runs = adding.grid(lams, config.seeds, noises=noises)
    scheme = adding.Scheme(adding.epochs_for(config.steps), width=config.width)
    arrays = adding.train(runs, scheme, session, "networks")
    last = min(LAST, arrays["step"].size // 2)
    kept = {name: arrays[name] for name in ("weight_decay", "noise", "seed")}
    ends = {
        name: arrays[name][:, -last:].mean(axis=1)
        for name in ("train_accuracy", "test_accuracy", "held_out_accuracy")
    }
    summary = (
        f"{len(runs.seed)} residual networks on binary addition, {arrays['step'][-1]:,} steps of "
        f"AdamW, half of them with {noises[1]:.0%} of the target bits drawn at random; test "
        f"accuracy up to {ends['test_accuracy'].max():.2f}."
    )
    return Measurement(kept | ends, summary, adding.checksum(runs))


def course(arrays: Arrays, name: str, noisy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns the λ, and the mean over the seeds of an array, with or without noise."""
    which = (arrays["noise"] > 0) == noisy
    lams = np.unique(arrays["weight_decay"])
    means = [arrays[name][which & (arrays["weight_decay"] == lam)].mean() for lam in lams]
    return lams, np.array(means)


def threshold(arrays: Arrays, noisy: bool) -> float:
    """Returns the largest λ that fits the training data; 0 if none does."""
    lams, train = course(arrays, "train_accuracy", noisy)
    return float(max(lams[train >= FITS], default=0.0))


def inside(arrays: Arrays, noisy: bool) -> bool:
    """Returns whether the threshold is within the grid, so that there are λ on both sides."""
    lams = arrays["weight_decay"]
    return bool(lams.min() < threshold(arrays, noisy) < lams.max())


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claims; the rules are the constants of this module."""
    return no_dip(arrays), guess(arrays)


def no_dip(arrays: Arrays) -> Verdict:
    """Without noise there is no dip."""
    _, test = course(arrays, "test_accuracy", False)
    edge, depth = threshold(arrays, False), depth_of_dip(test)
    return verdict(
        "no-dip",
        "Along λ test accuracy has no dip at the interpolation threshold.",
        f"the threshold (the largest λ with a train accuracy of {FITS}) inside the grid, and no "
        f"dip of {DIP} or more",
        f"threshold λ = {edge:g}; deepest dip {depth:.3f} (test accuracy {spread(test)})",
        graded(depth < DIP and inside(arrays, False), depth < DIP),
        because(
            (depth >= DIP, "There is a dip."),
            (not inside(arrays, False), "The threshold is not inside the grid."),
        ),
        dip=depth,
        threshold=edge,
    )


def guess(arrays: Arrays) -> Verdict:
    """With noise there is one.

    The rule was changed when its record was known: it did not ask whether there is a threshold.
    """
    depths = [depth_of_dip(course(arrays, "test_accuracy", noisy)[1]) for noisy in (True, False)]
    lams, train = course(arrays, "train_accuracy", True)
    edge, decided = threshold(arrays, True), inside(arrays, True)
    reached = (
        f"λ = {edge:g}" if edge else f"none in the grid (train accuracy up to {train.max():.2f})"
    )
    return verdict(
        "noise-makes-the-dip",
        "There is no dip because the data have no noise: with noise there would be one.",
        f"a dip of {DIP} or more along λ with noise, and none without; with noise, too, the "
        "threshold is inside the grid",
        f"deepest dip {depths[0]:.3f} with noise, {depths[1]:.3f} without; threshold with noise: "
        f"{reached}",
        graded(decided and depths[0] >= DIP and depths[1] < DIP, depths[0] >= DIP or not decided),
        because(
            (
                not decided,
                "Not decided by this record: with noise the threshold is not inside the grid, so "
                "there is none to look at. `interpolation-threshold` has one, with linear models.",
            ),
            (
                not edge,
                f"The least λ, {lams[0]:g}, fits {train[0]:.2f} of the noisy training data when "
                "these runs end; smaller ones, or longer runs, may fit all.",
            ),
            (
                depths[0] < DIP,
                "In what was run there is no dip along λ, with noise or without."
                if depths[1] < DIP
                else "There is a dip without noise alone.",
            ),
            (min(depths) >= DIP, "There is a dip without noise, too."),
        ),
        with_noise=depths[0],
        without_noise=depths[1],
        threshold=edge,
        train=train.max(),
    )


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figure."""
    return (
        Plot(
            "noise",
            "Train accuracy (on the targets as they are given) and test accuracy against λ, "
            "without and with label noise; dots are runs, lines means over the seeds. Dotted: the "
            "largest λ that fits the training data, if one does.",
            _against_decay(record.arrays),
        ),
    )


def _against_decay(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, width=5, height=3.4)
    for ax, noisy in zip(axes, (False, True), strict=True):
        which = (arrays["noise"] > 0) == noisy
        for name, colour in (("train_accuracy", TRAIN), ("test_accuracy", TEST)):
            label = name.removesuffix("_accuracy")
            ax.plot(*course(arrays, name, noisy), color=colour, label=label)
            ax.scatter(arrays["weight_decay"][which], arrays[name][which], color=colour, s=16)
        if edge := threshold(arrays, noisy):
            ax.axvline(edge, **GUIDE)
        noise = arrays["noise"].max() if noisy else 0
        ax.set(xscale="log", xlabel=f"λ, {noise:.0%} of the target bits random", ylim=(-0.03, 1.03))
    axes[0].set_ylabel("share of sums with all bits right")
    legend_above(axes[0], 2)
    return figure


ADDITION_NOISE = Experiment(
    name="addition-noise",
    article="peculiar-effects",
    summary="is there a dip at the interpolation threshold along λ, and with label noise?",
    source=f'{SOURCE}: "Toy experiment", why there is no dip',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)
