"""Equilibrium of Adam with cautious decay, which acts only on the entries that the step shrinks."""

import dataclasses
from functools import partial
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory import decoupled
from wdjax.theory.adam import adam_step_moment
from wdjax.theory.balance import Balance
from wdjax.theory.normalised import rate_of
from wdjax.theory.optimiser import Equilibrium, GradientStatistics, needed

# Halvings of [0, 1], which leave less than the rounding of float64.
HALVINGS = 55


def acting_share(cosine: ArrayLike) -> jax.Array:
    """The share of decay that acts, f = E(w² 1[v w ≤ 0]) / E w² = 1/2 − (arcsin c + c√(1−c²))/π.

    w and the step v, which is added to w, are Gaussian in each entry.

    Args:
      cosine: c in [−1, 1], the correlation of v and w.

    Source: derived, by the integral of cos² over the directions in which v and w differ in sign.

    Example:
      >>> print(f"{acting_share(0.0):.2f}, {acting_share(0.094):.2f}")
      0.50, 0.44
    """
    c = jnp.asarray(cosine)
    return 0.5 - (jnp.arcsin(c) + c * _sine(c)) / jnp.pi


def shrinking_moment(cosine: ArrayLike) -> jax.Array:
    """What the step takes off where it shrinks w: h = −E(v w 1[v w ≤ 0]) for variance 1.

    h = (√(1−c²) − c arccos c)/π ≥ 0 for Gaussian v and w.

    Args:
      cosine: c in [−1, 1], the correlation of v and w.

    Source: derived, as `acting_share`.

    Example:
      >>> print(f"{shrinking_moment(0.0):.4f}")
      0.3183
    """
    c = jnp.asarray(cosine)
    return (_sine(c) - c * jnp.arccos(c)) / jnp.pi


class CautiousState(NamedTuple):
    """How the step v and the weight w stand to each other at equilibrium, per entry.

    Attributes:
      cosine: c, the correlation of v and w.
      size: s = √(E v² / E w²).
      share: f, the share of the decay that acts.
    """

    cosine: jax.Array
    size: jax.Array
    share: jax.Array


