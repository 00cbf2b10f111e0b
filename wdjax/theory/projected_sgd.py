"""Equilibrium of SGDP, whose steps are projected orthogonal to the weight and decay decoupled.

    m ← μ m + ∇L(w);   w ← (1 − ρ) w − η (m − ŵ⟨ŵ, m⟩),   ρ = ηλκ/(1−μ)

(with Nesterov ∇L(w) + μ m in the place of m in the step). It is `wdjax.transforms.sgdp` where its
test calls the gradient orthogonal. What old gradients in the buffer would add to the norm is taken
out of the step, so that ‖w‖² gains η²‖m‖² and not (1+μ)/(1−μ) times as much.
"""

import dataclasses
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory import decoupled
from wdjax.theory.balance import Balance
from wdjax.theory.decoupled_sgd import autocovariance
from wdjax.theory.optimiser import Equilibrium, GradientStatistics, needed


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "rate", "momentum"),
    meta_fields=("nesterov",),
)
@dataclasses.dataclass(frozen=True)
class ProjectedSGD(Equilibrium):
    """What SGDP settles to on a scale-invariant group; made by `sgdp`.

    To leading order in ρ/(1−μ)², as far as nothing else is said.

    Attributes:
      learning_rate: η.
      rate: ρ, the fraction of w that decay removes per step.
      momentum: μ.
      nesterov: Whether steps look ahead along the buffer.
    """

    learning_rate: ArrayLike
    rate: ArrayLike
    momentum: ArrayLike = 0.0
    nesterov: bool = False

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step: cos θ = 1 − ρ, so θ ≈ √(2ρ) radians, whatever μ.

        Exact for a norm that does not fluctuate, since steps are orthogonal to w.
        """
        return decoupled.angle_per_step(self.rate)

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine with w has fallen to 1/e, for slow turning.

        (1−μ)/(ρ(1+μ)) for a heavy ball: the steps' directions last, so w turns (1+μ)/(1−μ) times
        faster than by steps of this size without memory. In general c_0(1−μ)²/ρ, with c_0 of
        `decoupled_sgd.autocovariance`.
        """
        require_rate("rate", self.rate, most=1.0)
        return self._size * (1 - jnp.asarray(self.momentum)) ** 2 / jnp.asarray(self.rate)

    @property
    def relaxation_steps(self) -> jax.Array:
        """Steps in which a deviation of ‖w‖ falls by 1/e: 1/(4ρ)."""
        return decoupled.relaxation_steps(self.rate) / 2

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """The law of ‖w‖²: drag ρ, growth η²G/(1−μ²) (c_0 with Nesterov), against ‖w‖^(−2).

        Args:
          **gradients: `gradient_moment`.
        """
        moment = needed("SGDP", "gradient_moment", gradients)
        require_rate("rate", self.rate, most=1.0)
        growth = jnp.asarray(self.learning_rate) ** 2 * moment * self._size
        return Balance(self.rate, growth, growth_power=1.0)

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² at equilibrium for `gradient_moment`, to leading order η√(G c_0/(2ρ)).

        For a heavy ball, whose c_0 is 1/(1−μ²), exactly with a = 1 − ρ

            ‖w‖⁴ = η²G (1 − aμ)² / ((1 − μ²)(1 − a²)(1 − 2aμ + μ²)),

        where (1 − aμ)²/(1 − 2aμ + μ²) is the share of ‖m‖² that the projection leaves: the leading
        order is too large by about 2ρμ²/(1−μ)² of ‖w‖⁴.
        """
        balance = self.balance(**gradients)
        kept, mu = 1 - jnp.asarray(self.rate), jnp.asarray(self.momentum)
        share = 1.0 if self.nesterov else (1 - kept * mu) ** 2 / (1 - 2 * kept * mu + mu**2)
        return jnp.sqrt(share * decoupled.squared_norm(self.rate, balance.growth))

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖² at equilibrium for `gradient_moment`, to leading order √(2ρ(1−μ²)/G)."""
        return jnp.asarray(self.learning_rate) / self.squared_norm(**gradients)

    @property
    def _size(self) -> jax.Array:
        return autocovariance(self.momentum, nesterov=self.nesterov)[0]


def sgdp(
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    wd_ratio: ArrayLike = 0.1,
) -> ProjectedSGD:
    """Returns the equilibrium of SGDP, ρ = ηλκ/(1−μ) (`wdjax.transforms.sgdp`).

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0 in the sense of coupled L2.
      momentum: μ in [0, 1).
      nesterov: Whether steps look ahead along the buffer.
      wd_ratio: κ in [0, 1], the share of the decay that scale-invariant weights get.

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, or κ or ρ is above 1.

    Source: Heo et al., arXiv:2006.08217; the equilibrium derived.

    Example:
      >>> settled = sgdp(lr=0.1, weight_decay=1e-3, momentum=0.9)
      >>> print(f"{settled.angle:.4f} rad per step, relaxes in {settled.relaxation_steps:.0f}")
      0.0141 rad per step, relaxes in 2500
    """
    require_rate("lr", lr)
    require_rate("weight_decay", weight_decay)
    require_momentum(momentum)
    require_rate("wd_ratio", wd_ratio, most=1.0)
    eta, lam, mu, kappa = map(jnp.asarray, (lr, weight_decay, momentum, wd_ratio))
    rate = eta * lam * kappa / (1 - mu)
    require_rate("rate", rate, most=1.0)
    return ProjectedSGD(lr, rate, momentum, nesterov)
