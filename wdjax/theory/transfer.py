"""Which weight decay serves another run: of other size, width, or units of the weights.

λ is that of a decay that is multiplied by the learning rate (AdamW, coupled SGD), so that ρ = ηλ is
the fraction of the weight removed per step. What is to be kept is a matter of choice, and the rules
in use differ. For k times as much of one thing, and the rest as it was, λ is multiplied by

| k times           | `keep_averaging_epochs` | `keep_time_scales` | `keep_loshchilov_norm` |
|-------------------|-------------------------|--------------------|------------------------|
| the batch         | k                       | k                  | √k                     |
| the data          | 1/k                     | 1/k                | 1/√k                   |
| the epochs        | 1                       | 1/k                | 1/√k                   |
| the learning rate | 1/k                     | 1/k                | 1/k                    |

The first two keep the averaging time of a decoupled decay, 1/ρ, in epochs or in runs; under the
third a run is the more averaging times long the more steps it has, as their root. Scale-invariant
weights under SGD have the same unit of time, 1/ρ (with momentum μ and coupled decay ρ = ηλ/(1−μ)):
their norm relaxes in 1/(4ρ) steps and their direction is forgotten in 1/ρ, so the same rules keep
those. None of them keeps the angle per step, √(2ηλ/(1+μ)): for that ηλ stays, whatever the run.

The learning rate is not theirs to say: `scale_learning_rate` has the two rules for batches, `widen`
those for widths. `gauge_sgd` and `gauge_adamw` are no rules but identities: settings of the very
same run in other units.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_rate


class Settings(NamedTuple):
    """A learning rate η and a weight decay λ that belong together."""

    learning_rate: jax.Array
    weight_decay: jax.Array


class Gauged(NamedTuple):
    """Settings of the same run in other units of the weights.

    Attributes:
      learning_rate: η of the scale-invariant weights.
      weight_decay: λ of the scale-invariant weights.
      weight_factor: What to multiply these weights by at the start.
      norm_epsilon: ε of every normalisation that these weights feed, beside the variance.
      epsilon: ε of Adam; 0 for SGD, which has none.
    """

    learning_rate: jax.Array
    weight_decay: jax.Array
    weight_factor: jax.Array
    norm_epsilon: jax.Array
    epsilon: jax.Array


def keep_averaging_epochs(
    weight_decay: ArrayLike,
    *,
    batch: ArrayLike = 1.0,
    data: ArrayLike = 1.0,
    learning_rate: ArrayLike = 1.0,
) -> jax.Array:
    """λ · batch / (data · learning rate): the averaging time stays the same number of epochs.

    τ = B/(ηλN) epochs for N points in batches of B. The number of epochs plays no part: a run that
    is longer is more averaging times long. With the learning rate in proportion to the batch λ
    stays, with the learning rate as its root λ grows as its root too.

    Args:
      weight_decay: λ ≥ 0 of the old run.
      batch: Points per batch, new over old.
      data: Points in the training set, new over old.
      learning_rate: η, new over old.

    Raises:
      ValueError: λ is NaN, infinite or negative, or a ratio is not positive and finite.

    Source: Wang & Aitchison, arXiv:2405.13698.

    Example:
      >>> print(f"{keep_averaging_epochs(0.1, batch=4, learning_rate=2):.2f}")
      0.20
    """
    return _scaled(weight_decay, 1.0, learning_rate, batch=batch, data=data)


def keep_time_scales(
    weight_decay: ArrayLike,
    *,
    batch: ArrayLike = 1.0,
    data: ArrayLike = 1.0,
    epochs: ArrayLike = 1.0,
    learning_rate: ArrayLike = 1.0,
) -> jax.Array:
    """λ · batch / (data · epochs · learning rate): ηλ times the number of steps stays.

    So the run is as many averaging times long as it was, the same exp(−Σηλ) is left of the start
    (`timescale.memory_of_start`), and scale-invariant weights get as near to equilibrium.

    Args:
      weight_decay: λ ≥ 0 of the old run.
      batch: Points per batch, new over old.
      data: Points in the training set, new over old.
      epochs: Passes over the data, new over old.
      learning_rate: η, new over old.

    Raises:
      ValueError: As `keep_averaging_epochs`.

    Source: Li, Lyu & Arora, arXiv:2010.02916, for ηλ as the one intrinsic rate of SGD on a
    scale-invariant loss, and its 1/(ηλ) steps to equilibrium.

    Example:
      >>> print(f"{keep_time_scales(0.1, epochs=4):.3f}")
      0.025
    """
    return _scaled(weight_decay, 1.0, learning_rate, batch=batch, data=data, epochs=epochs)


def keep_loshchilov_norm(
    weight_decay: ArrayLike,
    *,
    batch: ArrayLike = 1.0,
    data: ArrayLike = 1.0,
    epochs: ArrayLike = 1.0,
    learning_rate: ArrayLike = 1.0,
) -> jax.Array:
    """λ · √(batch / (data · epochs)) / learning rate: the "normalised" decay λ_norm stays.

    ρ = λ_norm √(B/(NT)) at the schedule's peak, for T epochs of N points in batches of B; from
    λ_norm itself `rates.loshchilov_norm` makes ρ. Then the run is λ_norm √(NT/B) averaging times
    long, the more the longer it is, where `keep_time_scales` keeps that number. For more data it
    lowers λ less than `keep_averaging_epochs`, for more epochs it lowers λ where that does not.

    Args:
      weight_decay: λ ≥ 0 of the old run, in the sense of AdamW as Optax and PyTorch have it.
      batch: Points per batch, new over old.
      data: Points in the training set, new over old.
      epochs: Passes over the data, new over old.
      learning_rate: η at the peak, new over old: their λ is not multiplied by it.

    Raises:
      ValueError: As `keep_averaging_epochs`.

    Source: Loshchilov & Hutter, arXiv:1711.05101, Appendix B.1.

    Example:
      >>> print(f"{keep_loshchilov_norm(0.1, epochs=4):.3f}")
      0.050
    """
    return _scaled(weight_decay, 0.5, learning_rate, batch=batch, data=data, epochs=epochs)


def scale_learning_rate(
    learning_rate: ArrayLike, *, batch: ArrayLike, power: ArrayLike
) -> jax.Array:
    """η · batch^power: the learning rate for another batch size.

    Args:
      learning_rate: η ≥ 0 of the old run.
      batch: Points per batch, new over old.
      power: 1 for SGD (Goyal et al., arXiv:1706.02677), 1/2 for Adam and its kin (Malladi et al.,
        arXiv:2205.10287). Both hold while the noise of the gradient outweighs its mean.

    Raises:
      ValueError: η is NaN, infinite or negative, or the ratio is not positive and finite.

    Example:
      >>> print(f"{scale_learning_rate(3e-4, batch=4, power=0.5):.4f}")
      0.0006
    """
    require_rate("learning_rate", learning_rate)
    _require_ratios(batch=batch)
    return jnp.asarray(learning_rate) * jnp.asarray(batch, float) ** power


def widen(
    learning_rate: ArrayLike, weight_decay: ArrayLike, *, width: ArrayLike, power: ArrayLike = 1.0
) -> Settings:
    """η/width and λ · width^power, for hidden matrices under Adam-like steps.

    The learning rate is μP's. With power 1 the rate ηλ stays, and with it the averaging time and,
    at equilibrium, the angle per step. With λ left alone (power 0) ηλ falls with the width, and it
    takes ever longer to reach the equilibrium.

    Args:
      learning_rate: η ≥ 0 of the old run.
      weight_decay: λ ≥ 0 of the old run.
      width: Entries that a matrix sums over (fan-in), new over old.
      power: 1 to keep ηλ. Fan et al. (arXiv:2510.15262) find 1/2 better for AdamW.

    Raises:
      ValueError: η or λ is NaN, infinite or negative, or the ratio is not positive and finite.

    Source: Yang et al., arXiv:2203.03466, for η; Wang & Aitchison, arXiv:2405.13698, and Kosson et
    al., arXiv:2510.19093, for λ.

    Example:
      >>> wide = widen(0.01, 0.1, width=8)
      >>> print(f"lr {wide.learning_rate:.5f}, weight decay {wide.weight_decay:.1f}")
      lr 0.00125, weight decay 0.8
    """
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    _require_ratios(width=width)
    eta, lam, ratio = _arrays(learning_rate, weight_decay, width)
    return Settings(eta / ratio, lam * ratio**power)


def gauge_sgd(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    factor: ArrayLike,
    *,
    norm_epsilon: ArrayLike = 0.0,
) -> Gauged:
    """(a η, λ/a, √a w₀, a ε): another SGD run of the same functions, at every step.

    Where the loss does not see the scale of w, SGD with momentum (Nesterov too), with coupled or
    decoupled decay, takes the same course through the directions of w. So η and λ have no meaning
    alone: only ηλ and η/‖w₀‖² have one. η may be a schedule's value at any step. The other weights
    keep their settings.

    Args:
      learning_rate: η ≥ 0 of the scale-invariant weights.
      weight_decay: λ ≥ 0 of the scale-invariant weights.
      factor: a > 0, the learning rate of the new run over that of the old.
      norm_epsilon: ε ≥ 0 of the normalisations behind these weights, in √(variance + ε).

    Raises:
      ValueError: A number is NaN, infinite or negative, or the factor is zero.

    Source: derived from ∇L(c w) = ∇L(w)/c; ηλ alone as the intrinsic rate: Li, Lyu & Arora,
    arXiv:2010.02916.

    Example:
      >>> same = gauge_sgd(0.1, 5e-4, factor=4.0, norm_epsilon=1e-5)
      >>> print(f"{same.learning_rate:.1f} {same.weight_decay:.6f} {same.weight_factor:.0f}")
      0.4 0.000125 2
    """
    _require_gauge(learning_rate, weight_decay, factor, norm_epsilon)
    eta, lam, a, eps = _arrays(learning_rate, weight_decay, factor, norm_epsilon)
    return Gauged(eta * a, lam / a, jnp.sqrt(a), eps * a, jnp.zeros_like(a))


def gauge_adamw(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    factor: ArrayLike,
    *,
    norm_epsilon: ArrayLike = 0.0,
    epsilon: ArrayLike = 0.0,
) -> Gauged:
    """(a η, λ/a, a w₀, a² ε, ε_Adam/a): another AdamW run of the same functions, at every step.

    As `gauge_sgd`, for steps whose size does not depend on the gradient's: AdamW, and Lion, Muon
    and sign-SGD, which have no ε_Adam. Only ηλ and η/‖w₀‖ have a meaning.

    Args:
      learning_rate: η ≥ 0 of the scale-invariant weights.
      weight_decay: λ ≥ 0 of the scale-invariant weights, decoupled and multiplied by η.
      factor: a > 0, the learning rate of the new run over that of the old.
      norm_epsilon: ε ≥ 0 of the normalisations behind these weights, in √(variance + ε).
      epsilon: ε_Adam ≥ 0, beside the root of the second moment.

    Raises:
      ValueError: As `gauge_sgd`.

    Source: derived from ∇L(c w) = ∇L(w)/c.

    Example:
      >>> same = gauge_adamw(1e-3, 0.1, factor=2.0, epsilon=1e-8)
      >>> print(f"{same.learning_rate:.3f} {same.weight_decay:.2f} {same.weight_factor:.0f}")
      0.002 0.05 2
    """
    _require_gauge(learning_rate, weight_decay, factor, norm_epsilon)
    require_rate("epsilon", epsilon)
    eta, lam, a, eps = _arrays(learning_rate, weight_decay, factor, norm_epsilon)
    return Gauged(eta * a, lam / a, a, eps * a**2, jnp.asarray(epsilon) / a)


def _scaled(
    weight_decay: ArrayLike, power: float, learning_rate: ArrayLike, **ratios: ArrayLike
) -> jax.Array:
    """λ over the ratio of η, over a power of the ratio of the numbers of steps."""
    require_rate("weight_decay", weight_decay)
    _require_ratios(learning_rate=learning_rate, **ratios)
    steps = jnp.asarray(ratios["data"], float) * ratios.get("epochs", 1.0) / ratios["batch"]
    return jnp.asarray(weight_decay) / (learning_rate * steps**power)


def _arrays(*numbers: ArrayLike) -> list[jax.Array]:
    return [jnp.asarray(number, float) for number in numbers]


def _require_ratios(**ratios: ArrayLike) -> None:
    for name, ratio in ratios.items():
        require_rate(name, ratio)
        if not isinstance(ratio, Tracer) and np.any(np.asarray(ratio) == 0):
            raise ValueError(f"{name} is {ratio}; expected a ratio, new over old, above zero.")


def _require_gauge(
    learning_rate: ArrayLike, weight_decay: ArrayLike, factor: ArrayLike, norm_epsilon: ArrayLike
) -> None:
    require_rate("learning_rate", learning_rate)
    require_rate("weight_decay", weight_decay)
    require_rate("norm_epsilon", norm_epsilon)
    _require_ratios(factor=factor)
