"""The numbers of a training run that is still to be made."""

import dataclasses
import functools
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax.scalars import require_momentum, require_rate

Optimizer: TypeAlias = Literal[
    "sgd", "sgdw", "adamw", "adamc", "adam-l2", "lion", "sign-sgd", "muon"
]
Shape: TypeAlias = Literal["constant", "linear", "cosine"]

MOST_STEPS = 100_000_000
POSITIVE = (
    "lr", "norm", "size", "rank", "gradient_moment", "batch_size", "dataset_size",
    "to_batch_size", "to_dataset_size", "to_steps",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What is known of a training run before it is made.

    Attributes:
      optimizer: sgd and adam-l2 have coupled L2, the others decoupled decay times the learning rate
        (adamc: times its square over the peak).
      lr: The learning rate, at its peak if there is a schedule.
      weight_decay: λ, as PyTorch and Optax are given it.
      steps: The length of the run in steps.
      schedule: How the learning rate goes after the warm-up: constant, or to zero.
      warmup: Steps in which the learning rate rises linearly from zero.
      momentum: Of sgd, sgdw, sign-sgd and muon; None for 0.95 with muon and 0.9 with the others.
      nesterov: Whether sgd and sgdw look ahead along the buffer (muon always does).
      b1: Of adamw, adamc, adam-l2 and lion.
      b2: Of these; None for 0.99 with lion and 0.999 with the others.
      norm: ‖w‖ at the start, if it is known.
      size: The number of entries of the weight, if it is known.
      rank: The smaller side of the weight matrix, if it is known (for muon).
      gradient_moment: G, the mean of ‖w‖²‖g‖², if it is known (for sgd, sgdw and adam-l2).
      batch_size: Examples per step.
      dataset_size: Training examples.
      to_batch_size: A batch size to transfer the run to; needs `batch_size`.
      to_dataset_size: A number of training examples to transfer it to; needs `dataset_size`.
      to_steps: A length to transfer it to, at the same batch size and data.

    Raises:
      ValueError: A number is NaN, infinite or out of its range.
    """

    optimizer: Optimizer = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.1
    steps: int = 20_000
    schedule: Shape = "constant"
    warmup: int = 0
    momentum: float | None = None
    nesterov: bool = False
    b1: float = 0.9
    b2: float | None = None
    norm: float | None = None
    size: float | None = None
    rank: float | None = None
    gradient_moment: float | None = None
    batch_size: float | None = None
    dataset_size: float | None = None
    to_batch_size: float | None = None
    to_dataset_size: float | None = None
    to_steps: int | None = None

    def __post_init__(self) -> None:
        """Checks everything."""
        if self.optimizer not in get_args(Optimizer):
            raise ValueError(
                f"optimizer is {self.optimizer!r}; expected one of "
                f"{', '.join(get_args(Optimizer))}."
            )
        if self.schedule not in get_args(Shape):
            raise ValueError(
                f"schedule is {self.schedule!r}; expected one of {', '.join(get_args(Shape))}."
            )
        require_rate("weight_decay", self.weight_decay)
        for name in POSITIVE:
            _require_positive(name, getattr(self, name))
        for name, factor in (("momentum", self.buffer), ("b1", self.b1), ("b2", self.forgetting)):
            require_momentum(factor, name)
        for name in ("batch_size", "dataset_size"):
            if getattr(self, f"to_{name}") is not None and getattr(self, name) is None:
                raise ValueError(f"to_{name} is given, but not {name}, which is to change.")
        for name in ("steps", "warmup"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected a whole number.")
        if not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"steps is {self.steps}; expected from 1 to {MOST_STEPS:,}.")
        if self.nesterov and (self.optimizer not in ("sgd", "sgdw") or not self.buffer):
            raise ValueError(
                "nesterov is given, which looks ahead along the momentum buffer of sgd and sgdw: "
                f"the optimizer is {self.optimizer}, its momentum {self.buffer}."
            )
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"warmup is {self.warmup}; expected 0 or more and fewer than steps, {self.steps}."
            )

    @property
    def buffer(self) -> float:
        """μ of the momentum buffer."""
        if self.momentum is not None:
            return self.momentum
        return 0.95 if self.optimizer == "muon" else 0.9

    @property
    def forgetting(self) -> float:
        """β₂ of Adam or Lion."""
        if self.b2 is not None:
            return self.b2
        return 0.99 if self.optimizer == "lion" else 0.999

    @functools.cached_property
    def learning_rates(self) -> np.ndarray:
        """η_t of every step."""
        after = self.steps - self.warmup
        shapes = {
            "constant": optax.constant_schedule(self.lr),
            "linear": optax.linear_schedule(self.lr, 0.0, after),
            "cosine": optax.cosine_decay_schedule(self.lr, after),
        }
        rising = optax.linear_schedule(0.0, self.lr, max(self.warmup, 1))
        schedule = optax.join_schedules([rising, shapes[self.schedule]], [self.warmup])
        return np.asarray(jax.vmap(schedule)(jnp.arange(self.steps)))

    @property
    def steps_per_epoch(self) -> float | None:
        """How many steps go through the data once, if that is known."""
        if self.batch_size is None or self.dataset_size is None:
            return None
        return self.dataset_size / self.batch_size


def _require_positive(name: str, value: float | None) -> None:
    if value is None:
        return
    require_rate(name, value)
    if value == 0:
        raise ValueError(f"{name} is 0; expected a positive number.")
