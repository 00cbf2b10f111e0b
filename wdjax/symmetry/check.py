"""Measures proved symmetries on real values: the only thing that may refute one."""

from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp

from wdjax import trees
from wdjax.symmetry.symmetries import Symmetries
from wdjax.typing import Loss, Params


class Checked(NamedTuple):
    """What one symmetry comes to on real values.

    Attributes:
      scaling: The symmetry: {path: exponent}.
      axes: The axes of its leaf that were scaled index by index, if it is of one leaf.
      loss_change: |L(scaled) − L| / |L|.
      alignment: |Σ dᵢ⟨wᵢ, gᵢ⟩| / Σ |dᵢ|‖wᵢ‖‖gᵢ‖, by Euler's theorem zero for a symmetry with the
        exponents d.
      refuted: Whether one of them is above the tolerance: then the symmetry is none, be it for a
        wrong rule or for an ε that is not small beside what it is added to.
    """

    scaling: dict[str, Fraction | int]
    axes: tuple[int, ...]
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

    Leaves that may be scaled index by index are, by factors from c to √c along their axes. What is
    left beside rounding is what the assumed ε cost at these values.

    Args:
      symmetries: What `find` returned.
      loss: The loss that they were found of.
      params: Real values of the parameters.
      *args: What else the loss takes.
      factor: c > 0, other than 1.
      tolerance: What counts as zero; None for the square root of the machine epsilon of the
        coarsest leaf.

    Returns:
      One entry per vector of `symmetries.basis`, in its order.

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

    def value(part: dict[str, jax.Array]) -> jax.Array:
        out = loss(trees.with_leaves(params, (leaves | part).values()), *args)
        return out[0] if isinstance(out, tuple | list) else out

    floating = {name: jnp.asarray(x) for name, x in leaves.items() if trees.is_floating(x)}
    before, gradient = jax.value_and_grad(value)(floating)

    def measure(scaling: dict[str, Fraction | int]) -> Checked:
        (first, *others) = scaling
        axes = symmetries.invariant.get(first, ()) if not others else ()
        scaled = {
            name: _scaled(floating[name], factor ** float(exponent), axes)
            for name, exponent in scaling.items()
        }
        change = abs(float(value(scaled)) - float(before)) / max(abs(float(before)), 1e-30)
        alignment = _alignment(scaling, floating, gradient)
        refuted = not (change <= limit and alignment <= limit)
        return Checked(scaling, axes, change, alignment, refuted)

    return tuple(map(measure, symmetries.basis))


def _scaled(leaf: jax.Array, factor: float, axes: tuple[int, ...]) -> jax.Array:
    """Multiplies by the factor, or along the axes by factors from it to its root."""
    if not axes:
        return leaf * jnp.asarray(factor, leaf.dtype)
    for axis in axes:
        factors = factor ** jnp.linspace(1.0, 0.5, leaf.shape[axis], dtype=leaf.dtype)
        others = tuple(i for i in range(leaf.ndim) if i != axis)
        leaf = leaf * jnp.expand_dims(factors, others)
    return leaf


def _alignment(
    scaling: dict[str, Fraction | int],
    weights: dict[str, jax.Array],
    gradient: dict[str, jax.Array],
) -> float:
    total = sum(float(d) * float(jnp.vdot(weights[n], gradient[n])) for n, d in scaling.items())
    size = sum(
        abs(float(d)) * float(jnp.linalg.norm(weights[n]) * jnp.linalg.norm(gradient[n]))
        for n, d in scaling.items()
    )
    return abs(total) / size if size else 0.0
