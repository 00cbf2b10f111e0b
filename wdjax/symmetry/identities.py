"""Residuals of the identities that hold for weights whose scale the loss does not see.

Each function takes `loss(params, *args) -> scalar` and returns, per norm group, how far the
identity is from holding: zero (to rounding) where it holds, NaN for a group of norm zero, which has
no direction to scale along. All are pure and work under `jit`, `vmap` and `grad`.

A group that keeps axes is scaled by a *different* factor at each kept index, so a loss that sees
only their ratio is caught: the whole kernel before a layer norm passes as one group and fails as
one group per output channel.
"""

import jax
import jax.numpy as jnp
from jax.core import Tracer

from wdjax import trees
from wdjax.groups import (
    Group,
    Groups,
    GroupsLike,
    extract,
    inner_products,
    insert,
    norms,
    only,
    resolve,
    scale,
)
from wdjax.typing import GroupValues, Loss, Params


def orthogonality_residual(
    loss: Loss, params: Params, *args: object, groups: GroupsLike = None
) -> GroupValues:
    """|cos(w, ∇L)| = |⟨w, ∇L⟩| / (‖w‖‖∇L‖) per group; zero by Euler's theorem for L(cw) = L(w).

    Args:
      loss: A pure function `loss(params, *args) -> scalar`.
      params: The parameters.
      *args: Passed on to the loss.
      groups: The norm groups; None for one per floating leaf.

    Returns:
      Per group, a number in [0, 1] (one per kept index). It is 0 where the gradient is zero and
      NaN where the weight is.

    Raises:
      ValueError: The loss is not a scalar, or a group does not fit the parameters.

    Source: van Laarhoven, arXiv:1706.05350; Labatie (2020).

    Example:
      >>> blind = lambda w: jnp.sum(w[0] / jnp.linalg.norm(w))
      >>> print(orthogonality_residual(blind, jnp.array([3.0, 4.0]))[""].round(6))
      0.0
    """
    resolved = resolve(groups, params)
    w, g = extract(resolved, params), extract(resolved, _gradient(loss, params, args))
    along = inner_products(resolved, w, g)
    w_norms, g_norms = norms(resolved, w), norms(resolved, g)
    return {
        name: _nan_where_zero(
            trees.safe_divide(jnp.abs(along[name]), w_norms[name] * g_norms[name]), w_norms[name]
        )
        for name in along
    }


def inverse_scaling_residual(
    loss: Loss, params: Params, *args: object, groups: GroupsLike = None, factor: float = 2.0
) -> GroupValues:
    """‖c ∇L(cw) − ∇L(w)‖ / ‖∇L(w)‖ per group, each group scaled by itself; zero for L(cw) = L(w).

    Costs one gradient per group.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`.
      params: The parameters.
      *args: Passed on to the loss.
      groups: The norm groups; None for one per floating leaf.
      factor: c > 0. With kept axes the factors run from c to √c over the kept indices.

    Returns:
      Per group a number ≥ 0 (one per kept index). NaN where the weight is zero.

    Raises:
      ValueError: The loss is not a scalar, the factor is not positive and finite or is 1, or a
        group does not fit the parameters.

    Source: Labatie (2020); the article `L2 Regularization and Batch Norm` of Jane Street (2019).

    Example:
      >>> blind = lambda w: jnp.sum(w[0] / jnp.linalg.norm(w))
      >>> print(inverse_scaling_residual(blind, jnp.array([3.0, 4.0]))[""].round(6))
      0.0
    """
    resolved = resolve(groups, params)
    gradient = _gradient(loss, params, args)
    factors = _factors(resolved, params, factor)

    def residual(group: Group) -> jax.Array:
        alone = (group,)
        scaled = insert(params, scale(alone, factors, extract(alone, params)))
        scaled_back = scale(alone, factors, extract(alone, _gradient(loss, scaled, args)))
        before = extract(alone, gradient)
        change = norms(alone, jax.tree.map(jnp.subtract, scaled_back, before))[group.name]
        relative = _relative(change, norms(alone, before)[group.name])
        return _nan_where_zero(relative, norms(alone, extract(alone, params))[group.name])

    return {group.name: residual(group) for group in resolved}


