"""How the maps of `decay-grid` are read: best settings, and how the best λ moves with η."""

from typing import NamedTuple

import numpy as np

from wdjax.experiments.decay_techniques.decay_grid.run import OPTIMISERS
from wdjax.experiments.decay_techniques.judging import Difference, difference
from wdjax.experiments.experiment import Arrays

NETWORKS = ("no normalisation", "layer norm")
COUPLED, DECOUPLED, SGD = range(3)
SHARP = 0.005
"""Accuracy by which a λ has to be worse to count e times less in the mean best λ."""
GOOD = 0.02
"""How far below the best an η may be for its best λ to count."""
GAIN = 0.01
"""Accuracy that decay has to gain at an η for its best λ to count; else none is best."""
STABLE = 0.5
"""Largest ηλ that counts as decay: beyond 1 each step turns the weight around."""


class Cell(NamedTuple):
    """One setting of one map."""

    network: int
    optimiser: int
    rate: int
    decay: int


class Tilt(NamedTuple):
    """How log λ* of the best decay moves with log η: −1 if ηλ matters, 0 if λ alone does.

    Attributes:
      rates: Number of η that are good.
      slope: Over all seeds; NaN if less than two η are good.
      error: Its standard error, by leaving out one seed after the other; NaN if less than two η are
        good without one of them.
    """

    rates: int
    slope: float
    error: float

    @property
    def known(self) -> bool:
        """Whether there is a slope, and an error of it."""
        return bool(np.isfinite(self.slope) and np.isfinite(self.error))

    def __str__(self) -> str:
        told = f"{self.slope:+.2f} ± {self.error:.2f}" if self.known else "not known"
        return f"{told} ({self.rates} good η)"


def maps(arrays: Arrays) -> list[tuple[int, int]]:
    """Returns network and optimiser of each map."""
    return [(n, o) for n in range(arrays["test"].shape[0]) for o in range(arrays["test"].shape[1])]


def named(arrays: Arrays) -> list[tuple[str, int, int]]:
    """Returns name, network and optimiser of each map."""
    return [(f"{NETWORKS[n]}, {OPTIMISERS[o]}", n, o) for n, o in maps(arrays)]


def best(arrays: Arrays, network: int, optimiser: int, decays: bool) -> Cell:
    """Returns the setting with the best validation accuracy, with decay or without."""
    validation = arrays["validation"][network, optimiser].mean(axis=0)
    allowed = (arrays["weight_decay"] > 0) == decays
    scores = np.where(allowed, validation, -1.0)
    rate, decay = np.unravel_index(np.argmax(scores), scores.shape)
    return Cell(network, optimiser, int(rate), int(decay))


def decayed(arrays: Arrays, network: int, optimiser: int, rate: int) -> Cell:
    """Returns the setting with the best validation accuracy at one η, with decay."""
    validation = arrays["validation"][network, optimiser, :, rate].mean(axis=0)
    scores = np.where(arrays["weight_decay"] > 0, validation, -1.0)
    return Cell(network, optimiser, rate, int(np.argmax(scores)))


def nearest(arrays: Arrays, network: int, optimiser: int, eta: float, lam: float) -> Cell:
    """Returns the setting of the map that is nearest, by factors, to (η, λ > 0)."""
    rates, decays = arrays["learning_rate"][optimiser], arrays["weight_decay"]
    rate = np.argmin(np.abs(np.log(rates / eta)))
    decay = np.argmin(np.abs(np.log(np.maximum(decays, 1e-300) / lam)))
    return Cell(network, optimiser, int(rate), int(decay))


def at(arrays: Arrays, measure: str, cell: Cell) -> np.ndarray:
    """Returns a measure of each seed."""
    return arrays[measure][cell.network, cell.optimiser, :, cell.rate, cell.decay].astype(float)


def mean(arrays: Arrays, measure: str, cell: Cell) -> float:
    """Returns the mean of a measure over the seeds."""
    return float(at(arrays, measure, cell).mean())


def fall(arrays: Arrays, measure: str, before: Cell, after: Cell) -> Difference:
    """Returns by how much a measure is lower at the second setting."""
    return difference(at(arrays, measure, before), at(arrays, measure, after))


def growth(arrays: Arrays, cell: Cell) -> float:
    """Returns ‖w‖ at the end over that after half of the run."""
    course = arrays["norms"][cell.network, cell.optimiser, cell.rate, cell.decay].astype(float)
    return float(course[-1] / course[len(course) // 2 - 1])


def settings(arrays: Arrays, cell: Cell) -> tuple[float, float]:
    """Returns (η, λ)."""
    eta = arrays["learning_rate"][cell.optimiser, cell.rate]
    return float(eta), float(arrays["weight_decay"][cell.decay])


def strongest(arrays: Arrays, cell: Cell) -> Cell:
    """Returns the cell of the same η and the largest λ at which ηλ is still decay."""
    eta, _ = settings(arrays, cell)
    able = np.flatnonzero(eta * arrays["weight_decay"] <= STABLE)
    return cell._replace(decay=int(able[-1]))


def tilt(arrays: Arrays, network: int, optimiser: int) -> Tilt:
    """Returns how the best λ moves with η, over the η that are good."""
    scores = arrays["validation"][network, optimiser].astype(float)
    rates, decays = arrays["learning_rate"][optimiser], arrays["weight_decay"]
    mean, count = scores.mean(axis=0), len(scores)
    without = [_slope(np.delete(scores, i, axis=0).mean(axis=0), rates, decays)
               for i in range(count)]  # fmt: skip
    error = float(np.sqrt((count - 1) * np.var(without)))
    return Tilt(len(good_rates(mean, decays)), _slope(mean, rates, decays), error)


def best_decays(scores: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """Returns log10 of the best λ > 0 for each η: a mean over λ, weighted by e^(accuracy/SHARP)."""
    positive = decays > 0
    able = scores[:, positive]
    weights = np.exp((able - able.max(axis=1, keepdims=True)) / SHARP)
    return (weights * np.log10(decays[positive])).sum(axis=1) / weights.sum(axis=1)


def good_rates(scores: np.ndarray, decays: np.ndarray) -> np.ndarray:
    """Returns the η whose best λ says something: they are good, and decay gains there."""
    top = scores[:, decays > 0].max(axis=1)
    gains = top - scores[:, decays == 0].max(axis=1)
    return np.flatnonzero((top >= scores.max() - GOOD) & (gains >= GAIN))


def _slope(scores: np.ndarray, rates: np.ndarray, decays: np.ndarray) -> float:
    rows = good_rates(scores, decays)
    if len(rows) < 2:
        return np.nan
    x, y = np.log10(rates[rows]), best_decays(scores, decays)[rows]
    x = x - x.mean()
    return float(np.sum(x * y) / np.sum(x * x))