def cautious_state(rate: ArrayLike, b1: ArrayLike = 0.9) -> CautiousState:
    """Solves for the correlation of step and weight: w remembers the steps that v is an average of.

    With w ← w − ρ 1[v w ≤ 0] w + v, v a moving average of factor β₁ of noise orthogonal to w, and
    f, h the functions of c above,

        c = β₁ (c + ρ h + s)                            E⟨w, v⟩ from one step to the next
        s² + 2 (c + ρ h) s = ρ (2 − ρ) f                 E‖w‖² stays

    Exact but for the assumption that v and w are jointly Gaussian, which strong cautious decay
    spoils: at β₁ = 0.9 the null model's ‖w‖² is above what follows by less than 0.2 % for
    ρ ≤ 1e-3, by 1 % at 1e-2 and 5 % at 0.1, the angle below by 0.1, 1 and 6 %.

    To leading order c = β₁ √(ρ/(1−β₁²)) and f = 1/2 − 2c/π. The often quoted half is that of steps
    without memory: at β₁ = 0.9 f is 0.487, 0.459 and 0.380 for ρ = 1e-4, 1e-3 and 1e-2. What ‖w‖²
    alone would be read as, η²d/(2ρ‖w‖²), is lower (0.480, 0.440, 0.335), for the decay also gives
    way to the steps that it meets: the terms in h.

    Args:
      rate: ρ in [0, 1].
      b1: β₁ in [0, 1).

    Raises:
      ValueError: ρ is NaN, infinite, negative or above 1, or β₁ is not in [0, 1).

    Source: derived.

    Example:
      >>> print(f"{cautious_state(1e-3).share:.3f}")
      0.459
    """
    require_rate("rate", rate, most=1.0)
    require_momentum(b1, "b1")
    rho, beta = jnp.broadcast_arrays(*map(jnp.asarray, (rate, b1)))
    dtype = jnp.result_type(rho, beta, float)
    return _solve(rho.astype(dtype), beta.astype(dtype))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "rate", "b1"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class CautiousAdamW(Equilibrium):
    """What Adam with cautious decay settles to; made by `cautious_adamw`, or of any rate.

    Attributes:
      learning_rate: η.
      rate: ρ, the fraction per step of the entries that decay.
      b1: β₁.
    """

    learning_rate: ArrayLike
    rate: ArrayLike
    b1: ArrayLike = 0.9

    @property
    def state(self) -> CautiousState:
        """`cautious_state`."""
        return cautious_state(self.rate, self.b1)

    @property
    def effective_rate(self) -> jax.Array:
        """ρ f, the fraction of w that decay removes per step in the long run."""
        return jnp.asarray(self.rate) * self.state.share

    @property
    def angle(self) -> jax.Array:
        """Root-mean-square angle per step: cos θ = 1 − ρ f + c s, about √(2ρf(1−β₁)/(1+β₁))."""
        now = self.state
        return decoupled.angle_of_chord(2 * (self.rate * now.share - now.cosine * now.size))

    @property
    def memory_steps(self) -> jax.Array:
        """Steps after which the mean cosine has fallen to 1/e: 1/(ρ f)."""
        return 1 / self.effective_rate

    def balance(self, **gradients: Unpack[GradientStatistics]) -> Balance:
        """dW/dt = −2ρf W^(1+q) + b near equilibrium. Needs `size`.

        q > 0 because f grows with ‖w‖, as single steps correlate less with a longer w: a deviation
        falls by 1/e in 1/(ρ(1 − s(1+2β₁)/(π(1−β₁)))) steps. Far above it f is 1/2.
        """
        now, rate = self.state, jnp.asarray(self.rate)
        squared_norm = self.squared_norm(**gradients)
        near = 1 - now.size * (1 + 2 * jnp.asarray(self.b1)) / (jnp.pi * (1 - jnp.asarray(self.b1)))
        power = jnp.maximum(near / (2 * now.share) - 1, 0.0)
        still = rate == 0
        loss = 2 * rate * now.share * jnp.where(still, 0.0, squared_norm)
        free = jnp.asarray(self.learning_rate) ** 2 * needed("AdamW", "size", gradients)
        return Balance(
            drag=rate * now.share * squared_norm**-power,
            growth=jnp.where(still, free, loss),
            drag_power=power,
        )

    def squared_norm(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """‖w‖² = η² d (1−β₁)/((1+β₁) s²), about η²d/(2ρf). Needs `size`."""
        size = needed("cautious AdamW", "size", gradients)
        return adam_step_moment(self.learning_rate, self.b1, size) / self.state.size**2

    def effective_lr(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """η/‖w‖ at equilibrium."""
        return jnp.asarray(self.learning_rate) / self.norm(**gradients)


def cautious_adamw(lr: ArrayLike, weight_decay: ArrayLike, b1: ArrayLike = 0.9) -> CautiousAdamW:
    """Returns the equilibrium of AdamW whose decay acts only where the step shrinks the entry.

    It is that of AdamW with ρf for ρ = ηλ, up to terms of higher order: see `cautious_state`. As in
    AdamW's `balance`, v is taken to follow ‖w‖ at once, which it does within 1/(1−β₂) steps: a
    transient is as much as a third off where that is as long as the relaxation.

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0.
      b1: β₁ in [0, 1).

    Raises:
      ValueError: A number is NaN, infinite or negative, β₁ is not below 1, or ηλ is above 1.

    Source: the rule is that of Chen et al., arXiv:2510.12402; its equilibrium is derived.

    Example:
      >>> settled = cautious_adamw(lr=1e-3, weight_decay=0.1)
      >>> print(f"{settled.norm(size=10_000):.2f}, {settled.angle:.5f} rad")
      10.21, 0.00228 rad
    """
    require_momentum(b1, "b1")
    return CautiousAdamW(lr, rate_of(lr, weight_decay), b1)


def _sine(cosine: jax.Array) -> jax.Array:
    return jnp.sqrt((1 - cosine) * (1 + cosine))


def _kept(c: jax.Array, rate: jax.Array) -> jax.Array:
    """(c + ρh + s)², with s such that ‖w‖² stays."""
    return (c + rate * shrinking_moment(c)) ** 2 + rate * (2 - rate) * acting_share(c)


@jax.jit
def _solve(rate: jax.Array, b1: jax.Array) -> CautiousState:
    """Halves [0, 1] down to c, where c − β₁(c + ρh + s), which increases in c, is zero."""
    still = rate == 0
    rho = jnp.where(still, 1.0, rate)

    def miss(c: jax.Array, rho: jax.Array, b1: jax.Array) -> jax.Array:
        return c - b1 * jnp.sqrt(_kept(c, rho))

    fixed = jax.lax.stop_gradient((rho, b1))

    def halve(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) / 2
        below = miss(middle, *fixed) < 0
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    c, _ = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.zeros_like(rho), jnp.ones_like(rho)))
    # One step of Newton's method, whose derivative is that of the implicit function.
    _, slope = jax.jvp(lambda c: miss(c, *fixed), (c,), (jnp.ones_like(c),))
    c = jnp.where(still, 0.0, c - miss(c, rho, b1) / slope)
    size = jnp.sqrt(_kept(c, rho)) - c - rho * shrinking_moment(c)
    return CautiousState(c, jnp.where(still, 0.0, size), acting_share(c))
