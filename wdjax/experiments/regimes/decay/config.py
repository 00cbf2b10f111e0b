"""The settings of the regimes under weight decay."""

import dataclasses
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the regimes under weight decay.

    Attributes:
      data: Directory or archive of CIFAR-10; without it the digits of scikit-learn.
      train_images: Images to train on.
      widths: Features of the layers.
      convolution: Whether the layers are convolutions, or dense.
      learning_rate: η of the runs with decay.
      products: ηλ of the runs with decay, rising.
      momentum: μ of further runs with decay, with η(1 − μ) in place of η.
      momentum_products: ηλ/(1 − μ) of these, rising; below 1/(1 − μ). (A pilot that ended at 0.97
        did not come to the third regime.)
      seeds: Every product is run once per seed.
      steps: Steps of each run; its second half is compared.
      chunk: Steps per call of the compiled program.
      record: Steps that are averaged into one record; a divisor of the chunk.
      batch_size: Images per step and run.
    """

    data: Path | None = None
    train_images: int = 500
    widths: tuple[int, ...] = (64, 64, 64)
    convolution: bool = False
    learning_rate: float = 0.5
    products: tuple[float, ...] = (
        1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.97,
    )  # fmt: skip
    momentum: float = 0.9
    momentum_products: tuple[float, ...] = (
        1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 0.9, 2.0, 4.0, 7.0, 9.5,
    )  # fmt: skip
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    steps: int = 4000
    chunk: int = 2000
    record: int = 100
    batch_size: int = 50


QUICK = Config(
    products=(1e-5, 1e-2, 0.1, 0.5, 0.95),
    momentum_products=(1e-5, 1e-2, 0.1, 2.0, 9.5),
    seeds=(0,),
    steps=800,
    chunk=400,
    record=50,
)


def validate(config: Config) -> None:
    """Raises ValueError, before anything is trained, if the claims could not be judged."""
    if not 0 < config.momentum < 1:
        raise ValueError(f"momentum is {config.momentum}; expected a number between 0 and 1.")
    for name, largest in (("products", 1), ("momentum_products", 1 / (1 - config.momentum))):
        products = np.array(getattr(config, name), float)
        if len(products) < 3 or not np.all((products > 0) & (products < largest)):
            raise ValueError(
                f"{name} is {getattr(config, name)}; expected at least three numbers between 0 and "
                f"{largest:g}."
            )
        if np.any(np.diff(products) <= 0):
            raise ValueError(f"{name} is {getattr(config, name)}; expected them rising.")
    if not 0 < config.learning_rate < float("inf"):
        raise ValueError(f"learning_rate is {config.learning_rate}; expected a positive number.")
    if not config.seeds or not config.widths:
        raise ValueError("seeds and widths are empty; expected at least one of each.")
    if config.record < 1 or config.chunk < 1 or config.chunk % config.record:
        raise ValueError(
            f"chunk is {config.chunk} and record is {config.record}; expected a multiple of it."
        )
    if config.steps < 8 * config.record or config.steps % config.chunk:
        raise ValueError(
            f"steps is {config.steps}; expected a multiple of chunk, {config.chunk}, and eight "
            "records."
        )


def runs(config: Config, products: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ηλ and seeds of all runs: all products with the first seed, then the next."""
    repeated = np.tile(np.array(products, np.float32), len(config.seeds))
    return repeated, np.repeat(np.array(config.seeds), len(products))
