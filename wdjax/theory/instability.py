"""The periodic instability of normalised networks under weight decay.

Near interpolation the gradient is small, and nothing holds the norm of a scale-invariant weight
up: it decays freely, ‖w‖ ∝ exp(−ηλt). The curvature λ_max(H(w)) = h/‖w‖² grows as the norm shrinks,
until the learning rate is too large for it, ηλ_max > 2. Then the loss jumps, its large gradient
blows the norm up, and the decay begins anew.

h is the largest eigenvalue of the Hessian on the unit sphere; `curvature.sphere_curvature` measures
it. It depends on the direction of w alone, but changes with that, so what is said of the future
from an h of today is as good as h stays (see `steps_until_unstable`). To cross the threshold is
necessary for a jump, not sufficient: what is to blow up has to grow first from what the quiet time
has left of it.

Source: Lobacheva et al., arXiv:2106.15739.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum, require_rate


def stability_limit(momentum: ArrayLike = 0.0, *, nesterov: bool = False) -> jax.Array:
    """What ηλ_max(H) must stay below: 2(1+μ), with Nesterov 2(1+μ)/(1+2μ).

    Beyond it, gradient descent moves away from a minimum along the steepest direction.

    Args:
      momentum: μ in [0, 1), heavy-ball without dampening.
      nesterov: Whether the step looks ahead.

    Raises:
      ValueError: μ is not in [0, 1).

    Source: the roots of the step's characteristic polynomial at −1; Cohen et al., arXiv:2103.00065.

    Example:
      >>> print(f"{stability_limit():.1f} {stability_limit(0.9):.1f}")
      2.0 3.8
    """
    require_momentum(momentum)
    mu = jnp.asarray(momentum, float)
    return 2 * (1 + mu) / (1 + 2 * mu if nesterov else 1)


def threshold_norm(
    learning_rate: ArrayLike,
    curvature: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    norm_epsilon: ArrayLike = 0.0,
    unit_variance: ArrayLike = 1.0,
) -> jax.Array:
    """‖w‖ below which a step is unstable: √(ηh/s − ε/v), 0 if that is negative.

    s is the `stability_limit`. Without momentum and ε it is √(ηh/2), where the effective learning
    rate η/‖w‖² exceeds 2/h.

    Args:
      learning_rate: η ≥ 0.
      curvature: h ≥ 0, the largest eigenvalue of the Hessian on the unit sphere, without ε.
      momentum: μ in [0, 1).
      nesterov: Whether the step looks ahead.
      norm_epsilon: ε ≥ 0 in √(variance + ε) of the normalisations; see `protecting_epsilon`.
      unit_variance: v > 0, the variance that is normalised, over ‖w‖².

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, or v is zero.

    Source: Lobacheva et al., arXiv:2106.15739; Kodryan et al., arXiv:2209.03695, for 2/h.

    Example:
      >>> print(f"{threshold_norm(0.1, curvature=4.0):.3f}")
      0.447
    """
    _require(learning_rate=learning_rate, curvature=curvature, norm_epsilon=norm_epsilon)
    _require_positive("unit_variance", unit_variance)
    limit = stability_limit(momentum, nesterov=nesterov)
    without = jnp.asarray(learning_rate) * curvature / limit
    return jnp.sqrt(jnp.maximum(without - jnp.asarray(norm_epsilon) / unit_variance, 0.0))


def protecting_epsilon(
    learning_rate: ArrayLike,
    curvature: ArrayLike,
    unit_variance: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
) -> jax.Array:
    """ε above which no norm is small enough to be unstable: ηhv/s, s the `stability_limit`.

    With ε every output of a normalisation is √r of what it was, r = v‖w‖²/(v‖w‖² + ε), and a
    curvature that goes as the square of the outputs is hr/‖w‖² = hv/(v‖w‖² + ε): at most hv/ε. It
    takes ε in *every* normalisation, as one that follows without ε undoes √r. An estimate: for a
    quadratic loss the curvature comes to at most 1.12 hv/ε. ε makes small weights grow, too: in two
    BN MLPs a fifth and an eighth of what the h at the first jump says were enough.

    Args:
      learning_rate: η ≥ 0.
      curvature: h ≥ 0, the largest eigenvalue of the Hessian on the unit sphere, without ε.
      unit_variance: v > 0, the variance that is normalised, over ‖w‖².
      momentum: μ in [0, 1).
      nesterov: Whether the step looks ahead.

    Raises:
      ValueError: As `threshold_norm`.

    Source: derived.

    Example:
      >>> print(f"{protecting_epsilon(0.1, curvature=10.0, unit_variance=0.02):.2f}")
      0.01
    """
    _require(learning_rate=learning_rate, curvature=curvature)
    _require_positive("unit_variance", unit_variance)
    limit = stability_limit(momentum, nesterov=nesterov)
    return jnp.asarray(learning_rate) * curvature * unit_variance / limit


def protecting_moment(
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    curvature: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
) -> jax.Array:
    """G above which noise holds the norm over the threshold: 2ηλ(1−μ)h²/s²; ηλh²/2 for μ = 0.

    Then the equilibrium ‖w‖⁴ = ηG/(2λ(1−μ)) of `wdjax.theory.sgd` lies above `threshold_norm`⁴.
    Sufficient, not necessary: less noise, too, keeps the direction from settling so well that what
    grows past the threshold is noticed only when it is far beyond.

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, coupled.
      curvature: h ≥ 0, the largest eigenvalue of the Hessian on the unit sphere.
      momentum: μ in [0, 1).
      nesterov: Whether the step looks ahead.

    Raises:
      ValueError: A number is NaN, infinite or negative, or μ is not below 1.

    Source: derived.

    Example:
      >>> print(f"{protecting_moment(0.1, 5e-3, curvature=4.0):.3f}")
      0.004
    """
    _require(learning_rate=learning_rate, weight_decay=weight_decay, curvature=curvature)
    limit = stability_limit(momentum, nesterov=nesterov)
    rate = jnp.asarray(learning_rate) * weight_decay * (1 - jnp.asarray(momentum))
    return 2 * rate * (jnp.asarray(curvature) / limit) ** 2


def free_decay_rate(
    learning_rate: ArrayLike, weight_decay: ArrayLike, momentum: ArrayLike = 0.0
) -> jax.Array:
    """−ln of what one step leaves of ‖w‖ where the gradient is zero; about ηλ/(1−μ).

    Without momentum −ln(1 − ηλ). With a heavy-ball buffer that the decay goes through, −ln of the
    larger root x of x² − (1 + μ − ηλ)x + μ = 0; from ηλ = (1−√μ)² on the weight swings through
    zero, and −ln √μ is how fast the swing dies out.

    Args:
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, with ηλ < 1.
      momentum: μ in [0, 1) of the buffer that the decay goes through; 0 for decoupled decay.

    Raises:
      ValueError: A number is NaN, infinite or negative, μ is not below 1, or ηλ is 1 or more.

    Source: Li & Arora, arXiv:1910.07454, for the roots.

    Example:
      >>> print(f"{free_decay_rate(0.1, 5e-4, 0.9):.6f}")
      0.000502
    """
    _require(learning_rate=learning_rate, weight_decay=weight_decay)
    require_momentum(momentum)
    rho, mu = jnp.asarray(learning_rate) * weight_decay, jnp.asarray(momentum, float)
    if not isinstance(rho, Tracer) and np.any(np.asarray(rho) >= 1):
        raise ValueError(
            f"learning_rate × weight_decay is {rho}; expected it below 1, from where on a step "
            "takes the weight through zero."
        )
    # 1 − x for the larger root x, without the cancellation of (1 + μ − ηλ) against its root.
    total = 1 - mu + rho
    root = jnp.sqrt(jnp.maximum(total**2 - 4 * rho, 0.0))
    slow = -jnp.log1p(-2 * rho / (total + root))
    swings = (total**2 < 4 * rho) & (mu > 0)
    return jnp.where(swings, -jnp.log(jnp.where(mu > 0, mu, 1.0)) / 2, slow)


def free_decay_steps(
    norm: ArrayLike,
    until: ArrayLike,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
) -> jax.Array:
    """Steps in which ‖w‖ decays from one norm to another; about ln(‖w‖²/‖w'‖²) (1−μ)/(2ηλ).

    Args:
      norm: ‖w‖ > 0 now.
      until: ‖w'‖ ≥ 0. At 0, or without decay, it takes for ever; at ‖w‖ and above, 0 steps.
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, with ηλ < 1.
      momentum: μ in [0, 1) of the buffer that the decay goes through; 0 for decoupled decay.

    Raises:
      ValueError: As `free_decay_rate`, or ‖w‖ is zero.

    Source: Lobacheva et al., arXiv:2106.15739.

    Example:
      >>> print(f"{free_decay_steps(2.0, 0.5, 0.1, 5e-3):.0f}")
      2772
    """
    _require(until=until)
    _require_positive("norm", norm)
    rate = free_decay_rate(learning_rate, weight_decay, momentum)
    distance = jnp.maximum(jnp.log(jnp.asarray(norm, float)) - jnp.log(until), 0.0)
    return jnp.where(distance == 0, 0.0, distance / rate)


def period(
    largest_norm: ArrayLike,
    smallest_norm: ArrayLike,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
) -> jax.Array:
    """Steps from jump to jump: ln(‖w‖²_max/‖w‖²_min) (1−μ)/(2ηλ), as `free_decay_steps`.

    From the norms before and after a jump, which it does not say. It does not hold where decay is
    not free: ε, and the noise of batches, hold the norm up between jumps and make periods longer.

    Args:
      largest_norm: ‖w‖ right after a jump.
      smallest_norm: ‖w‖ right before one.
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, with ηλ < 1.
      momentum: μ in [0, 1) of the buffer that the decay goes through; 0 for decoupled decay.

    Raises:
      ValueError: As `free_decay_steps`.

    Source: Lobacheva et al., arXiv:2106.15739.

    Example:
      >>> print(f"{period(4.2, 0.5, 0.1, 5e-3):.0f}")
      4255
    """
    return free_decay_steps(largest_norm, smallest_norm, learning_rate, weight_decay, momentum)


def steps_until_unstable(
    norm: ArrayLike,
    curvature: ArrayLike,
    learning_rate: ArrayLike,
    weight_decay: ArrayLike,
    momentum: ArrayLike = 0.0,
    *,
    nesterov: bool = False,
    gradient_moment: ArrayLike = 0.0,
    norm_epsilon: ArrayLike = 0.0,
    unit_variance: ArrayLike = 1.0,
) -> jax.Array:
    """Steps of free decay until ηλ_max reaches its limit; infinite if noise or ε prevents it.

    Zero where it is above the limit now.

    h is taken to stay as it is, which it does not while the network learns. In a BN MLP with
    cross-entropy, whose h fell from 91 to 16 before the first jump, the h at the crossing says when
    that is from any time on, for the decay is free; the h of the time itself says it too early:
    half of the steps that were left at first, nine tenths near the end. Where h grows, it is late.

    Args:
      norm: ‖w‖ > 0 now.
      curvature: h ≥ 0, the largest eigenvalue of the Hessian on the unit sphere, without ε.
      learning_rate: η ≥ 0.
      weight_decay: λ ≥ 0, coupled, with ηλ < 1.
      momentum: μ in [0, 1).
      nesterov: Whether the step looks ahead.
      gradient_moment: G = E(‖w‖²‖g‖²); from `protecting_moment` on the result is infinite.
      norm_epsilon: ε ≥ 0 of the normalisations; from `protecting_epsilon` on it is infinite.
      unit_variance: v > 0, the variance that is normalised, over ‖w‖².

    Raises:
      ValueError: As `threshold_norm` and `free_decay_steps`.

    Source: Lobacheva et al., arXiv:2106.15739.

    Example:
      >>> print(f"{steps_until_unstable(3.0, 10.0, 0.1, 5e-3):.0f}")
      2890
    """
    _require(gradient_moment=gradient_moment)
    threshold = threshold_norm(
        learning_rate, curvature, momentum, nesterov=nesterov,
        norm_epsilon=norm_epsilon, unit_variance=unit_variance,
    )  # fmt: skip
    steps = free_decay_steps(norm, threshold, learning_rate, weight_decay, momentum)
    held = protecting_moment(learning_rate, weight_decay, curvature, momentum, nesterov=nesterov)
    protected = (jnp.asarray(gradient_moment) >= held) & (steps > 0)
    return jnp.where(protected, jnp.inf, steps)


def _require(**numbers: ArrayLike) -> None:
    for name, number in numbers.items():
        require_rate(name, number)


def _require_positive(name: str, number: ArrayLike) -> None:
    require_rate(name, number)
    if not isinstance(number, Tracer) and np.any(np.asarray(number) == 0):
        raise ValueError(f"{name} is {number}; expected a positive number.")
