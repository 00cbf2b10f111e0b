"""Where what is in the record of the printed examples, and what follows from it at once."""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.muted_activations.config import (
    MIN_MAX,
    STANDARD,
    TORCH,
)


def arm(arrays: Arrays, scaling: str, decay: float, rule: str = TORCH, raised: bool = False) -> int:
    """Returns the index of one setting."""
    rate = arrays["raised_rate" if raised else "learning_rate"]
    chosen = (
        (arrays["scaling"] == scaling)
        & (arrays["rule"] == rule)
        & (arrays["rate"] == rate)
        & (arrays["decay"] == decay)
    )
    return int(np.flatnonzero(chosen)[0])


def sweep(arrays: Arrays, scaling: str) -> np.ndarray:
    """Returns the settings of one scaling as the code runs them, in the order of λ."""
    decays = np.unique(arrays["decay"])
    return np.array([arm(arrays, scaling, decay) for decay in decays])


def against_min_max(arrays: Arrays) -> np.ndarray:
    """Returns the loss with standardised inputs over that with min-max ones, per λ (medians)."""
    standard, min_max = (arrays["last_loss"][sweep(arrays, s)] for s in (STANDARD, MIN_MAX))
    return np.median(standard / min_max, axis=1)


def kept(arrays: Arrays, decay: float) -> float:
    """Returns (1 − ηλ)^epochs, which decay alone leaves of the weights."""
    return float((1 - arrays["learning_rate"] * decay) ** arrays["epochs"])


def covered(arrays: Arrays, index: int) -> np.ndarray:
    """Returns how much of the way from the first loss to the variance of y each seed has gone."""
    first, last = arrays["first_loss"][index], arrays["last_loss"][index]
    way = first - arrays["target_variance"]
    # A seed that began below the variance has nothing to cover.
    return np.where(way > 0, (first - last) / np.where(way > 0, way, 1), 1.0)


def lag(arrays: Arrays, slow: int, fast: int) -> float:
    """Returns by how many epochs the median loss of one setting is behind that of another."""
    epochs, course = arrays["epoch"], arrays["loss"][fast]
    when = np.interp(-arrays["loss"][slow][-1], -course, epochs)
    return float(epochs[-1] - when)
