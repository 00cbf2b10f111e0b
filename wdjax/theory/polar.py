"""Equilibrium of Muon, whose step is the polar factor of a moving average of matrices.

The polar factor of X = U S Vᵀ is U Vᵀ. More generally the step is U f(S) Vᵀ, with a function f of
the singular values: 1 for the polar factor, a polynomial for Newton–Schulz iterations.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate
from wdjax.theory.correlation import nesterov as look_ahead
from wdjax.theory.correlation import series_lags
from wdjax.theory.normalised import NormalisedSteps, rate_of
from wdjax.theory.optimiser import GradientStatistics, needed

TERMS = 64
NODES = 256

Response = Callable[[jax.Array], jax.Array]
"""f: from the singular values of X/√(larger side), X of entries of variance 1, to the step's."""


def polar_factor(singular_values: jax.Array) -> jax.Array:
    """The response f of the exact polar factor: 1 for each singular value.

    Example:
      >>> print(polar_factor(jnp.array([0.1, 2.0])))
      [1. 1.]
    """
    return jnp.ones_like(singular_values)


def newton_schulz(
    rank: int,
    coefficients: Sequence[float] = (3.4445, -4.7750, 2.0315),
    steps: int = 5,
) -> Response:
    """Returns f of Newton–Schulz iterations x ← c₀x + c₁x³ + c₂x⁵, begun at X/‖X‖_F.

    The defaults are those of Muon and of `optax.contrib.muon`. They leave singular values between
    about 0.7 and 1.2, and the smallest ones below.

    Args:
      rank: r, the smaller side of the matrix: σ starts at σ/√r.
      coefficients: c₀, c₁, c₂.
      steps: Number of iterations.

    Raises:
      ValueError: There is not one rank ≥ 1, three coefficients and steps ≥ 1.

    Source: Jordan et al., Muon (2024).

    Example:
      >>> print(newton_schulz(64)(jnp.array([0.1, 1.0])))
      [0.88558245 0.68813944]
    """
    if rank < 1 or len(coefficients) != 3 or steps < 1:
        raise ValueError(
            f"rank is {rank}, coefficients are {coefficients}, steps {steps}; expected a rank of "
            "at least 1, three coefficients and at least one step."
        )
    linear, cubic, quintic = coefficients

    def response(singular_values: jax.Array) -> jax.Array:
        x = singular_values / rank**0.5
        for _ in range(steps):
            x = linear * x + cubic * x**3 + quintic * x**5
        return x

    return response


def spectral_weights(
    aspect: ArrayLike = 1.0, response: Response = polar_factor
) -> tuple[jax.Array, jax.Array]:
    """The weights of r(ρ) = c_0 ρ + c_1 ρ³ + ... for steps U f(S) Vᵀ, and the mean of f(S)².

    The arcsine law's counterpart for large Gaussian matrices. With κ = 1/aspect and
    σ(φ)² = 1 + κ + 2√κ cos φ,

        c_n ∝ ((2/π) ∫_0^π sin((n+1)φ) sin φ f(σ)/σ dφ)²,    E f² = (2/π) ∫_0^π sin²φ f(σ)²/σ² dφ

    and all c_n sum to E f², by which they are divided. For the polar factor of a square matrix
    c_n = (16/π²) ((k+1)/(k(k+2)))², k = 2n + 1: 0.72, 0.115, 0.048, ...; as the matrix gets long,
    U Vᵀ → X/√(larger side) and only c_0 → 1 remains.

    Args:
      aspect: The larger side over the smaller, ≥ 1; infinity for the linear limit.
      response: f.

    Returns:
      The weights, along the last axis, and E f² per singular value.

    Raises:
      ValueError: The aspect is NaN or below 1.

    Source: derived. σ²'s law (Marchenko & Pastur 1967), times σ², is Wigner's semicircle, whose
    orthogonal polynomials are Chebyshev's: σ U_n(cos φ) has correlation ρ^(2n+1) between matrices
    with correlation ρ (Biane 1997 for square ones). 1/r corrections for finite matrices.

    Example:
      >>> weights, moment = spectral_weights()
      >>> print(f"{weights[0]:.4f}, {moment:.4f}")
      0.7205, 1.0000
    """
    ratio = 1 / _checked_aspect(aspect)
    # Nodes near φ = π, where σ of a square matrix goes to zero.
    nodes, node_weights = np.polynomial.legendre.leggauss(NODES)
    place = (nodes + 1) / 2
    angle, share = np.pi * (1 - place**2), 2 * node_weights * place
    root = jnp.sqrt(ratio)[..., None]
    sigma = jnp.sqrt((1 - root) ** 2 + 4 * root * np.cos(angle / 2) ** 2)
    value = response(sigma) / sigma * np.sin(angle)
    waves = np.sin(np.arange(1, TERMS + 1)[:, None] * angle)
    moment = jnp.sum(share * value**2, axis=-1)
    overlaps = jnp.einsum("...q,nq->...n", value, share * waves)
    return overlaps**2 / moment[..., None], moment


