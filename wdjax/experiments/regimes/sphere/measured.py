"""What the verdicts and figures read out of a record: regimes, levels, and what stands beside."""

from typing import NamedTuple

import numpy as np

from wdjax.experiments.experiment import Arrays

CONVERGENT, CHAOTIC, DIVERGENT = "convergent", "chaotic", "divergent"
REGIMES = (CONVERGENT, CHAOTIC, DIVERGENT)

RANDOM = 0.9
"""From this share of the mean loss of random directions on, a run counts as divergent."""
FALLS = 0.75
"""A loss that falls to less than this, from the second quarter to the last, still converges."""
ZERO = 0.01
"""A loss of less than this share of that of guessing, ln(classes), has converged."""
DRIFT = 0.2
"""Largest relative change of a level from the third to the last quarter of a run."""
SURE = 2.0
"""Standard errors that a difference of test errors has to come to."""


class Series(NamedTuple):
    """A quantity by rate, averaged over seeds.

    Attributes:
      rate: (n,), rising.
      mean: (n,).
      error: (n,), the standard error over seeds; 0 for one seed.
    """

    rate: np.ndarray
    mean: np.ndarray
    error: np.ndarray


def quarter(values: np.ndarray, number: int) -> np.ndarray:
    """The mean of each run over a quarter of the records, 0 to 3."""
    size = values.shape[1] // 4
    end = values.shape[1] - (3 - number) * size
    return values[:, end - size : end].mean(axis=1)


def regimes(arrays: Arrays, losses: str = "own_loss") -> np.ndarray:
    """The regime of each run, from its training loss in the first stage.

    Divergent: in the last quarter, the loss is at least `RANDOM` of that of random directions.
    Convergent: it is nearly zero there (`ZERO`), or still falls (`FALLS`). Chaotic: all others.

    Args:
      arrays: Of the record; "classes" and "random_loss" are needed beside the losses.
      losses: Name of the losses, (runs, records).
    """
    early, last = quarter(arrays[losses], 1), quarter(arrays[losses], 3)
    nearly_zero = last <= ZERO * np.log(float(arrays["classes"]))
    convergent = nearly_zero | (last <= FALLS * early)
    divergent = last >= RANDOM * arrays["random_loss"].mean()
    return np.where(divergent, DIVERGENT, np.where(convergent, CONVERGENT, CHAOTIC))


def regime_of_rates(arrays: Arrays) -> dict[str, np.ndarray]:
    """For each regime the rates at which all seeds are in it, rising."""
    found, rates = regimes(arrays), np.unique(arrays["rate"])
    return {
        regime: np.array([r for r in rates if np.all(found[arrays["rate"] == r] == regime)])
        for regime in REGIMES
    }


def by_rate(arrays: Arrays, values: np.ndarray, rates: np.ndarray | None = None) -> Series:
    """Averages one number per run over the seeds, for all rates or for some."""
    rates = np.unique(arrays["rate"]) if rates is None else rates
    groups = [values[arrays["rate"] == rate] for rate in rates]
    mean = np.array([group.mean() for group in groups])
    error = [group.std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else 0.0 for group in groups]
    return Series(rates, mean, np.array(error))


def typical(arrays: Arrays, values: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The geometric mean over the seeds, for some rates."""
    return np.exp(by_rate(arrays, np.log(values), rates).mean)


def table(arrays: Arrays, values: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """One number per run as (seeds, rates), for differences within seeds."""
    seeds = np.unique(arrays["seed"])
    chosen = [
        [values[(arrays["rate"] == rate) & (arrays["seed"] == seed)][0] for rate in rates]
        for seed in seeds
    ]
    return np.array(chosen).reshape(len(seeds), len(rates))


def stability(arrays: Arrays, name: str) -> np.ndarray:
    """A curvature over 2/η_e, of each run and measurement of the first stage but for its first."""
    curvature = arrays[f"own_{name}"]
    later = curvature[:, 1:] if curvature.shape[1] > 1 else curvature
    return later * arrays["rate"][:, None] / 2


def half(values: np.ndarray) -> np.ndarray:
    """The mean of each run over the second half of the records."""
    return values[:, values.shape[1] // 2 :].mean(axis=1)


def sharpness(arrays: Arrays, stage: str) -> np.ndarray:
    """Sharpness of each run towards the end of a stage: the median of the last three."""
    return np.median(arrays[f"{stage}_sharpness"][:, -3:], axis=1)


def final_loss(arrays: Arrays, stage: str) -> np.ndarray:
    """Loss of the training images towards the end of a stage: the median of the last three."""
    return np.median(arrays[f"{stage}_full_loss"][:, -3:], axis=1)


def relative_sharpness(arrays: Arrays, stage: str) -> np.ndarray:
    """Sharpness over training loss towards the end of a stage: the median of the last three.

    Where a network fits its images well, the Hessian of the cross-entropy shrinks with the loss;
    the quotient compares minima that are not equally deep.
    """
    quotient = arrays[f"{stage}_sharpness"] / arrays[f"{stage}_full_loss"]
    return np.median(quotient[:, -3:], axis=1)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; 0 for fewer than three points, or where one does not vary."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    one, other = (np.argsort(np.argsort(values)).astype(float) for values in (x, y))
    return float(np.corrcoef(one, other)[0, 1])


def gain(table: np.ndarray) -> tuple[float, float]:
    """Mean over seeds of first column − last column, and its standard error."""
    difference = table[:, 0] - table[:, -1]
    count = len(difference)
    error = difference.std(ddof=1) / np.sqrt(count) if count > 1 else np.inf
    return float(difference.mean()), float(error)


def listed(values: np.ndarray, form: str = ".3g") -> str:
    """The values in words."""
    return ", ".join(f"{value:{form}}" for value in values) or "none"


def ends(values: np.ndarray, form: str = ".3g") -> str:
    """The first and the last value in words."""
    return f"{values[0]:{form}} to {values[-1]:{form}}" if len(values) else "none"
