"""The arms of `decay-combined`: how strongly what decays, and what else regularises."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import optax

from wdjax.experiments.decay_techniques.decay_combined.config import Config
from wdjax.experiments.decay_techniques.grid import Regularisers
from wdjax.transforms import decoupled_decay
from wdjax.typing import Params, PyTree

WEIGHTS, EVERYTHING, HEAD, HIDDEN = range(4)
SCOPES = ("all kernels", "biases and gains too", "last layer only", "hidden layers only")


class Arms(NamedTuple):
    """All settings of one network; arrays of shape (settings,).

    Attributes:
      scope: What decays, an index of `SCOPES`.
      decay: λ.
      dropout: Share of the hidden features that is set to zero.
      shift: Largest random shift of the images, in pixels.
    """

    scope: np.ndarray
    decay: np.ndarray
    dropout: np.ndarray
    shift: np.ndarray


def arms(config: Config) -> Arms:
    """All combinations with decay of all weights, and the other scopes without anything else."""
    combined = itertools.product(
        (WEIGHTS,), (0.0, *config.decays), config.dropouts, map(float, config.shifts)
    )
    selective = itertools.product((EVERYTHING, HEAD, HIDDEN), config.decays, (0.0,), (0.0,))
    scope, *rest = np.array([*combined, *selective], np.float32).T
    return Arms(scope.astype(np.int32), *rest)


def settings(config: Config, chosen: Arms) -> dict[str, np.ndarray]:
    """Returns the decay per step of the last layer's kernel, of the other kernels, and the rest."""
    eta = np.float32(config.learning_rate)
    decays: dict[str, np.ndarray] = {
        "head": np.isin(chosen.scope, (WEIGHTS, EVERYTHING, HEAD)),
        "hidden": np.isin(chosen.scope, (WEIGHTS, EVERYTHING, HIDDEN)),
        "rest": chosen.scope == EVERYTHING,
    }
    return {
        name: (applies * eta * chosen.decay).astype(np.float32) for name, applies in decays.items()
    }


def regularisers(chosen: Arms) -> Regularisers:
    """Returns what beside decay is in the arms."""
    return Regularisers(chosen.dropout, chosen.shift.astype(np.int32))


def optimiser(config: Config, setting: dict[str, Any]) -> optax.GradientTransformation:
    """AdamW whose decay is another for the last layer, the other kernels, and all the rest."""
    return optax.chain(
        optax.adam(config.learning_rate),
        *(decoupled_decay(setting[part], _mask(part)) for part in ("head", "hidden", "rest")),
    )


def part_of(layer: str, name: str) -> str:
    """Returns which part a parameter belongs to: "head", "hidden" or "rest"."""
    if name != "kernel":
        return "rest"
    return "head" if layer == "head" else "hidden"


def _mask(part: str):
    def mask(params: Params) -> PyTree:
        return {layer: {name: part_of(layer, name) == part for name in leaves}
                for layer, leaves in params.items()}  # fmt: skip

    return mask
