"""What is in the record of the grid: losses, best settings, and what it costs to keep old ones.

Settings are chosen on the choosing seeds (their mean test loss) and judged on the others, so that
choosing the best of many is not taken for an effect. Losses are capped at three times that of
guessing, which is what a run that diverged counts as.
"""

from typing import NamedTuple

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.input_scale.config import NORMS, SGD

NONE, BATCH = range(len(NORMS))


class Losses(NamedTuple):
    """Mean losses per (table, optimiser, norm, kind, rate, decay), capped.

    Attributes:
      chosen: Test loss over the choosing seeds.
      judged: Test loss over the judging seeds.
      trained: Training loss over the judging seeds.
      bound: Whether a judging run was capped, so that its test loss is a lower bound.
    """

    chosen: np.ndarray
    judged: np.ndarray
    trained: np.ndarray
    bound: np.ndarray


def losses(arrays: Arrays) -> Losses:
    """Returns the means over choosing and judging seeds."""
    cap = 3 * arrays["chance"].reshape(-1, *(1,) * (arrays["test_loss"].ndim - 1))
    count = int(arrays["choosing"])

    def capped(name: str) -> np.ndarray:
        values = arrays[name].astype(float)
        return np.minimum(np.where(np.isfinite(values), values, np.inf), cap)

    test = capped("test_loss")
    return Losses(
        test[..., :count].mean(axis=-1),
        test[..., count:].mean(axis=-1),
        capped("train_loss")[..., count:].mean(axis=-1),
        np.any((test >= cap)[..., count:], axis=-1),
    )


def index(arrays: Arrays, name: str, value: str) -> int:
    """Returns the place of a table, an optimiser or a kind of normalisation."""
    return list(arrays[name]).index(value)


def scales(arrays: Arrays) -> np.ndarray:
    """Returns the places of the standardised inputs, in the order of their factors."""
    return np.array([n for n, kind in enumerate(arrays["kind"]) if kind.startswith("standard")])


def best(chosen: np.ndarray) -> tuple[int, ...]:
    """Returns the place of the smallest of an array."""
    return tuple(int(place) for place in np.unravel_index(np.argmin(chosen), chosen.shape))


def tuned(found: Losses) -> np.ndarray:
    """Returns the judged losses with η as the choosing seeds say; the axis of η goes."""
    rate = np.argmin(found.chosen, axis=4, keepdims=True)
    return np.take_along_axis(found.judged, rate, axis=4).squeeze(4)


def best_scales(arrays: Arrays, table: int, norm: int = NONE) -> np.ndarray:
    """Returns the best factor on standardised inputs for each λ of SGD, η tuned with it."""
    optimiser, places = index(arrays, "optimiser", SGD), scales(arrays)
    chosen = losses(arrays).chosen[table, optimiser, norm, places]
    return arrays["scale"][[best(chosen[:, :, k])[0] for k in range(chosen.shape[2])]]


def keeping(arrays: Arrays, table: int, norm: int, places: np.ndarray) -> float:
    """Returns the loss at the largest λ with the normalisation of the smallest, over the best's.

    The learning rate is tuned for each.
    """
    found, optimiser = losses(arrays), index(arrays, "optimiser", SGD)
    chosen = found.chosen[table, optimiser, norm, places]
    judged = found.judged[table, optimiser, norm, places]
    old = best(chosen[:, :, 0])[0]
    kept = judged[old, best(chosen[old, :, -1])[0], -1]
    return float(kept / judged[(*best(chosen[:, :, -1]), -1)])
