"""Decay that is written into the loss: penalties on the parameters, found and taken out again."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax import trees
from wdjax.auditing.linter.walk import walk
from wdjax.typing import Loss, Params

MOST = 64
"""Of more summands none is looked at by itself."""


class Penalties(NamedTuple):
    """What a loss adds that depends on the parameters alone.

    Attributes:
      strengths: s per leaf with the penalty (s/2)‖w‖², whose gradient is s w.
      loss: The loss without its penalties; the loss itself if it has none of that kind.
    """

    strengths: dict[str, float]
    loss: Loss


def find_penalties(loss: Loss, params: Params, args: Sequence[Any]) -> Penalties:
    """Finds L2 penalties among the summands of a loss.

    A summand that depends on no data is the penalty R. Its gradient is held against the weights,
    at random ones and at twice those: R is taken for a sum of (s/2)‖w‖² if ∇R = s w for each leaf.
    If R as a whole is none, each of its summands is asked. The dtypes are those of the parameters.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`, or `-> (scalar, anything)`.
      params: The parameters.
      args: What else the loss takes.

    Example:
      >>> def loss(w, x):
      ...     return jnp.mean((x @ w) ** 2) + 5e-4 * jnp.sum(w**2)
      >>> found = find_penalties(loss, jnp.ones(3), (jnp.ones((2, 3)),))
      >>> {name: round(strength, 6) for name, strength in found.strengths.items()}
      {'': 0.001}
    """
    free = _without_data(loss, params, args)
    if not free:
        return Penalties({}, loss)

    def total(params: Params, args: Sequence[Any], shares: jax.Array) -> jax.Array:
        terms = walk(loss, params, args).loss.split
        return jnp.sum(
            jnp.stack([share * terms[i].value for i, share in zip(free, shares, strict=True)])
        )

    gradient = jax.jit(jax.grad(total, allow_int=True))
    weights = perturbed(params, 1.0)
    doubled = jax.tree.map(lambda w: 2 * w if trees.is_floating(w) else w, weights)

    def strengths(shares: np.ndarray) -> dict[str, float] | None:
        both = (trees.named_leaves(gradient(w, tuple(args), shares)) for w in (weights, doubled))
        return _strengths(trees.named_leaves(weights), *both)

    kinds = np.eye(len(free), dtype=np.float32)
    found = strengths(np.ones_like(kinds[0]))
    taken = set(free)
    if found is None:
        # L2 beside penalties of other kinds: each summand by itself.
        each = [strengths(kind) for kind in kinds] if len(free) <= MOST else []
        taken = {i for i, strength in zip(free, each, strict=False) if strength is not None}
        found = {}
        for strength in filter(None, each):
            found |= {name: found.get(name, 0.0) + s for name, s in strength.items()}
    if not found:
        return Penalties({}, loss)

    def rest(params: Params, *args: Any) -> jax.Array:
        terms = walk(loss, params, args).loss.split
        kept = [term.value for i, term in enumerate(terms) if i not in taken]
        return jnp.sum(jnp.stack(kept)) if kept else jnp.zeros(())

    return Penalties(found, rest)


def _without_data(loss: Loss, params: Params, args: Sequence[Any]) -> list[int]:
    """Which summands of the loss depend on no data."""
    found: list[int] = []

    def look(params: Params, args: Sequence[Any]) -> jax.Array:
        terms = walk(loss, params, args).loss.split
        found[:] = [i for i, term in enumerate(terms) if not term.data]
        return jnp.zeros(())

    jax.eval_shape(look, params, tuple(args))
    return found


def perturbed(params: Params, size: float) -> Params:
    """Returns the parameters with noise on the floating-point ones.

    The noise is of `size` times the root mean square of the leaf; where a leaf is zero, of `size`.
    """
    rng = np.random.default_rng(0)

    def moved(leaf: Any) -> Any:
        if not trees.is_floating(leaf):
            return leaf
        rms = float(np.sqrt(np.mean(np.asarray(leaf, float) ** 2))) or 1.0
        noise = size * rms * rng.normal(size=trees.shape(leaf))
        return jnp.asarray(np.asarray(leaf, float) + noise, trees.dtype(leaf))

    return jax.tree.map(moved, params)


def _strengths(
    weights: dict[str, Any], gradient: dict[str, Any], at_double: dict[str, Any]
) -> dict[str, float] | None:
    """The strength of each leaf with a penalty; None if one is no L2 penalty."""
    found = {}
    for name, leaf in weights.items():
        if not trees.is_floating(leaf):
            continue
        w, g, twice = (np.asarray(x, float) for x in (leaf, gradient[name], at_double[name]))
        if not np.any(g):
            continue
        s = float(np.vdot(w, g) / np.vdot(w, w))
        # A leaf of one entry is parallel to any gradient, but not at twice its value.
        off = max(np.linalg.norm(g - s * w), np.linalg.norm(twice - 2 * s * w))
        if not off <= 1e-2 * np.linalg.norm(g):
            return None
        found[name] = s
    return found