def polar_correlation(correlation: ArrayLike, aspect: ArrayLike = 1.0) -> jax.Array:
    """r(ρ) = E⟨P, P'⟩/r between the polar factors of Gaussian matrices of correlation ρ.

    Args:
      correlation: ρ in [−1, 1], between the entries of the two matrices.
      aspect: The larger side over the smaller, ≥ 1.

    Raises:
      ValueError: As `spectral_weights`.

    Source: derived, see `spectral_weights`. Measured, for ρ = 0.7 and 0.95 (here 0.555 and 0.872):
    0.548 and 0.858 for 16 × 16, 0.553 and 0.868 for 64 × 64.

    Example:
      >>> print(f"{polar_correlation(0.95):.3f}, {polar_correlation(0.95, aspect=4.0):.3f}")
      0.872, 0.943
    """
    weights, _ = spectral_weights(aspect)
    powers = 2 * np.arange(TERMS) + 1
    return jnp.sum(weights * jnp.asarray(correlation)[..., None] ** powers, axis=-1)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("learning_rate", "rate", "b1", "b2", "scale", "weights", "moment"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Muon(NormalisedSteps):
    """What Muon settles to; made by `muon`.

    Attributes:
      learning_rate: η.
      rate: ρ, the fraction of w that decay removes per step.
      b1: β₁, of the average X within the step (`correlation`).
      b2: β₂, of the moving average.
      scale: What U f(S) Vᵀ is multiplied by, beside η.
      weights: c_n of `spectral_weights`.
      moment: E f² of `spectral_weights`.
    """

    learning_rate: ArrayLike
    rate: ArrayLike
    b1: ArrayLike
    b2: ArrayLike
    scale: ArrayLike
    weights: ArrayLike = dataclasses.field(repr=False)
    moment: ArrayLike

    @property
    def lags(self) -> jax.Array:
        """Of the steps of Gaussian X; `correlation.series_lags`."""
        return series_lags(self.weights, self.b1, self.b2, 1 - jnp.asarray(self.rate))

    def step_moment(self, **gradients: Unpack[GradientStatistics]) -> jax.Array:
        """E‖u‖² = (η scale)² r E f². Needs `rank`, r = min(m, n)."""
        size = jnp.asarray(self.learning_rate) * self.scale
        return size**2 * self.moment * needed("Muon", "rank", gradients)


def muon(
    lr: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.95,
    nesterov: bool = True,
    *,
    aspect: ArrayLike = 1.0,
    scale: ArrayLike = 1.0,
    response: Response = polar_factor,
) -> Muon:
    """Returns the equilibrium of Muon: W ← (1−ηλ)W − η scale U f(S) Vᵀ, one matrix m × n a group.

        ‖W‖_F² = η scale² r R/(2λ),   θ = √(2ηλ/R)       to leading order, r = min(m, n)

    R is that of polar factors, not of the moving average that they are taken of: at β = 0.95 it is

    | aspect             | 1    | 2    | 4    | 16   | ∞ (linear) |
    |--------------------|------|------|------|------|------------|
    | heavy-ball, R      | 30.4 | 35.4 | 37.3 | 38.6 | 39         |
    | Nesterov, R        | 25.0 | 29.5 | 31.3 | 32.5 | 32.9       |

    Large Gaussian matrices are assumed; gradients of low rank have another R. In the null model
    ‖W‖_F² is lower and the angle greater by up to 0.3/r and 0.2/r: by 1.4 and 0.9 % at 16 × 16, 0.3
    and 0.2 % at 8 × 32; with Newton–Schulz steps by at most 1.8 and 1.3 % on these and 32 × 32.

    Args:
      lr: η ≥ 0, a number or an array of several.
      weight_decay: λ ≥ 0.
      momentum: β in [0, 1).
      nesterov: Whether the step looks ahead along the momentum, as is Muon's default.
      aspect: The larger side of the matrix over the smaller, ≥ 1.
      scale: What the step is multiplied by beside η. `optax.contrib.muon` takes
        √max(1, fan_out/fan_in), or √max(m, n) · consistent_rms where that is given, so that
        r scale² = mn consistent_rms² is the step's squared norm.
      response: f of the singular values; `newton_schulz(rank)` for the iterations that are used in
        practice. Their ‖U f(S) Vᵀ‖² is r E f² with √E f² between 0.85 and 0.97 for ranks of 16 to
        1024 and aspects up to 4, which the norm follows; R changes by up to 7 %.

    Raises:
      ValueError: A number is NaN, infinite (the aspect may be) or negative, β is not below 1, the
        aspect is below 1, or ηλ is above 1.

    Source: Jordan et al., Muon (2024), for the rule; Wen et al. have the equilibrium with the
    linear R, which makes ‖W‖ 13 to 15 % too large for square matrices, and 2 to 3 % at aspect 4; R
      derived.

    Example:
      >>> settled = muon(lr=0.02, weight_decay=0.1)
      >>> print(f"{settled.norm(rank=64):.2f}, {settled.angle:.5f} rad")
      12.43, 0.01273 rad
    """
    require_momentum(momentum)
    require_rate("scale", scale)
    averages = look_ahead(momentum) if nesterov else (momentum, momentum)
    weights, moment = spectral_weights(aspect, response)
    return Muon(lr, rate_of(lr, weight_decay), *averages, scale, weights, moment)


def _checked_aspect(aspect: ArrayLike) -> jax.Array:
    if not isinstance(aspect, Tracer) and not np.all(np.asarray(aspect, float) >= 1):
        raise ValueError(
            f"aspect is {aspect}; expected the larger side over the smaller, which is at least 1."
        )
    return jnp.asarray(aspect, float)
