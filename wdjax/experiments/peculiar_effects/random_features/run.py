"""What `interpolation-threshold` measures: regressions for all widths, λ and labels."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wdjax.data import load_digits, standardise
from wdjax.data.dataset import Dataset
from wdjax.experiments.experiment import Measurement
from wdjax.training import Session

WIDTHS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 8.0)
DECAYS = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the regressions.

    Attributes:
      images: Number of training images, n.
      widths: Numbers of features over n.
      decays: λ, ascending, the first 0: the loss is (mean squared error + λ‖a‖²) / 2.
      noises: Shares of the training labels that are drawn at random; the first is 0.
      seeds: Of images, features and random labels.
    """

    images: int = 400
    widths: tuple[float, ...] = WIDTHS
    decays: tuple[float, ...] = DECAYS
    noises: tuple[float, ...] = (0.0, 0.2)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


QUICK = Config(images=200, widths=(0.1, 0.5, 1.0, 2.0, 4.0), seeds=(0,))


def validate(config: Config) -> None:
    """Raises ValueError, before anything is solved, if the claims could not be judged."""
    widths = config.widths
    if list(widths) != sorted(widths) or not {1.0} < set(widths) or not widths[0] < 0.5:
        raise ValueError(f"widths is {widths}; expected ascending ones, below 0.5, 1 and above.")
    if widths[-1] < 2:
        raise ValueError(f"widths is {widths}; expected the last to be 2 at least.")
    if list(config.decays) != sorted(config.decays) or config.decays[0] or len(config.decays) < 3:
        raise ValueError(f"decays is {config.decays}; expected 0 and two more, ascending.")
    if len(config.noises) < 2 or config.noises[0] or not config.seeds:
        raise ValueError(f"noises is {config.noises}; expected 0 and another; and a seed.")


def measure(config: Config, session: Session) -> Measurement:
    """Solves all regressions, one seed after the other."""
    validate(config)
    digits = standardise(load_digits())

    def advance(index: int, state: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return state, _one_seed(config, digits, config.seeds[index])

    _, found = session.loop("regressions", len(config.seeds), advance, np.zeros(()))
    settings = {
        "width": np.array([round(w * config.images) for w in config.widths]),
        "decay": np.array(config.decays),
        "noise": np.array(config.noises),
        "images": np.array(config.images),
    }
    best = found["accuracy"].max()
    summary = (
        f"Ridge regression on random ReLU features of {config.images} digits, "
        f"{found['accuracy'].size} solutions; test accuracy up to {best:.2f}."
    )
    data = {"dataset": digits.name, "sha256": digits.sha256()}
    return Measurement(settings | found, summary, data)


def _one_seed(config: Config, digits: Dataset, seed: int) -> dict[str, np.ndarray]:
    """Errors of one seed, each (widths, noises, decays)."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(digits.train_labels))[: config.images]
    inputs = digits.train_images[rows].reshape(config.images, -1).astype(float)
    unseen = digits.test_images.reshape(len(digits.test_labels), -1).astype(float)
    labels = digits.train_labels[rows]
    drawn, chance = rng.integers(0, digits.classes, labels.shape), rng.random(labels.shape)
    targets = [_one_hot(np.where(chance < noise, drawn, labels)) for noise in config.noises]
    found = []
    for width in config.widths:
        count = round(width * config.images)
        weights = rng.standard_normal((inputs.shape[1], count)) / inputs.shape[1] ** 0.5
        known, new = (np.maximum(x @ weights, 0) / count**0.5 for x in (inputs, unseen))
        found.append([solutions(known, new, t, digits.test_labels, config.decays) for t in targets])
    names = found[0][0]
    return {name: np.array([[by[name] for by in per] for per in found]) for name in names}


def _one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels as rows of ±1-like targets with mean zero."""
    return np.eye(10)[labels] - 0.1


def solutions(
    known: np.ndarray,
    new: np.ndarray,
    targets: np.ndarray,
    labels: np.ndarray,
    decays: Sequence[float],
) -> dict[str, np.ndarray]:
    """Ridge regression for each λ: a = argmin ‖Φa − y‖²/n + λ‖a‖²; for λ = 0 that of least norm.

    Args:
      known: Φ, (n, features), of the training images.
      new: (m, features), of the test images.
      targets: y, (n, classes).
      labels: (m,), the true classes of the test images.
      decays: λ.

    Returns:
      By λ: `train_error` and `test_error` (mean over images of the squared distance from the
      targets), `accuracy` on the test images, and `norm` ‖a‖.
    """
    left, sizes, right = np.linalg.svd(known, full_matrices=False)
    along, ahead = left.T @ targets, new @ right.T
    truth = _one_hot(labels)
    rows = []
    for decay in decays:
        floor = sizes[0] * max(known.shape) * np.finfo(float).eps
        inverse = np.where(sizes > floor, sizes, np.inf) ** -1.0
        gains = inverse / (1 + len(known) * decay * inverse**2)
        scaled = gains[:, None] * along
        fit = left @ (sizes[:, None] * scaled)
        guess = ahead @ scaled
        rows.append(
            (
                np.mean(np.sum((fit - targets) ** 2, axis=1)),
                np.mean(np.sum((guess - truth) ** 2, axis=1)),
                np.mean(np.argmax(guess, axis=1) == labels),
                np.sqrt(np.sum(scaled**2)),
            )
        )
    names = ("train_error", "test_error", "accuracy", "norm")
    return dict(zip(names, np.array(rows).T, strict=True))
