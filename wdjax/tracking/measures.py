"""What is measured of one optimiser step, per norm group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from wdjax import trees
from wdjax.groups import Groups, inner_products, norms, scale
from wdjax.typing import GroupValues


class Measures(NamedTuple):
    """Measures of one step w → w + Δw with gradient g; each has the shape of the group's norms.

    Attributes:
      norm: ‖w‖ before the step.
      gradient_norm: ‖g‖.
      cosine: ⟨w, g⟩ / (‖w‖‖g‖); zero to rounding for a group whose scale the loss does not see.
      update_norm: ‖Δw‖.
      angle: The angle between w and w + Δw, in radians.
      effective_lr: ‖Δw_⊥‖ / (‖w‖² ‖g_⊥‖), ⊥ being the part orthogonal to w: how far the direction
        w/‖w‖ moves per unit of the gradient that it has on the unit sphere. For SGD without
        momentum this *is* η/‖w‖², whatever the decay.
    """

    norm: jax.Array
    gradient_norm: jax.Array
    cosine: jax.Array
    update_norm: jax.Array
    angle: jax.Array
    effective_lr: jax.Array


def measure(
    groups: Groups,
    params: dict[str, jax.Array],
    gradients: dict[str, jax.Array],
    updates: dict[str, jax.Array],
) -> dict[str, Measures]:
    """Measures one step; the three trees are keyed by leaf path, as `groups.extract` gives them.

    A quotient whose denominator is zero (no weight, no gradient) is given as zero.

    The angle is taken from the update, atan2(‖Δw_⊥‖, ‖w‖ + ⟨w, Δw⟩/‖w‖), not from the two weights:
    arccos of a float32 cosine reads 0 below 3e-4 rad, and the difference of two rounded weights
    loses the steps that are small against the weight's last digit.

    Example:
      >>> from wdjax.groups import per_leaf, resolve
      >>> w, g = {"w": jnp.array([2.0, 0.0])}, {"w": jnp.array([0.0, 3.0])}
      >>> sgd_step = {"w": -0.1 * g["w"]}
      >>> of_w = measure(resolve(per_leaf(), w), w, g, sgd_step)["w"]
      >>> print(f"{of_w.effective_lr:.4f}")  # 0.1 / 2²
      0.0250
    """
    squares = inner_products(groups, params, params)
    norm = jax.tree.map(trees.safe_sqrt, squares)
    gradient_norm, update_norm = norms(groups, gradients), norms(groups, updates)
    with_gradient = inner_products(groups, params, gradients)
    with_update = inner_products(groups, params, updates)

    def tangent_norm(tree: dict[str, jax.Array], along: GroupValues, full: GroupValues):
        # Subtracted entry by entry: ‖u‖² − ⟨w, u⟩²/‖w‖² would cancel for a step along w.
        radial = scale(groups, jax.tree.map(trees.safe_divide, along, squares), params)
        tangent = norms(groups, jax.tree.map(jnp.subtract, tree, radial))
        return jax.tree.map(_zero_if_rounding, tangent, full)

    across_gradient = tangent_norm(gradients, with_gradient, gradient_norm)
    across_update = tangent_norm(updates, with_update, update_norm)
    return {
        name: Measures(
            norm=norm[name],
            gradient_norm=gradient_norm[name],
            cosine=trees.safe_divide(with_gradient[name], norm[name] * gradient_norm[name]),
            update_norm=update_norm[name],
            angle=_angle(norm[name], with_update[name], across_update[name]),
            effective_lr=trees.safe_divide(
                across_update[name], squares[name] * across_gradient[name]
            ),
        )
        for name in norm
    }


def _angle(norm: jax.Array, with_update: jax.Array, across: jax.Array) -> jax.Array:
    angle = jnp.arctan2(across, norm + trees.safe_divide(with_update, norm))
    return jnp.where(norm == 0, jnp.zeros_like(angle), angle)


def _zero_if_rounding(part: jax.Array, whole: jax.Array) -> jax.Array:
    """A part that is only the rounding error of the whole (a group of one entry) counts as zero."""
    return jnp.where(part <= 8 * jnp.finfo(part.dtype).eps * whole, jnp.zeros_like(part), part)
