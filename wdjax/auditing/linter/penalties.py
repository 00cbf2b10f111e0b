"""Decay that is written into the loss: penalties on the parameters, found and taken out again."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax import trees
from wdjax.auditing.linter.walk import walk
from wdjax.typing import Loss, Params


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
    at random ones: R is taken for a sum of (s/2)‖w‖² if ∇R = s w for each leaf. The dtypes are
    those of the parameters.

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

    def part(params: Params, args: Sequence[Any], *, data: bool) -> jax.Array:
        terms = [t.value for t in walk(loss, params, args).loss.split if t.data is data]
        return jnp.sum(jnp.stack(terms)) if terms else jnp.zeros(())

    if not jax.eval_shape(lambda p, a: _any_penalty(loss, p, a), params, tuple(args)).shape[0]:
        return Penalties({}, loss)
    weights = perturbed(params, 1.0)
    gradient = jax.jit(jax.grad(lambda p, a: part(p, a, data=False), allow_int=True))(
        weights, tuple(args)
    )
    strengths = _strengths(trees.named_leaves(weights), trees.named_leaves(gradient))
    if not strengths:
        return Penalties({}, loss)
    return Penalties(strengths, lambda params, *args: part(params, args, data=True))


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


def _any_penalty(loss: Loss, params: Params, args: Sequence[Any]) -> jax.Array:
    """As many zeros as the loss has summands without data."""
    return jnp.zeros(sum(not term.data for term in walk(loss, params, args).loss.split))


def _strengths(weights: dict[str, Any], gradient: dict[str, Any]) -> dict[str, float]:
    """The strength of each leaf with a penalty; none at all if one is no L2 penalty."""
    found = {}
    for name, leaf in weights.items():
        if not trees.is_floating(leaf):
            continue
        w, g = np.asarray(leaf, float), np.asarray(gradient[name], float)
        if not np.any(g):
            continue
        s = float(np.vdot(w, g) / np.vdot(w, w))
        if np.linalg.norm(g - s * w) > 1e-2 * np.linalg.norm(g):
            return {}
        found[name] = s
    return found
