"""From the equations of a walk to the symmetries of the loss."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.linear import Equations, Form
from wdjax.symmetry.prover.solution import Family, Solution
from wdjax.symmetry.prover.values import Factor, Place
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
    whole = {leaf: _whole_axes(layouts[leaf], f) for leaf, f in family.factors.items()}
    return AxisScaling(
        {names[leaf]: c for leaf, c in family.exponents.items()},
        {
            names[leaf]: _in_words(layouts[leaf], factors, whole[leaf])
            for leaf, factors in family.factors.items()
        },
        {names[leaf]: axes for leaf, axes in whole.items()},
        family.count,
    )


def _whole_axes(layout: Layout, factors: Sequence[Factor]) -> tuple[int, ...] | None:
    """The axes along which the factors vary freely; None if they do so only along parts."""
    axes = {place.axis for factor in factors for place in factor.places}
    wanted = {u for u in layout.unknowns() if {place.axis for place in u.places} <= axes}
    return tuple(sorted(axes)) if wanted == set(factors) else None


def _in_words(layout: Layout, factors: Sequence[Factor], whole: tuple[int, ...] | None) -> str:
    if not factors:
        return "everywhere alike"
    if whole is not None:
        return f"axis {whole[0]}" if len(whole) == 1 else f"axes {whole}"
    return " and ".join(dict.fromkeys(_part_in_words(layout, factor) for factor in factors))


def _part_in_words(layout: Layout, factor: Factor) -> str:
    free = [_digit_in_words(layout, place) for place in factor.free]
    fixed = [f"index {i} of {_digit_in_words(layout, place)}" for place, i in factor.fixed]
    return " by ".join([*free, *fixed])


def _digit_in_words(layout: Layout, place: Place) -> str:
    if place.size == layout.shape[place.axis]:
        return f"axis {place.axis}"
    sizes = "×".join(str(digit.size) for digit in layout.digits(place.axis))
    return f"the {place.size} of axis {place.axis} as {sizes}"


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
