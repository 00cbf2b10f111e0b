"""What every optimiser's theory answers."""

import abc
from typing import TypedDict, Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_rate
from wdjax.theory.balance import Balance


class GradientStatistics(TypedDict, total=False):
    """What a theory may need to know of a group's gradients, beside the optimiser's settings.

    Attributes:
      gradient_moment: G = E(‖w‖²‖g‖²).
      size: d, the number of entries of the group.
      rank: r = min(m, n) of a matrix of shape (m, n).
    """

    gradient_moment: ArrayLike
    size: ArrayLike
    rank: ArrayLike


class Equilibrium(abc.ABC):
    """What an optimiser with weight decay settles to on a scale-invariant group.

    A subclass holds the settings of one optimiser. What it does not need of the
    `GradientStatistics` it ignores, so that one call serves all optimisers.
    """

    learning_rate: ArrayLike

    @property
    @abc.abstractmethod
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step, in radians."""

    @property
    @abc.abstractmethod
    def memory_steps(self) -> jax.Array:
        """Steps k after which the mean cosine E cos(w_t, w_{t+k}) has fallen to 1/e."""

    @abc.abstractmethod
    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """The law of ‖w‖²: equilibrium, relaxation and course."""

    @abc.abstractmethod
    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """The effective learning rate then: η/‖w‖², or η/‖w‖ where steps are normalised."""

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² at equilibrium."""
        return self.balance(**gradients).squared_norm

    def norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖ at equilibrium."""
        return jnp.sqrt(self.squared_norm(**gradients))


def needed(optimiser: str, name: str, gradients: GradientStatistics) -> jax.Array:
    """Returns one of the statistics, checked.

    Raises:
      ValueError: It is missing, NaN, infinite or negative.

    Example:
      >>> needed("AdamW", "size", {"gradient_moment": 1.0})
      Traceback (most recent call last):
      ValueError: the norm under AdamW depends on size: give it by name, size=...
    """
    if name not in gradients:
        raise ValueError(
            f"the norm under {optimiser} depends on {name}: give it by name, {name}=..."
        )
    require_rate(name, gradients[name])
    return jnp.asarray(gradients[name])
