"""Steps on the sphere: updates tangent to the weight, and weights that keep their norm."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from wdjax import trees
from wdjax.groups import (
    Groups,
    GroupsLike,
    Member,
    inner_products,
    insert,
    norms,
    operands,
    require_disjoint,
    resolve,
    scale,
)
from wdjax.typing import GroupValues, Params, PyTree


class RetractState(NamedTuple):
    """State of `retract`.

    Attributes:
      radius: Per group, the norm at init: a scalar, or one number per kept index.
    """

    radius: GroupValues


def project_tangent(groups: GroupsLike = None) -> optax.GradientTransformationExtraArgs:
    """Removes from each update its part along the weight: u ← u − w ⟨w, u⟩ / ‖w‖², per group.

    Args:
      groups: The norm groups; None for one per floating leaf. Leaves in no group pass unchanged,
        and so does a group of norm zero, which has no direction.

    Returns:
      A transformation without state of its own.

    Raises:
      ValueError: At init, if a leaf is in two groups, a norm is taken over a single number, or a
        group does not fit the parameters; at update, if params are missing or of another structure
        or shape than the updates.

    Example:
      >>> tx = project_tangent()
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> updates, _ = tx.update({"w": jnp.array([3.0, 4.0])}, tx.init(params), params)
      >>> updates["w"]
      Array([0., 4.], dtype=float32)
    """

    def init_fn(params: Params) -> optax.EmptyState:
        _require_directions(require_disjoint(resolve(groups, params)), params)
        return optax.EmptyState()

    def update_fn(
        updates: PyTree, state: PyTree, params: Params | None = None, **extra_args
    ) -> tuple[PyTree, optax.EmptyState]:
        del extra_args
        resolved, w, u = operands("project_tangent", groups, updates, params)
        require_disjoint(resolved)
        along = jax.tree.map(
            trees.safe_divide, inner_products(resolved, w, u), inner_products(resolved, w, w)
        )
        tangent = jax.tree.map(jnp.subtract, u, scale(resolved, along, w))
        return insert(updates, tangent), state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def retract(groups: GroupsLike = None) -> optax.GradientTransformationExtraArgs:
    """Makes the step end on the sphere it began on: u ← r (w + u) / ‖w + u‖ − w, per group.

    The radius r is the group's norm *at init*, so it does not drift with the rounding of many
    steps. Goes at the end of a chain; with `project_tangent` before it, the step is a retraction
    of the tangent step.

    Args:
      groups: The norm groups; None for one per floating leaf. Leaves in no group pass unchanged.
        A group of norm zero at init stays zero. If w + u is exactly zero the step has no direction
        and the weight stays where it is. A NaN in an update reaches the weight, as everywhere in
        Optax (`optax.apply_if_finite` is there to stop it).

    Raises:
      ValueError: At init, if a leaf is in two groups, a norm is taken over a single number, or a
        group does not fit the parameters; at update, if params are missing or of another structure
        or shape than the updates.

    Example:
      >>> tx = optax.chain(optax.sgd(1.0), retract())
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> updates, _ = tx.update({"w": jnp.array([0.0, -2.0])}, tx.init(params), params)
      >>> optax.apply_updates(params, updates)["w"].round(3)
      Array([1.414, 1.414], dtype=float32)
    """

    def init_fn(params: Params) -> RetractState:
        if trees.is_placeholder(params):
            # One leaf: the norms are not shaped like parameters.
            return RetractState(radius=0)  # pyright: ignore[reportArgumentType]
        resolved = _require_directions(require_disjoint(resolve(groups, params)), params)
        return RetractState(radius=norms(resolved, params))

    def update_fn(
        updates: PyTree, state: PyTree, params: Params | None = None, **extra_args
    ) -> tuple[PyTree, RetractState]:
        del extra_args
        resolved, w, u = operands("retract", groups, updates, params)
        require_disjoint(resolved)
        moved = jax.tree.map(jnp.add, w, u)
        length = norms(resolved, moved)
        # At length zero both factors are zero: the update is zero and the weight stays.
        shrink = jax.tree.map(trees.safe_divide, state.radius, length)
        leave = jax.tree.map(lambda norm: (norm != 0).astype(norm.dtype), length)
        landed, left = scale(resolved, shrink, moved), scale(resolved, leave, w)
        return insert(updates, jax.tree.map(jnp.subtract, landed, left)), state

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _require_directions(groups: Groups, params: Params) -> Groups:
    """Refuses norms over one number: on its sphere it could only keep its value."""
    leaves = trees.named_leaves(params)
    for group in groups:
        entries = sum(_entries_per_norm(leaves[member.leaf], member) for member in group.members)
        if entries == 1:
            raise ValueError(
                f"norm group {group.name!r} takes a norm over a single number, which would stay "
                "frozen at its size. Leave such leaves (biases under per_axis) out with a mask."
            )
    return groups


def _entries_per_norm(leaf: jax.Array, member: Member) -> int:
    return math.prod(n for axis, n in enumerate(trees.shape(leaf)) if axis not in member.axes)
