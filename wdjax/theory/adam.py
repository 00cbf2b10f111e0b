"""Equilibrium of Adam with decoupled decay on a scale-invariant group: AdamW and AdamC."""

import dataclasses
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory.correlation import average_moment, linear_lags
from wdjax.theory.normalised import NormalisedSteps, rate_of
from wdjax.theory.optimiser import GradientStatistics, needed


def adam_step_moment(learning_rate: ArrayLike, b1: ArrayLike, size: ArrayLike) -> jax.Array:
    """E‖u‖² of Adam's steps on gradients without memory: η² d (1 − β₁)/(1 + β₁).

    Each entry is a moving average of noise of variance 1.

    Args:
      learning_rate: η ≥ 0.
      b1: β₁ in [0, 1).
      size: d, the number of entries of the group.

    Source: Kosson et al., arXiv:2305.17212; β₂ → 1, ε → 0.

    Example:
      >>> print(f"{adam_step_moment(0.1, 0.9, size=100):.4f}")
      0.0526
    """
    return jnp.asarray(learning_rate) ** 2 * size * average_moment(b1, b1)


def forgetting_factor(b1: ArrayLike, b2: ArrayLike) -> jax.Array:
    """What a finite β₂ multiplies AdamW's ‖w‖² by: 1 − (1−β₂)(2(1−β₁)/(1−β₁β₂) − 1).

    v holds the gradients that m holds, so that large ones count less; that v fluctuates makes up
    for a part. To first order in 1−β₂: at 0.95 it is right to 0.7 % of ‖w‖² in the null model.

    Args:
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1), near 1.

    Source: derived, for Gaussian gradients without memory.

    Example:
      >>> print(f"{forgetting_factor(0.9, 0.95):.3f}")
      0.981
    """
    first, second = jnp.asarray(b1), jnp.asarray(b2)
    return 1 - (1 - second) * (2 * (1 - first) / (1 - first * second) - 1)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "rate", "b1"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class AdamW(NormalisedSteps):
    """What Adam with decoupled decay settles to; made by `adamw` or `adamc`, or of any rate.

    Attributes:
      learning_rate: η.
      rate: ρ, the fraction of w that decay removes per step.
      b1: β₁.
    """

    learning_rate: ArrayLike
    rate: ArrayLike
    b1: ArrayLike = 0.9

    @property
    def lags(self) -> jax.Array:
        """β₁/(1 − (1−ρ)β₁)."""
        return linear_lags(self.b1, self.b1, 1 - jnp.asarray(self.rate))

    def step_moment(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """E‖u‖²; `adam_step_moment`. Needs `size`."""
        return adam_step_moment(self.learning_rate, self.b1, needed("AdamW", "size", gradients))


def adamw(lr: ArrayLike, weight_decay: ArrayLike, b1: ArrayLike = 0.9) -> AdamW:
    """Returns the equilibrium of AdamW, decay as in Optax and PyTorch: ρ = ηλ per step.

        ‖w‖² = η² d (1 + a β₁)(1 − β₁) / ((1 − a²)(1 − a β₁)(1 + β₁)),   a = 1 − ηλ
        cos θ = (a + β₁)/(1 + a β₁)

    To leading order ‖w‖² = ηd/(2λ), so that each entry has the root mean square √(η/(2λ)), and
    θ = √(2ηλ(1−β₁)/(1+β₁)). The sizes of the gradients and their differences between the entries do
    not matter. The angle follows from stationarity and from Adam's fresh step being orthogonal to w
    alone; the norm needs gradients without memory, too.

    Limits: β₂ → 1 and ε → 0. Where v forgets, ‖w‖² is smaller by `forgetting_factor` (for β₁ = 0.9
    by 0.1 % at β₂ = 0.999 and 2 % at 0.95), and the angle by 0.5 % at 0.95.
    It follows ‖w‖, and with it the gradients' size, with a delay of 1/(1−β₂) steps, which a
    transient that is not slower is changed by: `adam_transient.adam_course` takes it in.

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0.
      b1: β₁ in [0, 1).

    Raises:
      ValueError: A number is NaN, infinite or negative, β₁ is not below 1, or ηλ is above 1.

    Source: Kosson et al., arXiv:2305.17212, Table 1, to leading order; Wen et al. have the exact
    norm; the exact angle derived.

    Example:
      >>> settled = adamw(lr=1e-3, weight_decay=0.1)
      >>> print(f"{settled.norm(size=10_000):.2f}, {settled.angle:.5f} rad")
      7.07, 0.00324 rad
    """
    require_momentum(b1, "b1")
    return AdamW(lr, rate_of(lr, weight_decay), b1)


def adamc(lr: ArrayLike, weight_decay: ArrayLike, b1: ArrayLike = 0.9, *, peak: ArrayLike) -> AdamW:
    """Returns the equilibrium of Adam with corrected decay: ρ = λη²/η_peak per step.

    To leading order ‖w‖² = d η_peak/(2λ): it does not depend on the learning rate now, so that a
    schedule does not take the norm along; the angle is η √(2(λ/η_peak)(1−β₁)/(1+β₁)), proportional
    to the learning rate where AdamW's goes as its root.

    Args:
      lr: η ≥ 0 now; an array for several times or settings.
      weight_decay: λ ≥ 0.
      b1: β₁ in [0, 1).
      peak: η_peak > 0, the highest learning rate of the schedule.

    Raises:
      ValueError: A number is NaN, infinite or negative, η_peak is zero, β₁ is not below 1, or ρ
        is above 1.

    Source: Defazio, arXiv:2506.02285; exact forms as `adamw`.

    Example:
      >>> print(f"{adamc(jnp.array([1e-3, 1e-4]), 0.1, peak=1e-3).norm(size=10_000)}")
      [7.0678973 7.071036 ]
    """
    require_momentum(b1, "b1")
    require_rate("lr", lr)
    require_rate("peak", peak)
    require_rate("lr/peak", jnp.asarray(lr) / jnp.asarray(peak))
    return AdamW(lr, rate_of(lr, jnp.asarray(weight_decay) * lr / jnp.asarray(peak)), b1)
