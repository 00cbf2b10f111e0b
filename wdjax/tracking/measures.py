"""What is measured of one optimiser step, per norm group."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from wdjax import trees
from wdjax.groups import Group, Groups, inner_products, scale


class Measures(NamedTuple):
    """Measures of one step w → w + Δw with gradient g; each has the shape of the group's norms.

    Δw is the sum of a *radial* part along w and a *tangential* part Δw_⊥ orthogonal to it; so is g.
    With r = `radial_update` and t = `tangential_update`

        ‖w + Δw‖² = (‖w‖ + r)² + t²   = ‖w‖² − removed + added
        removed = −r (2‖w‖ + r),   added = t²

    Attributes:
      norm: ‖w‖ before the step.
      gradient_norm: ‖g‖.
      cosine: ⟨w, g⟩ / (‖w‖‖g‖); zero to rounding for a group whose scale the loss does not see.
      update_norm: ‖Δw‖.
      angle: The angle between w and w + Δw, in radians.
      effective_lr: ‖Δw_⊥‖ / (‖w‖² ‖g_⊥‖): how far the direction w/‖w‖ moves per unit of the
        gradient that it has on the unit sphere, in this step, to first order in ηλ. For SGD without
        momentum this is the η/‖w‖² of the articles and of `wdjax.theory`, whatever the decay. With
        momentum μ a step moves along many gradients: the measure then starts at η/‖w‖² and comes to
        fluctuate around more than that.
      radial_update: ⟨w, Δw⟩ / ‖w‖, with its sign: negative where the step shrinks the norm.
      tangential_update: ‖Δw_⊥‖, which turns the weight, and makes its norm grow.
      effective_gradient_norm: ‖w‖‖g_⊥‖: the gradient that w/‖w‖ has on the unit sphere. The
        gradient moment G of `wdjax.theory` is the mean of its square.
      balance: removed / added. Where only decay acts along w, this is what the decay takes from
        ‖w‖² over what the steps across w add to it: exactly so for SGD without momentum, with
        coupled L2 or with decoupled decay, on a group whose scale the loss does not see. A step
        that turns the weight keeps ‖w‖ if and only if it is 1. Over many steps take the sum of
        `removed` over that of `added`, as `average` does: it is 1 if and only if ‖w‖² ends where it
        started, at equilibrium therefore for every optimiser. It is touchy with momentum μ, where
        steps follow one another and a single t² is the smaller part of what they add in the long
        run: decay that outdoes them by the fraction x then reads 1 + x (1+μ)/(1−μ).
    """

    norm: jax.Array
    gradient_norm: jax.Array
    cosine: jax.Array
    update_norm: jax.Array
    angle: jax.Array
    effective_lr: jax.Array
    radial_update: jax.Array
    tangential_update: jax.Array
    effective_gradient_norm: jax.Array
    balance: jax.Array


def measure(
    groups: Groups,
    params: dict[str, jax.Array],
    gradients: dict[str, jax.Array],
    updates: dict[str, jax.Array],
) -> dict[str, Measures]:
    """Measures one step; the three trees are keyed by leaf path, as `groups.extract` gives them.

    A quotient whose denominator is zero (no weight, no gradient, no turn) is given as zero.

    The angle is taken from the update, atan2(‖Δw_⊥‖, ‖w‖ + ⟨w, Δw⟩/‖w‖), not from the two weights:
    arccos of a float32 cosine reads 0 below 3e-4 rad, and the difference of two rounded weights
    loses the steps that are small against the weight's last digit.

    Example:
      >>> from wdjax.groups import per_leaf, resolve
      >>> w, g = {"w": jnp.array([2.0, 0.0])}, {"w": jnp.array([0.0, 3.0])}
      >>> sgd_l2_step = {"w": -0.1 * (g["w"] + 0.5 * w["w"])}
      >>> of_w = measure(resolve(per_leaf(), w), w, g, sgd_l2_step)["w"]
      >>> print(f"{of_w.effective_lr:.4f}")  # 0.1 / 2²
      0.0250
      >>> print(f"{of_w.radial_update:.2f}, {of_w.tangential_update:.2f}")  # −ηλ‖w‖ and η‖g‖
      -0.10, 0.30
      >>> print(f"{of_w.balance:.2f}")  # (2² − 1.9²) / 0.3²: more decay than growth
      4.33
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

    def tangent_norm(tree: dict[str, jax.Array], along: jax.Array, size: jax.Array) -> jax.Array:
        # Subtracted entry by entry: ‖u‖² − ⟨w, u⟩²/‖w‖² would cancel for a step along w.
        factor = {group.name: trees.safe_divide(along, square)}
        tangent = jax.tree.map(jnp.subtract, tree, scale((group,), factor, params))
        return _zero_if_rounding(trees.safe_sqrt(dot(tangent, tangent)), of=size)

    square, with_gradient, with_update = (dot(params, x) for x in (params, gradients, updates))
    norm = trees.safe_sqrt(square)
    gradient_norm = trees.safe_sqrt(dot(gradients, gradients))
    update_norm = trees.safe_sqrt(dot(updates, updates))
    radial = trees.safe_divide(with_update, norm)
    across = tangent_norm(updates, with_update, update_norm)
    gradient_across = tangent_norm(gradients, with_gradient, gradient_norm)
    return Measures(
        norm=norm,
        gradient_norm=gradient_norm,
        cosine=trees.safe_divide(with_gradient, norm * gradient_norm),
        update_norm=update_norm,
        angle=_angle(norm, radial, across),
        effective_lr=trees.safe_divide(across, square * gradient_across),
        radial_update=radial,
        tangential_update=across,
        effective_gradient_norm=norm * gradient_across,
        balance=trees.safe_divide(removed(norm, radial), across**2),
    )


def removed(norm: jax.Array, radial_update: jax.Array) -> jax.Array:
    """What the radial part of a step takes from ‖w‖²: ‖w‖² − (‖w‖ + r)², without cancellation."""
    return -radial_update * (2 * norm + radial_update)


def _angle(norm: jax.Array, radial: jax.Array, across: jax.Array) -> jax.Array:
    angle = jnp.arctan2(across, norm + radial)
    return jnp.where(norm == 0, jnp.zeros_like(angle), angle)


def _zero_if_rounding(part: jax.Array, *, of: jax.Array) -> jax.Array:
    """A part that is only the rounding error of the whole (a group of one entry) counts as zero."""
    return jnp.where(part <= 8 * jnp.finfo(part.dtype).eps * of, jnp.zeros_like(part), part)
