"""Optimisers whose steps have a size of their own: w ← (1 − ρ) w − u with E‖u‖² from the settings.

AdamW, signum, Lion and Muon divide the gradient's size out, so the equilibrium needs no gradient
moment. What tells them apart is E‖u‖² and how long u keeps its direction (`correlation`).

Gradients are taken to be Gaussian, without memory. Those of training are not: `STATED_ERRORS` says
how far it was from what is said here on two small networks. Where the second moments of AdamW's
∇L/√v̂ are measured, `gradient_memory` and `momentum_transient` take them.
"""

import abc
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_rate
from wdjax.theory import decoupled
from wdjax.theory.balance import Balance
from wdjax.theory.correlation import total
from wdjax.theory.optimiser import Equilibrium, GradientStatistics


class StatedError(NamedTuple):
    """By how much training may differ from what a theory says, relative to it.

    Attributes:
      angle: The angle per step of a single matrix.
      norm: The norm of a single matrix.
      mean_angle: The angle, averaged over the matrices of a network.
      mean_norm: The norm, averaged likewise.
      course: ‖w‖ of a single matrix at any step of a run with warm-up and cosine.
    """

    angle: float
    norm: float
    mean_angle: float
    mean_norm: float
    course: float


STATED_ERRORS = {
    "adamw": StatedError(angle=0.08, norm=0.31, mean_angle=0.03, mean_norm=0.09, course=0.17),
    "lion": StatedError(angle=0.27, norm=0.35, mean_angle=0.10, mean_norm=0.10, course=0.45),
    "muon": StatedError(angle=0.22, norm=0.24, mean_angle=0.07, mean_norm=0.09, course=0.28),
}
"""A tenth above the largest of two records of `wdjax run prediction`: two small networks, with four
seeds at ρ = 0.002 and four at ρ = 0.004.

Largest are Lion's of the matrices around a ReLU, likely because sparse gradients keep a sign for
longer than Gaussian ones do, and those early in training, likely because gradients still agree.
"""


def angle_per_step(rate: ArrayLike, lags: ArrayLike) -> jax.Array:
    """Root-mean-square angle per step at equilibrium: cos θ = 1 − ρ (1 − ρT)/R, θ ≈ √(2ρ/R).

    Exact at any ρ where ‖w‖ fluctuates little (many entries): from stationarity of ‖w‖² and
    −E⟨w_t, u_t⟩ = T E‖u‖². `decoupled.angle_per_step` leaves out the factors (1 − ρ)^k in the sum
    over lags. For a moving average nearly all of them cancels against 1 − ρT; for Lion's long
    memory it does not.

    Args:
      rate: ρ in [0, 1], the fraction of w that decay removes per step.
      lags: T = Σ_{k≥1} (1−ρ)^(k−1) r_k of `correlation`, with R = 1 + 2(1−ρ)T.

    Raises:
      ValueError: ρ is NaN, infinite, negative or above 1.

    Source: to leading order Kosson et al., arXiv:2305.17212, Table 1; the exact form derived.

    Example:
      >>> print(f"{angle_per_step(1e-3, lags=8.92):.5f}")
      0.01026
    """
    require_rate("rate", rate, most=1.0)
    rho, lags = jnp.asarray(rate), jnp.asarray(lags)
    return decoupled.angle_of_chord(2 * rho * (1 - rho * lags) / total(lags, 1 - rho))


class NormalisedSteps(Equilibrium):
    """What an optimiser with normalised steps and decoupled decay settles to.

    The rate is per step and of any convention: ηλ in Optax's `adamw`, λ alone where decay is
    independent of η, λη²/η_peak where it is corrected. Both it and the learning rate may be arrays,
    also over time, for the transient `balance(...).course(norm)` under a schedule.

    Attributes:
      learning_rate: η.
      rate: ρ in [0, 1], the fraction of w that decay removes per step.
    """

    rate: ArrayLike

    @property
    @abc.abstractmethod
    def lags(self) -> jax.Array:
        """T = Σ_{k≥1} (1−ρ)^(k−1) r_k, with r_k the autocorrelation of the steps at lag k."""

    @abc.abstractmethod
    def step_moment(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """E‖u‖², with the learning rate in u."""

    @property
    def correlation(self) -> jax.Array:
        """R = 1 + 2(1−ρ)T: how much of E‖u‖² adds up over the lags."""
        return total(self.lags, 1 - jnp.asarray(self.rate))

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step, in radians; `angle_per_step`."""
        return angle_per_step(self.rate, self.lags)

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine has fallen to 1/e: 1/ρ."""
        return decoupled.memory_steps(self.rate)

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """dW/dt = −2ρW + R E‖u‖²."""
        growth = self.correlation * self.step_moment(**gradients)
        return Balance(drag=self.rate, growth=growth)

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² = R E‖u‖² / (ρ(2−ρ)), exact at any ρ."""
        return decoupled.squared_norm(self.rate, self.step_moment(**gradients), self.correlation)

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖ at equilibrium; `direction.effective_normalised_rate` has the factor 1/(1−ρ)."""
        return jnp.asarray(self.learning_rate) / self.norm(**gradients)


def rate_of(learning_rate: ArrayLike, weight_decay: ArrayLike) -> jax.Array:
    """Returns ηλ, the rate per step of decay that is multiplied by the learning rate, checked.

    Raises:
      ValueError: A number is NaN, infinite or negative, or the product is above 1.

    Example:
      >>> rate_of(0.1, 20.0)
      Traceback (most recent call last):
      ValueError: learning_rate × weight_decay is 2.0; expected at most 1.
    """
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    rate = jnp.asarray(learning_rate) * jnp.asarray(weight_decay)
    require_rate("learning_rate × weight_decay", rate, most=1.0)
    return rate
