"""Assertions on the scale-invariance identities, in the manner of chex.

Called eagerly they raise AssertionError. Inside a jitted function they become checks that
`chex.chexify` turns on:

    @chex.chexify
    @jax.jit
    def step(params, batch):
        wdjax.symmetry.assert_gradient_orthogonal(loss, params, batch, groups=groups)
        ...

The failure names the assertion, the group with its leaves, and the residual.
"""

import math

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.experimental import checkify

from wdjax.groups import Group, GroupsLike, resolve
from wdjax.symmetry.identities import (
    hessian_residual,
    inverse_scaling_residual,
    orthogonality_residual,
    scale_invariance_residual,
)
from wdjax.trees import named_leaves
from wdjax.typing import GroupValues, Loss, Params


def assert_gradient_orthogonal(
    loss: Loss,
    params: Params,
    *args: object,
    groups: GroupsLike = None,
    tolerance: float | None = None,
) -> None:
    """Asserts ⟨w, ∇L⟩ = 0 for every group; see `orthogonality_residual`.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`.
      params: The parameters.
      *args: Passed on to the loss.
      groups: The norm groups; None for one per floating leaf.
      tolerance: Largest residual to accept; None for the square root of the machine epsilon of
        the weights (3.5e-4 in float32, 1.5e-8 in float64), but for the cosine at most 0.03/√d with
        d the entries of the largest leaf: two unrelated vectors have a cosine of about 1/√d.

    Raises:
      AssertionError: A residual is above the tolerance, or a group has norm zero and so no
        direction.
      ValueError: The loss is not a scalar, or a group does not fit the parameters.

    Example:
      >>> assert_gradient_orthogonal(lambda w: jnp.sum(w), jnp.array([3.0, 4.0]))
      Traceback (most recent call last):
      AssertionError: [Chex] ... 'assert_gradient_orthogonal' failed: ... residual 0.98...
    """
    residuals = orthogonality_residual(loss, params, *args, groups=groups)
    entries = max(leaf.size for leaf in jax.tree.leaves(params)) if residuals else 1
    chance = 0.03 / math.sqrt(entries)
    _assert_small("assert_gradient_orthogonal", residuals, groups, params, tolerance, chance)


def assert_inverse_scaling(
    loss: Loss,
    params: Params,
    *args: object,
    groups: GroupsLike = None,
    factor: float = 2.0,
    tolerance: float | None = None,
) -> None:
    """Asserts ∇L(cw) = ∇L(w)/c for every group; see `inverse_scaling_residual`.

    Arguments and errors are those of `assert_gradient_orthogonal`; `factor` is c.

    Example:
      >>> assert_inverse_scaling(lambda w: w[0] / jnp.linalg.norm(w), jnp.array([3.0, 4.0]))
    """
    residuals = inverse_scaling_residual(loss, params, *args, groups=groups, factor=factor)
    _assert_small("assert_inverse_scaling", residuals, groups, params, tolerance)


def assert_scale_invariant(
    loss: Loss,
    params: Params,
    *args: object,
    groups: GroupsLike = None,
    factor: float = 2.0,
    tolerance: float | None = None,
) -> None:
    """Asserts L(cw) = L(w) for every group; see `scale_invariance_residual`.

    Arguments and errors are those of `assert_gradient_orthogonal`; `factor` is c.

    Example:
      >>> assert_scale_invariant(lambda w: w[0] / jnp.linalg.norm(w), jnp.array([3.0, 4.0]))
    """
    residuals = scale_invariance_residual(loss, params, *args, groups=groups, factor=factor)
    _assert_small("assert_scale_invariant", residuals, groups, params, tolerance)


def assert_hessian_identity(
    loss: Loss,
    params: Params,
    *args: object,
    groups: GroupsLike = None,
    tolerance: float | None = None,
) -> None:
    """Asserts H w = −∇L for every group; see `hessian_residual`.

    Arguments and errors are those of `assert_gradient_orthogonal`.

    Example:
      >>> assert_hessian_identity(lambda w: w[0] / jnp.linalg.norm(w), jnp.array([3.0, 4.0]))
    """
    residuals = hessian_residual(loss, params, *args, groups=groups)
    _assert_small("assert_hessian_identity", residuals, groups, params, tolerance)


def _assert_small(
    assertion: str,
    residuals: GroupValues,
    groups: GroupsLike,
    params: Params,
    tolerance: float | None,
    power: float = math.inf,
) -> None:
    """Checks the residuals; `power` bounds the default tolerance to what can refute anything."""
    for group in resolve(groups, params):
        residual = residuals[group.name]
        limit = min(_rounding(group, params), power) if tolerance is None else tolerance
        worst = jnp.max(residual)  # a NaN wins, and fails the comparison
        _check(worst <= limit, worst, _message(assertion, group, limit))


def _rounding(group: Group, params: Params) -> float:
    """The square root of the machine epsilon of the group's coarsest leaf."""
    leaves = named_leaves(params)
    return max(float(jnp.finfo(leaves[m.leaf].dtype).eps) for m in group.members) ** 0.5


def _message(assertion: str, group: Group, limit: float) -> str:
    """A message with a field for the residual, and with the opening by which chex knows its own."""
    leaves = ", ".join(member.leaf or "(the array)" for member in group.members)
    text = (
        f"[Chex] chexify assertion '{assertion}' failed: norm group '{group.name}' "
        f"(leaves: {leaves}) has residual \0, but the tolerance is {limit:.3g}. "
        "(A residual nan means a weight of norm zero, which has no direction, or a loss that is "
        "nan.)"
    )
    return text.replace("{", "{{").replace("}", "}}").replace("\0", "{residual}")


def _check(holds: jax.Array, residual: jax.Array, message: str) -> None:
    if isinstance(holds, Tracer):
        checkify.check(holds, message, residual=residual)
    elif not holds:
        raise AssertionError(message.format(residual=residual))
