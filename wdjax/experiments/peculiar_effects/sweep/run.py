"""What `addition-sweep` measures: networks of all λ."""

import dataclasses

from wdjax.experiments.experiment import Arrays, Measurement
from wdjax.experiments.peculiar_effects import adding
from wdjax.training import Session

AS_PUBLISHED = {
    1e-3: 0.01,
    3e-3: 0.15,
    0.01: 0.84,
    0.03: 0.97,
    0.1: 0.98,
    0.3: 0.99,
    0.6: 0.89,
    1.0: 0.0,
}
"""Test accuracy by λ, read off the published plot."""
THRESHOLD = 0.3
"""λ up to which the training data are interpolated, as the article's code marks it."""
LAST = 50  # epochs that an accuracy is the mean of
LOW, HIGH = 3e-3, 1.0  # λ that count as too low (up to) and as too high (from)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the sweep.

    Attributes:
      weight_decays: λ of AdamW.
      repeated: Those of them that are run with every seed; the others with the first alone.
      seeds: Of data and initial weights.
      steps: Steps of each run, rounded up to whole epochs of 78.
      shuffle: Whether each epoch has other batches; the article's are always the same.
      width: Features of the hidden layers.
    """

    weight_decays: tuple[float, ...] = tuple(AS_PUBLISHED)
    repeated: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0,)
    steps: int = 39_000
    shuffle: bool = False
    width: int = 256


QUICK = Config((1e-3, 0.1, 1.0), steps=390, width=64)


def validate(config: Config) -> None:
    """Raises ValueError, before anything is trained, if the claims could not be judged."""
    lams = config.weight_decays
    if not config.seeds or len(set(lams)) != len(lams) or 0.1 not in lams:
        raise ValueError(
            f"weight_decays is {lams} and seeds {config.seeds}; expected different λ, 0.1 among "
            "them, and a seed at least."
        )
    if not min(lams) <= LOW or not max(lams) >= HIGH:
        raise ValueError(f"weight_decays is {lams}; expected some up to {LOW}, and from {HIGH} on.")
    if not set(config.repeated) <= set(lams):
        raise ValueError(f"repeated is {config.repeated}; expected some of weight_decays, {lams}.")
    if config.steps < 4 * adding.EPOCH:
        raise ValueError(f"steps is {config.steps}; expected {4 * adding.EPOCH} at least.")


def runs(config: Config) -> adding.Runs:
    """Returns the settings of all runs."""
    first = adding.grid(config.weight_decays, config.seeds[:1])
    if not config.repeated or len(config.seeds) == 1:
        return first
    return adding.joined(first, adding.grid(config.repeated, config.seeds[1:]))


def measure(config: Config, session: Session) -> Measurement:
    """Trains all runs."""
    validate(config)
    chosen = runs(config)
    scheme = adding.Scheme(
        adding.epochs_for(config.steps), width=config.width, shuffle=config.shuffle
    )
    arrays = adding.train(chosen, scheme, session, "networks")
    return Measurement(recorded(arrays), _summary(arrays), adding.checksum(chosen))


def recorded(arrays: Arrays) -> Arrays:
    """Returns what the verdicts and figures are made from: every fifth epoch, and the last ones."""
    last = min(LAST, arrays["step"].size // 2)
    thinned = {name: arrays[name][:, 4::5] for name in ("train_accuracy", "test_accuracy")}
    return {
        **{name: arrays[name] for name in ("weight_decay", "seed")},
        "step": arrays["step"][4::5],
        **thinned,
        "train_at_end": arrays["train_accuracy"][:, -last:].mean(axis=1),
        "test_at_end": arrays["test_accuracy"][:, -last:].mean(axis=1),
        "held_out_at_end": arrays["held_out_accuracy"][:, -last:].mean(axis=1),
        "norm_at_end": arrays["norm_sum"][:, -last:].mean(axis=1),
    }


def _summary(arrays: Arrays) -> str:
    best = arrays["test_accuracy"].max()
    return (
        f"{len(arrays['seed'])} residual networks on binary addition (5,000 sums of 2- and 4-digit "
        f"numbers), {arrays['step'][-1]:,} steps of AdamW; accuracy on sums of 3-digit numbers up "
        f"to {best:.2f}."
    )
