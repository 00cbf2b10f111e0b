"""Measures proved symmetries on real values: the only thing that may refute one."""

import math
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.symmetry.prover.solution import Family
from wdjax.symmetry.symmetries import Exponents, Symmetries
from wdjax.typing import Loss, Params


class Checked(NamedTuple):
    """What one symmetry, or one family of them, comes to on real values.

    Attributes:
      scaling: The symmetry: {leaf: exponent}.
      along: {leaf: where its factors vary}, in words, for those that do.
      loss_change: |L(scaled) − L| / |L|.
      alignment: |Σ dᵢ wᵢ gᵢ| / √(Σ (dᵢ wᵢ)² · Σ gᵢ²) over all entries i of the leaves that are
        multiplied by exp(dᵢ); by Euler's theorem zero for a symmetry. A gradient that is nothing
        but rounding beside that of the other leaves counts as zero.
      refuted: Whether one of them is above the tolerance: then the symmetry is none, be it for a
        wrong rule or for a constant that is not what it was taken to be.
    """

    scaling: dict[str, Fraction | int]
    along: dict[str, str]
    loss_change: float
    alignment: float
    refuted: bool


def check(
    symmetries: Symmetries,
    loss: Loss,
    params: Params,
    *args: object,
    factor: float = 2.0,
    tolerance: float | None = None,
) -> tuple[Checked, ...]:
    """Measures each reported symmetry: how much the loss and the gradient see of it.

    A leaf that may be scaled index by index is, by factors from c to √c over the joint indices of
    its axes; a family of scalings along axes is measured by a random one of them. What is left
    beside rounding is what the assumptions cost at these values.

    Args:
      symmetries: What `find` returned.
      loss: The loss that they were found of.
      params: Real values of the parameters.
      *args: What else the loss takes.
      factor: c > 0, other than 1.
      tolerance: What counts as zero; None for the square root of the machine epsilon of the
        coarsest leaf.

    Returns:
      One entry per vector of `symmetries.basis` and then one per family of
      `symmetries.along_axes`, in their order.

    Raises:
      ValueError: The parameters are others than those of the symmetries, or the factor shows
        nothing.

    Example:
      >>> from wdjax.symmetry import find
      >>> blind = lambda params: params["w"][0] / jnp.linalg.norm(params["w"])
      >>> params = {"w": jnp.array([3.0, 4.0])}
      >>> [checked.refuted for checked in check(find(blind, params), blind, params)]
      [False]
    """
    if not 0 < factor < jnp.inf or factor == 1:
        raise ValueError(f"factor is {factor}; expected a positive finite number other than 1.")
    symmetries.mask(params)  # checks that they belong together
    leaves = trees.named_leaves(params)
    coarsest = max(
        (float(jnp.finfo(trees.dtype(x)).eps) for x in leaves.values() if trees.is_floating(x)),
        default=0.0,
    )
    limit = coarsest**0.5 if tolerance is None else tolerance

    @jax.jit
    def value(part: dict[str, jax.Array]) -> jax.Array:
        out = loss(trees.with_leaves(params, (leaves | part).values()), *args)
        return out[0] if isinstance(out, tuple | list) else out

    floating = {name: jnp.asarray(x) for name, x in leaves.items() if trees.is_floating(x)}
    before, gradient = jax.jit(jax.value_and_grad(value))(floating)

    def measure(
        scaling: Exponents, along: dict[str, str], logarithms: dict[str, np.ndarray]
    ) -> Checked:
        scaled = {
            name: floating[name] * jnp.exp(jnp.asarray(logs)).astype(trees.dtype(floating[name]))
            for name, logs in logarithms.items()
        }
        change = abs(float(value(scaled)) - float(before)) / max(abs(float(before)), 1e-30)
        alignment = _alignment(logarithms, floating, gradient, coarsest**0.5)
        refuted = not (change <= limit and alignment <= limit)
        return Checked(scaling, along, change, alignment, refuted)

    single = [
        measure(scaling, *_of_basis(symmetries, scaling, floating, math.log(factor)))
        for scaling in symmetries.basis
    ]
    rng = np.random.default_rng(0)
    families = zip(symmetries.along_axes, symmetries.solution.families(), strict=True)
    together = [
        measure(family.exponents, family.along, _of_family(symmetries, chosen, rng, factor))
        for family, chosen in families
    ]
    return (*single, *together)


def _of_basis(
    symmetries: Symmetries, scaling: Exponents, leaves: dict[str, jax.Array], size: float
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Where the factors of a symmetry vary, and their logarithms."""
    (first, *others) = scaling
    axes = symmetries.invariant.get(first, ()) if not others else ()
    if not axes:
        return {}, {name: np.array(size * exponent) for name, exponent in scaling.items()}
    shape = leaves[first].shape
    sizes = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    varied = np.linspace(size, size / 2, math.prod(sizes)).reshape(sizes)
    return {first: " by ".join(f"axis {axis}" for axis in axes)}, {first: varied}


def _of_family(
    symmetries: Symmetries, family: Family, rng: np.random.Generator, factor: float
) -> dict[str, np.ndarray]:
    """The logarithms of the factors of a random scaling of a family, of the size of the factor."""
    drawn = symmetries.solution.random_logarithms(rng, family)
    largest = max(np.abs(logs).max() for logs in drawn.values())
    size = abs(math.log(factor)) / max(largest, 1e-30)
    return {symmetries.leaves[i]: size * logs for i, logs in drawn.items() if np.any(logs)}


def _alignment(
    logarithms: dict[str, np.ndarray],
    weights: dict[str, jax.Array],
    gradient: dict[str, jax.Array],
    rounding: float,
) -> float:
    moved = {name: jnp.asarray(logs) * weights[name] for name, logs in logarithms.items()}
    total = sum(float(jnp.vdot(moved[name], gradient[name])) for name in moved)
    own = float(optax.tree.norm({name: gradient[name] for name in moved}))
    size = float(optax.tree.norm(moved)) * (own + rounding * float(optax.tree.norm(gradient)))
    return abs(total) / size if size else 0.0