def scale_invariance_residual(
    loss: Loss, params: Params, *args: object, groups: GroupsLike = None, factor: float = 2.0
) -> GroupValues:
    """|L(cw) − L(w)| / |L(w)|, each group scaled by itself; zero where the loss is blind to it.

    Costs one evaluation of the loss per group.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`.
      params: The parameters.
      *args: Passed on to the loss.
      groups: The norm groups; None for one per floating leaf.
      factor: c > 0. With kept axes the factors run from c to √c over the kept indices.

    Returns:
      One number per group. NaN where all of the group's weight is zero.

    Raises:
      ValueError: The loss is not a scalar, the factor is not positive and finite or is 1, or a
        group does not fit the parameters.

    Example:
      >>> blind = lambda w: jnp.sum(w[0] / jnp.linalg.norm(w))
      >>> print(scale_invariance_residual(blind, jnp.array([3.0, 4.0]))[""].round(6))
      0.0
    """
    resolved = resolve(groups, params)
    _require_scalar(loss, params, args)
    value = loss(params, *args)
    factors = _factors(resolved, params, factor)

    def residual(group: Group) -> jax.Array:
        w = extract((group,), params)
        scaled = insert(params, scale((group,), factors, w))
        relative = _relative(jnp.abs(loss(scaled, *args) - value), jnp.abs(value))
        return _nan_where_zero(relative, jnp.sum(norms((group,), w)[group.name]))

    return {group.name: residual(group) for group in resolved}


def hessian_residual(
    loss: Loss, params: Params, *args: object, groups: GroupsLike = None
) -> GroupValues:
    """‖H w_f + ∇_f L‖ / ‖∇_f L‖ over *all* parameters, w_f being the group and zero elsewhere.

    The derivative of ∇L(cw) = ∇L(w)/c by c: along the group the Hessian gives back minus the
    gradient, and nothing in the rows of the other groups. Costs one Hessian-vector product per
    group. With kept axes the parts of w_f are weighted differently at each kept index.

    Args:
      loss: A pure, twice differentiable function `loss(params, *args) -> scalar`.
      params: The parameters. Leaves that are not floating-point are held fixed.
      *args: Passed on to the loss.
      groups: The norm groups; None for one per floating leaf.

    Returns:
      One number per group. NaN where all of the group's weight is zero.

    Raises:
      ValueError: The loss is not a scalar, or a group does not fit the parameters.

    Example:
      >>> blind = lambda w: jnp.sum(w[0] / jnp.linalg.norm(w))
      >>> print(hessian_residual(blind, jnp.array([3.0, 4.0]))[""].round(6))
      0.0
    """
    resolved = resolve(groups, params)
    everything = resolve(None, params)
    w = extract(everything, params)
    factors = _factors(resolved, params, 2.0)

    def gradient_of(leaves: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return extract(everything, _gradient(loss, insert(params, leaves), args))

    gradient, along = jax.linearize(gradient_of, w)

    def residual(group: Group) -> jax.Array:
        direction = only((group,), scale((group,), factors, w))
        expected = only((group,), scale((group,), factors, gradient))
        error = jax.tree.map(jnp.add, along(direction), expected)
        size = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(error)))
        reference = jnp.sqrt(sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(expected)))
        own_norm = jnp.sum(norms((group,), w)[group.name])
        return _nan_where_zero(_relative(size, reference), own_norm)

    return {group.name: residual(group) for group in resolved}


def _gradient(loss: Loss, params: Params, args: tuple) -> Params:
    """The gradient by the floating leaves; zeros in the place of the others."""
    _require_scalar(loss, params, args)
    leaves = trees.named_leaves(params)
    floating = {name: leaf for name, leaf in leaves.items() if trees.is_floating(leaf)}

    def of_floating(part: dict[str, jax.Array]) -> jax.Array:
        return loss(trees.with_leaves(params, (leaves | part).values()), *args)

    gradient = jax.grad(of_floating)(floating)
    zeros = {name: jnp.zeros(jnp.shape(leaf)) for name, leaf in leaves.items()}
    return trees.with_leaves(params, (zeros | gradient).values())


def _require_scalar(loss: Loss, params: Params, args: tuple) -> None:
    out = jax.eval_shape(loss, params, *args)
    if getattr(out, "shape", None) != ():
        raise ValueError(
            f"the loss returned {out}; expected a scalar array. A loss with auxiliary outputs is "
            "wrapped as `lambda params, *args: loss(params, *args)[0]`."
        )


def _factors(groups: Groups, params: Params, factor: float) -> GroupValues:
    """Per group the factors to scale by: c, or numbers from c to √c over the kept indices."""
    if not isinstance(factor, Tracer) and not (0 < factor < jnp.inf and factor != 1):
        raise ValueError(f"factor is {factor}; expected a positive finite number other than 1.")

    def spread(norm: jax.Array) -> jax.Array:
        count = max(norm.size, 1)
        # All different, none zero, nor of sum zero: no channel and no product stays as it was.
        exponents = jnp.linspace(1.0, 0.5, count)
        return (factor**exponents).reshape(norm.shape).astype(norm.dtype)

    return jax.tree.map(spread, norms(groups, params))


def _relative(error: jax.Array, reference: jax.Array) -> jax.Array:
    """Relative error, with 0/0 = 0, and infinity for an error where nothing was expected."""
    return jnp.where((reference == 0) & (error > 0), jnp.inf, trees.safe_divide(error, reference))


def _nan_where_zero(residual: jax.Array, norm: jax.Array) -> jax.Array:
    return jnp.where(norm == 0, jnp.nan, residual)
