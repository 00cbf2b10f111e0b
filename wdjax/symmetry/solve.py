"""From the equations of a walk to the symmetries of the loss."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wdjax.symmetry.families import Exponents
from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.linear import Equations, Form
from wdjax.symmetry.prover.solution import Solution
from wdjax.symmetry.prover.walk import Need, Walk
from wdjax.symmetry.symmetries import Assumption, Blocker, Symmetries


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
