"""Scalings by factors that vary along axes, in words."""

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import NamedTuple

from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.solution import Family, Solution
from wdjax.symmetry.prover.values import Place

Exponents = dict[str, Fraction | int]


class AxisScaling(NamedTuple):
    """A scaling by factors that vary along axes, in one leaf or in several.

    Attributes:
      exponents: {leaf: exponent}: the leaf is multiplied by the factors to this power. A leaf is
        named by its path, or, if only a part of it is scaled, by the path and that part.
      along: {leaf: where they vary}, in words; "everywhere alike" if they do not.
      count: How many factors may be chosen independently, their common factor aside.
    """

    exponents: Exponents
    along: dict[str, str]
    count: int


def described(solution: Solution, names: Sequence[str]) -> tuple[AxisScaling, ...]:
    """Returns the families of a solution, for leaves of these names."""
    return tuple(_described(family, solution, names) for family in solution.families())


def _described(family: Family, solution: Solution, names: Sequence[str]) -> AxisScaling:
    layouts = solution.layouts
    exponents: Exponents = {}
    along: dict[str, str] = {}
    for leaf, of_leaf in family.exponents.items():
        for fixed, exponent in of_leaf.items():
            label = names[leaf] + "".join(
                f" (part {index} of {_axis_in_words(layouts[leaf], place.axis, [place])})"
                for place, index in fixed
            )
            exponents[label] = exponent
            along[label] = _in_words(layouts[leaf], family.varying[leaf])
    return AxisScaling(exponents, along, family.count)


def _in_words(layout: Layout, varying: Collection[tuple[Place, ...]]) -> str:
    """Says along which axes, or digits of axes, factors vary."""
    subsets = sorted({subset for subset in varying if subset})
    digits = {place for subset in subsets for place in subset}
    if not digits:
        return "everywhere alike"
    if len(subsets) == 2 ** len(digits) - 1:
        return _digits_in_words(layout, digits)
    return " and ".join(_digits_in_words(layout, subset) for subset in subsets)


def _digits_in_words(layout: Layout, places: Collection[Place]) -> str:
    """The axes of some digits; where an axis has others, those that are meant in brackets."""
    axes = sorted({place.axis for place in places})
    return " by ".join(_axis_in_words(layout, axis, places) for axis in axes)


def _axis_in_words(layout: Layout, axis: int, places: Collection[Place]) -> str:
    digits = layout.digits(axis)
    free = {digit for digit in digits if not layout.is_told(digit)}
    if free == {place for place in places if place.axis == axis}:
        return f"axis {axis}"
    sizes = (f"[{digit.size}]" if digit in places else f"{digit.size}" for digit in digits)
    return f"axis {axis} as {'×'.join(sizes)}"
