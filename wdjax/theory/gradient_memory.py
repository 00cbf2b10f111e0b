"""What SGD with momentum settles to if successive gradients hang together.

The other formulas take gradients to have no memory. In training they have some: a step along a
gradient makes the next ones smaller. For momentum all that counts of it is one number,

    c = Σ_{k≥1} μ^(k−1) E⟨g_t, g_{t−k}⟩ / E‖g‖²

With ⟨w, g⟩ = 0, m' = μm + g + λw and, to leading order in ηλ/(1−μ), E⟨g, m⟩ = c G/W:

    E‖m‖² = (1 + 2μc)/(1 − μ²) · G/W                                            (heavy ball)
    E‖g + μm'‖² = A G/W,   A = 1 + 2μ(1 + μc) + μ²(1 + 2μc)/(1 − μ²)            (Nesterov)

and stationarity of W = ‖w‖² gives what G is multiplied by.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax.scalars import require_momentum


def moment_factor(momentum: ArrayLike, memory: ArrayLike, *, nesterov: bool = False) -> jax.Array:
    """What the memory of gradients multiplies the gradient moment G by, in the norm at equilibrium.

        1 + 2μc                                                                 (heavy ball)
        (1−μ)² (A + 2μ² (1 + μc + μ(1 + 2μc)/(1 − μ²))/(1 − μ))                 (Nesterov)

    So ‖w‖ is multiplied by its fourth root: give `sgd(...).norm` the product as gradient moment.

    Args:
      momentum: μ in [0, 1).
      memory: c; 0 for gradients without memory.
      nesterov: Whether steps look ahead along the buffer.

    Raises:
      ValueError: μ is NaN, negative, or 1 or more.

    Source: derived from the two stationarity conditions of van Laarhoven, arXiv:1706.05350, and Wan
    et al., arXiv:2006.08419.

    Example:
      >>> print(f"{moment_factor(0.9, -0.04) ** 0.25:.3f}")
      0.981
    """
    require_momentum(momentum)
    mu, c = jnp.asarray(momentum), jnp.asarray(memory)
    if not nesterov:
        return 1 + 2 * mu * c
    look_ahead = 1 + mu * c + mu * (1 + 2 * mu * c) / (1 - mu**2)
    return (1 - mu) ** 2 * (_step_moment(mu, c) + 2 * mu**2 * look_ahead / (1 - mu))


def angle_factor(momentum: ArrayLike, memory: ArrayLike, *, nesterov: bool = False) -> jax.Array:
    """What the memory of gradients multiplies the angle per step at equilibrium by.

    1 for the heavy ball, whose angle follows from ⟨w, g⟩ = 0 and stationarity alone; for Nesterov
    the root of what E‖Δw‖² is multiplied by over `moment_factor`.

    Args and errors as `moment_factor`.

    Example:
      >>> print(f"{angle_factor(0.9, -0.06, nesterov=True):.3f}")
      1.010
    """
    factor = moment_factor(momentum, memory, nesterov=nesterov)
    if not nesterov:
        return jnp.ones_like(factor)
    mu = jnp.asarray(momentum)
    step = _step_moment(mu, jnp.asarray(memory)) / _step_moment(mu, jnp.zeros_like(mu))
    return jnp.sqrt(step / factor)


def _step_moment(mu: jax.Array, c: jax.Array) -> jax.Array:
    """A: E‖g + μm'‖² over E‖g‖²."""
    return 1 + 2 * mu * (1 + mu * c) + mu**2 * (1 + 2 * mu * c) / (1 - mu**2)
