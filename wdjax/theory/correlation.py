"""How long the steps of an optimiser keep their direction: sums of autocorrelations over lags.

Many optimisers step along a function of

    x_t = β₁ m_{t−1} + (1 − β₁) g_t,   m_t = β₂ m_{t−1} + (1 − β₂) g_t

of the gradients g: a plain moving average has β₁ = β₂ (AdamW, Signum), Nesterov's look-ahead along
one of factor β has (β², β) (`nesterov`), Lion has both. Where gradients are noise without memory,
entries of x that are k ≥ 1 steps apart correlate as ρ_k = ρ_1 β₂^(k−1). If correlation ρ between
entries of x becomes r(ρ) between the steps, what counts is the *lag sum*

    T(a) = Σ_{k≥1} a^(k−1) r(ρ_k)

with a = 1 − ρ the fraction of w that decay retains per step: under w ← a w − u, −E⟨w_t, u_t⟩ is
T E‖u‖² (w remembers the past steps, and the new one is like them). With it R = 1 + 2aT, the sum
over all lags that `decoupled.squared_norm` takes.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

# The powers of the series of r(ρ) that are summed. Where ρ_1 < 0.99 the rest is below 1e-6 of R,
# at any ρ_1 below 1e-4.
SIGN_TERMS = 512


def nesterov(momentum: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Returns (β₁, β₂) of Nesterov's look-ahead β m_t + (1 − β) g_t: (β², β).

    Example:
      >>> print("%.4f, %.2f" % nesterov(0.95))
      0.9025, 0.95
    """
    beta = jnp.asarray(momentum)
    return beta**2, beta


def average_moment(b1: ArrayLike, b2: ArrayLike) -> jax.Array:
    """E x² for g of variance 1: (1 − β₁)² + β₁² (1 − β₂)/(1 + β₂).

    For a plain moving average, (1 − β)/(1 + β).

    Args:
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).

    Source: Kosson et al., arXiv:2305.17212, for Lion.

    Example:
      >>> print(f"{average_moment(0.9, 0.99):.5f}")
      0.01407
    """
    first, second = jnp.asarray(b1), jnp.asarray(b2)
    return (1 - first) ** 2 + first**2 * (1 - second) / (1 + second)


def first_lag(b1: ArrayLike, b2: ArrayLike) -> jax.Array:
    """ρ_1, the correlation of x in successive steps: β₁(1−β₂)(1 − β₁ + β₁β₂/(1+β₂)) / E x².

    For a plain moving average it is β.

    Args:
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).

    Source: derived, from the weights of x on g_t, g_{t−1}, ...: 1 − β₁, then β₁(1−β₂)β₂^(k−1).

    Example:
      >>> print(f"{first_lag(0.9, 0.9):.3f}, {first_lag(0.9, 0.99):.3f}")
      0.900, 0.350
    """
    first, second = jnp.asarray(b1), jnp.asarray(b2)
    product = first * (1 - second) * (1 - first + first * second / (1 + second))
    return product / average_moment(first, second)


def linear_lags(b1: ArrayLike, b2: ArrayLike, retention: ArrayLike = 1.0) -> jax.Array:
    """The lag sum of x itself, ρ_1 / (1 − a β₂).

    For a plain moving average R is (1 + aβ)/(1 − aβ).

    Args:
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).
      retention: a in [0, 1].

    All arguments broadcast.

    Source: the geometric series; for AdamW Wen et al. have the same sum.

    Example:
      >>> print(f"{total(linear_lags(0.9, 0.9)):.2f}")
      19.00
    """
    return first_lag(b1, b2) / (1 - jnp.asarray(retention) * b2)


def sign_lags(b1: ArrayLike, b2: ArrayLike, retention: ArrayLike = 1.0) -> jax.Array:
    """The lag sum of sign(x) for Gaussian x, where r(ρ) = (2/π) arcsin ρ.

    Summed over powers of ρ, of each of which the sum over all lags is a geometric series; no lag is
    left out, and the number of terms does not depend on β₂.

    Args:
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).
      retention: a in [0, 1].

    All arguments broadcast.

    Source: the arcsine law (Sheppard 1899); for Lion, derived.

    Example:
      >>> print(f"{total(sign_lags(0.9, 0.99)):.2f}")
      45.93
    """
    index = np.arange(SIGN_TERMS - 1.0)
    ratios = (2 * index + 1) ** 2 / ((2 * index + 2) * (2 * index + 3))
    weights = 2 / np.pi * np.concatenate([[1.0], np.cumprod(ratios)])
    return series_lags(weights, b1, b2, retention)


def series_lags(
    weights: ArrayLike, b1: ArrayLike, b2: ArrayLike, retention: ArrayLike = 1.0
) -> jax.Array:
    """The lag sum of steps with r(ρ) = c_0 ρ + c_1 ρ³ + c_2 ρ⁵ + ..., any odd function of x.

        T(a) = Σ_n c_n ρ_1^k / (1 − a β₂^k),   k = 2n + 1

    Args:
      weights: The c_n ≥ 0 along the last axis; they sum to 1 for a step whose size is constant.
      b1: β₁ in [0, 1).
      b2: β₂ in [0, 1).
      retention: a in [0, 1].

    The others broadcast, with the leading axes of the weights as well.

    Example:
      >>> print(f"{total(series_lags([1.0], 0.9, 0.9)):.2f}")
      19.00
    """
    numbers = (first_lag(b1, b2), jnp.asarray(b2), jnp.asarray(retention))
    first, ratio, kept = (number[..., None] for number in numbers)
    weights = jnp.asarray(weights, first.dtype)
    powers = 2 * np.arange(weights.shape[-1]) + 1.0
    return jnp.sum(weights * first**powers / (1 - kept * ratio**powers), axis=-1)


def total(lags: ArrayLike, retention: ArrayLike = 1.0) -> jax.Array:
    """R = 1 + 2 a T(a), the sum over all lags, negative ones too.

    Args:
      lags: T(a).
      retention: a in [0, 1], as it was given for the lag sum.

    Example:
      >>> print(f"{total(9.0):.2f}")
      19.00
    """
    return 1 + 2 * jnp.asarray(retention) * lags
