"""How much faster does a network learn to add with batch norms than without?

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Problems with batch normalization",
which says of batch norm that "it speeds to the training by a lot". The networks are those of
`addition-curve`, with their batch norms and without, at the same learning rate.

Command and cost: see `COST`; `wdjax run addition-speed`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from wdjax.experiments.experiment import Arrays, Experiment, Measurement
from wdjax.experiments.peculiar_effects import adding
from wdjax.experiments.peculiar_effects.judging import SOURCE, spread
from wdjax.experiments.verdicts import graded, verdict
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord, Session, Verdict

COST = "about 50 seconds on two cores, 1 GB"
LOSS = 0.01  # mean squared error that has to be reached; chance has 0.125
FASTER, SOME = 2.0, 1.2  # how many times fewer steps count as "by a lot", and as faster


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the comparison.

    Attributes:
      weight_decay: λ of AdamW.
      seeds: Of data and initial weights.
      steps: Steps of each run, rounded up to whole epochs of 78.
      width: Features of the hidden layers.
    """

    weight_decay: float = 0.1
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    steps: int = 8_000
    width: int = 256


QUICK = Config(seeds=(0,), steps=780, width=64)


def measure(config: Config, session: Session) -> Measurement:
    """Trains with batch norms, and without."""
    if not config.seeds or config.steps < 1:
        raise ValueError(
            f"seeds is {config.seeds} and steps {config.steps}; expected a seed, and a positive "
            "number of steps."
        )
    runs = adding.grid((config.weight_decay,), config.seeds)
    epochs = adding.epochs_for(config.steps)
    found = [
        adding.train(runs, adding.Scheme(epochs, config.width, normalise=normalise), session, name)
        for normalise, name in ((True, "with-norm"), (False, "without-norm"))
    ]
    arrays = {
        "step": found[0]["step"],
        "seed": runs.seed,
        "loss": np.stack([arrays["loss"] for arrays in found]),
        "train_accuracy": np.stack([arrays["train_accuracy"] for arrays in found]),
    }
    summary = (
        f"{2 * len(runs.seed)} residual networks on binary addition, {arrays['step'][-1]:,} steps "
        f"of AdamW; loss at the end {spread(arrays['loss'][0, :, -1], '.1g')} with batch norm, "
        f"{spread(arrays['loss'][1, :, -1], '.1g')} without."
    )
    return Measurement(arrays, summary, adding.checksum(runs))


def reached(arrays: Arrays) -> np.ndarray:
    """Returns the steps to the loss, (2, seeds): with and without; infinite for never."""
    below = arrays["loss"] <= LOSS
    return np.where(below.any(axis=-1), arrays["step"][below.argmax(axis=-1)], np.inf)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claim; the rules are the constants of this module."""
    with_norm, without = reached(arrays)
    known, last = np.isfinite(with_norm).all(), arrays["step"][-1]
    # A network that never gets there takes longer than all steps: a lower bound of the factor.
    lower = np.minimum(without, last) / np.minimum(with_norm, last)
    bound = "at least " if np.isinf(without).any() else ""
    accuracy = arrays["train_accuracy"][:, :, -1]
    return (
        verdict(
            "speed",
            "Batch norm speeds training up by a lot.",
            f"a loss of {LOSS:g} in {FASTER:g} times fewer steps with batch norm, for every seed",
            f"after {_steps(with_norm, last)} with, after {_steps(without, last)} without: "
            f"{bound}{spread(lower)} times fewer. At one learning rate, {adding.LEARNING_RATE:g}, "
            "that of the article, which was not tuned for networks without; their train accuracy "
            f"is {spread(accuracy[1], '.3f')} at the end, with batch norm {spread(accuracy[0])}",
            graded(known and lower.min() >= FASTER, known and lower.min() >= SOME),
            "Networks with batch norm are not that much faster here, or do not get there.",
            least=lower.min(),
            largest=lower.max(),
        ),
    )


def _steps(reached: np.ndarray, last: int) -> str:
    """The steps of some runs, and how many of them never get there."""
    known = reached[np.isfinite(reached)]
    never = f"more than {last:,} steps ({reached.size - known.size} of {reached.size} runs)"
    if not known.size:
        return never
    text = f"{spread(known, ',.0f')} steps"
    return text if known.size == reached.size else f"{text} or {never}"


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figure."""
    return (
        Plot(
            "speed",
            "Loss and train accuracy over training with batch norms (red) and without (grey), one "
            "line per seed. Dotted: the loss that has to be reached.",
            _courses(record.arrays),
        ),
    )


def _courses(arrays: Arrays) -> Figure:
    figure, axes = panels(1, 2, height=3.4)
    styles = (("C3", "with batch norm"), ("0.5", "without"))
    for kind, (colour, label) in enumerate(styles):
        for ax, name in zip(axes, ("loss", "train_accuracy"), strict=True):
            ax.plot(arrays["step"] / 1e3, arrays[name][kind].T, color=colour, lw=1)
            ax.plot([], [], color=colour, label=label)
            ax.set_xlabel("step, thousands")
    axes[0].axhline(LOSS, **GUIDE)
    axes[0].set(yscale="log", ylabel="mean squared error")
    axes[1].set_ylabel("train accuracy")
    legend_above(axes[0], 2)
    return figure


ADDITION_SPEED = Experiment(
    name="addition-speed",
    article="peculiar-effects",
    summary="how much faster a network learns to add with batch norms",
    source=f'{SOURCE}: "Problems with batch normalization"',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)
