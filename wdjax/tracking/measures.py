"""What is measured of one optimiser step, per norm group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from wdjax import trees
from wdjax.groups import Group, Groups, inner_products, scale


class Measures(NamedTuple):
    """Measures of one step w → w + Δw with gradient g; each has the shape of the group's norms.

    Attributes:
      norm: ‖w‖ before the step.
      gradient_norm: ‖g‖.
      cosine: ⟨w, g⟩ / (‖w‖‖g‖); zero to rounding for a group whose scale the loss does not see.
      update_norm: ‖Δw‖.
      angle: The angle between w and w + Δw, in radians.
      effective_lr: ‖Δw_⊥‖ / (‖w‖² ‖g_⊥‖), ⊥ being the part orthogonal to w: how far the direction
        w/‖w‖ moves per unit of the gradient that it has on the unit sphere, in this step, to first
        order in ηλ. For SGD without momentum this is the η/‖w‖² of the articles and of
        `wdjax.theory`, whatever the decay. With momentum μ a step moves along many gradients: the
        measure then starts at η/‖w‖² and comes to fluctuate around more than that.
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
    return {group.name: _measure_one(group, params, gradients, updates) for group in groups}


def _measure_one(
    group: Group,
    params: dict[str, jax.Array],
    gradients: dict[str, jax.Array],
    updates: dict[str, jax.Array],
) -> Measures:
    def dot(a: dict[str, jax.Array], b: dict[str, jax.Array]) -> jax.Array:
        return inner_products((group,), a, b)[group.name]

    def tangent_norm(tree: dict[str, jax.Array]) -> jax.Array:
        # Subtracted entry by entry: ‖u‖² − ⟨w, u⟩²/‖w‖² would cancel for a step along w.
        factor = {group.name: trees.safe_divide(dot(params, tree), square)}
        tangent = jax.tree.map(jnp.subtract, tree, scale((group,), factor, params))
        return _zero_if_rounding(trees.safe_sqrt(dot(tangent, tangent)), of=norm_of(tree))

    def norm_of(tree: dict[str, jax.Array]) -> jax.Array:
        return trees.safe_sqrt(dot(tree, tree))

    square = dot(params, params)
    norm, gradient_norm = trees.safe_sqrt(square), norm_of(gradients)
    across = tangent_norm(updates)
    return Measures(
        norm=norm,
        gradient_norm=gradient_norm,
        cosine=trees.safe_divide(dot(params, gradients), norm * gradient_norm),
        update_norm=norm_of(updates),
        angle=_angle(norm, dot(params, updates), across),
        effective_lr=trees.safe_divide(across, square * tangent_norm(gradients)),
    )


def _angle(norm: jax.Array, with_update: jax.Array, across: jax.Array) -> jax.Array:
    angle = jnp.arctan2(across, norm + trees.safe_divide(with_update, norm))
    return jnp.where(norm == 0, jnp.zeros_like(angle), angle)


def _zero_if_rounding(part: jax.Array, *, of: jax.Array) -> jax.Array:
    """A part that is only the rounding error of the whole (a group of one entry) counts as zero."""
    return jnp.where(part <= 8 * jnp.finfo(part.dtype).eps * of, jnp.zeros_like(part), part)
