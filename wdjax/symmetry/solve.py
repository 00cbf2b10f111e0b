"""From the equations of a walk to the symmetries of the loss."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.linear import Equations, Form
from wdjax.symmetry.prover.solution import Family, Solution
from wdjax.symmetry.prover.values import Place
from wdjax.symmetry.prover.walk import Need, Walk
from wdjax.symmetry.symmetries import Assumption, AxisScaling, Blocker, Exponents, Symmetries


class Leaves(NamedTuple):
    """The leaves of the parameters, by number.

    Attributes:
      names: Their paths.
      layouts: Of those that are scaled, the digits of their axes.
      unused: Paths of those that the loss does not read.
      dead: Paths of those that it does not depend on.
    """

    names: tuple[str, ...]
    layouts: Mapping[int, Layout]
    unused: tuple[str, ...]
    dead: tuple[str, ...]


def solve(walk: Walk, leaves: Leaves, masks: Sequence[Assumption]) -> Symmetries:
    """Solves the equations that a walk collected.

    Args:
      walk: The walk.
      leaves: What was scaled.
      masks: Assumptions that were made before the walk.
    """
    solution = Solution([need.form for need in walk.needs], leaves.layouts)
    vectors = solution.uniform_basis()
    single = sorted(next(iter(v)) for v in vectors if len(v) == 1)
    shared = [_named(v, leaves.names) for v in vectors if len(v) > 1]
    others = {i: leaves.names[i] for i in leaves.layouts if i not in single}
    return Symmetries(
        leaves=leaves.names,
        invariant={leaves.names[i]: solution.axes_alone(i) for i in single},
        joint=tuple(v for v in shared if min(v.values()) > 0),
        rescalings=tuple(v for v in shared if min(v.values()) < 0),
        along_axes=tuple(
            _described(f, leaves.names, solution.layouts) for f in solution.families()
        ),
        unused=leaves.unused,
        dead=leaves.dead,
        assumptions=(*masks, *_assumptions(walk, solution.full)),
        blockers=_blockers(walk.needs, others),
        unknown=tuple(dict.fromkeys(walk.unknown)),
        solution=solution,
    )


def _named(vector: Form, names: tuple[str, ...]) -> Exponents:
    """The vector by names in their order; the first of them is scaled up."""
    ordered = sorted(vector.items())
    sign = 1 if ordered[0][1] > 0 else -1
    return {names[i]: sign * c for i, c in ordered}


def _described(family: Family, names: Sequence[str], layouts: Mapping[int, Layout]) -> AxisScaling:
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


def _assumptions(walk: Walk, full: Equations) -> list[Assumption]:
    """The constants beside values that do scale in some symmetry."""
    needed = [taken for taken in walk.taken if any(full.reduce(form) for form in taken.forms)]
    return list(dict.fromkeys(Assumption(t.value, t.what, t.line) for t in needed))


def _blockers(needs: Sequence[Need], names: Mapping[int, str]) -> dict[str, Blocker]:
    """For each leaf the first operation whose need it does not meet alone."""
    first: dict[str, Blocker] = {}
    for need in sorted(needs, key=lambda need: need.of_gradient):
        for unknown in need.form:
            if unknown in names and names[unknown] not in first:
                first[names[unknown]] = Blocker(need.why, need.line)
    return first
