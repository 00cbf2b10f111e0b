"""Equilibrium of Adam with L2 in its gradient, which divides the decay by the gradient's size."""

import dataclasses
from functools import partial
from typing import Unpack, cast

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory import decoupled
from wdjax.theory.balance import Balance
from wdjax.theory.optimiser import Equilibrium, GradientStatistics, needed


def coordinate_moment(
    learning_rate: ArrayLike, weight_decay: ArrayLike, gradient_rms: ArrayLike
) -> jax.Array:
    """E w_i² of one entry at equilibrium: η s_i/(2λ).

    Entries with large gradients decay slowly, at the rate ηλ/s_i, and grow as any other: their
    weights end up larger. This holds whether the group is scale-invariant or not.

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, in PyTorch's sense.
      gradient_rms: s_i = √(E g_i²), of the gradient at w.

    Source: derived; to leading order in ηλ/s_i.

    Example:
      >>> print(f"{coordinate_moment(1e-3, 1e-2, jnp.array([0.1, 1.0]))}")
      [0.005 0.05 ]
    """
    return jnp.asarray(learning_rate) * gradient_rms / (2 * jnp.asarray(weight_decay))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "weight_decay", "b1", "gradient_moment", "size"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class AdamL2(Equilibrium):
    """What Adam with L2 in its gradient settles to; made by `adam_l2`.

    Alone among the optimisers here its angle and its times depend on the gradients.

    Attributes:
      learning_rate: η.
      weight_decay: λ, in PyTorch's sense.
      b1: β₁.
      gradient_moment: G = E(‖w‖²‖g‖²), or None if it is given to the methods.
      size: d, the number of entries of the group, or None.
    """

    learning_rate: ArrayLike
    weight_decay: ArrayLike
    b1: ArrayLike = 0.9
    gradient_moment: ArrayLike | None = None
    size: ArrayLike | None = None

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step: √(2ρ(1−β₁)/(1+β₁)) for ρ of `rate`.

        Raises:
          ValueError: The gradient moment or the size was not given to `adam_l2`.
        """
        b1 = jnp.asarray(self.b1)
        return decoupled.angle_per_step(self._fraction(), (1 + b1) / (1 - b1))

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine has fallen to 1/e: 1/ρ. Raises as `angle`."""
        return decoupled.memory_steps(self._fraction())

    def _fraction(self) -> jax.Array:
        """ρ of `rate`, which has to be a fraction."""
        rate = self.rate()
        require_rate("ηλ√(dW/G), the fraction of w that decay removes per step,", rate, most=1.0)
        return rate

    def rate(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """ρ = ηλ√(dW/G), the fraction of w that decay removes per step at equilibrium."""
        balance = self.balance(**gradients)
        drag = jnp.asarray(balance.drag)
        return drag * jnp.where(drag == 0, 0.0, balance.norm)

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """dW/dt = −2ηλ√(d/G) W^(3/2) + η²d. Needs `gradient_moment` and `size`."""
        moment, size = (self._known(name, gradients) for name in ("gradient_moment", "size"))
        eta = jnp.asarray(self.learning_rate)
        drag = eta * self.weight_decay * jnp.sqrt(size / moment)
        return Balance(drag=drag, growth=eta**2 * size, drag_power=0.5)

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖ at equilibrium."""
        return jnp.asarray(self.learning_rate) / self.norm(**gradients)

    def _known(self, name: str, gradients: GradientStatistics) -> jax.Array:
        given = {"gradient_moment": self.gradient_moment, "size": self.size}
        stated = {key: value for key, value in given.items() if value is not None}
        return needed("Adam with L2", name, cast(GradientStatistics, stated | gradients))


def adam_l2(
    lr: ArrayLike,
    weight_decay: ArrayLike,
    b1: ArrayLike = 0.9,
    *,
    gradient_moment: ArrayLike | None = None,
    size: ArrayLike | None = None,
) -> AdamL2:
    """Returns the equilibrium of Adam with L2 in its gradient, g + λw (`wdjax.transforms.adam_l2`).

        ‖w‖³ = η √(dG) / (2λ),   θ = (2η²λd/√G)^(1/3) √((1−β₁)/(1+β₁))

    The norm relaxes as exp(−3ρt) with ρ = ηλ√d‖w‖/√G: gradients that become smaller as w grows make
    the decay stronger. Where entries have gradients of unequal sizes s_i, their weights have so too
    (`coordinate_moment`), and G is to be taken as (Σ_i s_i‖w‖)²/d: it is the mean that counts.

    To leading order in ρ, for 1/ρ well above 1/(1−β₂) (v has to follow ‖w‖), and for λ‖w‖ well
    below ‖g‖; the square of their ratio is ρ/2. In the null model ‖w‖² is 0.3, 0.9 and 5 % lower
    and the angle 0.3, 1 and 5 % smaller at ρ = 0.015, 0.06 and 0.37. `adam_transient.adam_course`
    follows a schedule without these limits.

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0, in PyTorch's sense.
      b1: β₁ in [0, 1).
      gradient_moment: G = E(‖w‖²‖g‖²), which `angle` and `memory_steps` need.
      size: d, which they need too.

    Raises:
      ValueError: A number is NaN, infinite or negative, or β₁ is not below 1.

    Source: derived.

    Example:
      >>> settled = adam_l2(lr=1e-3, weight_decay=1e-3, gradient_moment=100.0, size=1000)
      >>> print(f"{settled.norm():.2f}, {settled.angle:.5f} rad")
      5.41, 0.00134 rad
    """
    require_rate("learning_rate", lr)
    require_rate("weight_decay", weight_decay)
    require_momentum(b1, "b1")
    for name, number in (("gradient_moment", gradient_moment), ("size", size)):
        if number is not None:
            require_rate(name, number)
    return AdamL2(lr, weight_decay, b1, gradient_moment, size)
