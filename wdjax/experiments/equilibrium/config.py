"""The settings of the equilibrium experiment, chosen from theory before the first run."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from wdjax.training import Hyperparameters


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the equilibrium experiment.

    Attributes:
      data: Directory or archive of CIFAR-10; without it the digits of scikit-learn.
      learning_rates: η of the grid.
      weight_decays: λ of the grid, in PyTorch's sense (twice the article's).
      momentum: μ of the grid.
      control_learning_rate: η of the run without decay, with the grid's momentum.
      plain_learning_rate: η of the run without momentum.
      plain_weight_decay: λ of the run without momentum.
      seeds: Every setting is run once per seed. (0 and 1 were the pilot's: see `claims`.)
      steps: Steps of each run; the second half is taken as equilibrium.
      chunk: Steps between two records; divides half of the steps.
      batch_size: Images per step and run.
      shift: Largest random shift of the images, in pixels.
      depth: Depth of the ResNet.
      epsilon: ε of its batch norms.
    """

    data: Path | None = None
    learning_rates: tuple[float, ...] = (0.05, 0.1, 0.2)
    weight_decays: tuple[float, ...] = (0.005, 0.01, 0.02)
    momentum: float = 0.9
    control_learning_rate: float = 0.1
    plain_learning_rate: float = 0.5
    plain_weight_decay: float = 0.01
    seeds: tuple[int, ...] = (2, 3)
    steps: int = 1600
    chunk: int = 50
    batch_size: int = 32
    shift: int = 1
    depth: int = 8
    epsilon: float = 1e-5


QUICK = Config(
    learning_rates=(0.1, 0.2),
    weight_decays=(0.01, 0.02),
    seeds=(0,),
    steps=200,
    chunk=25,
    batch_size=16,
)


def settings(config: Config) -> Hyperparameters:
    """Returns the distinct settings: the grid, the run without decay, the run without momentum."""
    grid = [
        (eta, lam, config.momentum) for eta in config.learning_rates for lam in config.weight_decays
    ]
    control = (config.control_learning_rate, 0.0, config.momentum)
    plain = (config.plain_learning_rate, config.plain_weight_decay, 0.0)
    return Hyperparameters(*np.array([*grid, control, plain], np.float32).T)


def runs(config: Config) -> tuple[Hyperparameters, np.ndarray]:
    """Returns settings and seeds of all runs: the distinct settings, once per seed."""
    distinct, seeds = settings(config), config.seeds
    repeated = Hyperparameters(*(np.tile(values, len(seeds)) for values in distinct))
    return repeated, np.repeat(seeds, len(np.asarray(distinct.momentum)))


def plain_settings(config: Config) -> dict[str, Any]:
    """Returns the settings as plain values, for the record; of the path only the last part."""
    return dataclasses.asdict(config) | {"data": config.data.name if config.data else None}
