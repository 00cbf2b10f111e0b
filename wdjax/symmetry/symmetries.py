"""The scale symmetries of a loss: what the prover found, to read and to hand on."""

import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction
from html import escape
from typing import Any, NamedTuple

import jax

from wdjax import trees
from wdjax.groups import Group, Groups, Member
from wdjax.symmetry.prover.linear import Equations, Form
from wdjax.symmetry.prover.values import AxisUnknown
from wdjax.symmetry.prover.walk import Need, Walk
from wdjax.typing import Params, PyTree

Splits = dict[tuple[int, int], tuple[int, ...]]
"""For leaf axes that are made of several digits, (leaf, axis) -> the sizes of the digits."""

Exponents = dict[str, Fraction | int]


class Assumption(NamedTuple):
    """A small constant that was taken for zero.

    Attributes:
      value: The constant, usually the ε of a normalisation.
      line: The source line.
    """

    value: float
    line: str


class Blocker(NamedTuple):
    """Why a leaf is not invariant by itself.

    Attributes:
      why: What sees its scale.
      line: The source line.
    """

    why: str
    line: str


@dataclasses.dataclass(frozen=True)
class Symmetries:
    """What scalings of the parameters a loss does not see; made by `wdjax.symmetry.find`.

    Given as `groups` to `wdjax.tracked` or to a transformation it stands for the norm groups that
    it found: each invariant leaf along its finest axes, and each joint group as one norm.

    Attributes:
      leaves: Paths of all leaves.
      invariant: For each leaf whose scale by itself the loss does not see, the axes along each
        index of which it may even be scaled alone (empty for the whole leaf only).
      joint: Sets of leaves that may only be scaled together: {path: exponent}, all positive.
      rescalings: Scalings that change some leaves by c and others by 1/c: {path: exponent}.
      axis_rescalings: Factors along axes that cancel between leaves, such as neuron by neuron
        between two layers: {(path, axis): exponent}.
      axis_sizes: For each independent set of factors along axes, how many factors there are.
      unused: Leaves that the loss does not depend on at all.
      assumptions: Constants that were taken for zero.
      blockers: For each other leaf, the first operation that sees its scale.
      unknown: Primitives without a rule, and where they are.
    """

    leaves: tuple[str, ...]
    invariant: dict[str, tuple[int, ...]]
    joint: tuple[Exponents, ...]
    rescalings: tuple[Exponents, ...]
    axis_rescalings: tuple[dict[tuple[str, int], Fraction | int], ...]
    axis_sizes: tuple[int, ...]
    unused: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    blockers: dict[str, Blocker]
    unknown: tuple[tuple[str, str], ...]

    @property
    def basis(self) -> tuple[Exponents, ...]:
        """A basis of all uniform scalings that the loss does not see: {path: exponent}."""
        single: tuple[Exponents, ...] = tuple({name: 1} for name in self.invariant)
        return (*single, *self.joint, *self.rescalings)

    @property
    def dimension(self) -> int:
        """The dimension of the space of uniform scalings that the loss does not see."""
        return len(self.basis)

    def mask(self, params: Params) -> PyTree:
        """A tree of bools: which leaves are invariant by themselves. Give it as an Optax mask."""
        return self._tree(params, lambda name: name in self.invariant)

    def axes(self, params: Params) -> PyTree:
        """A tree: for each invariant leaf the axes that may be scaled index by index, else None."""
        return self._tree(params, self.invariant.get)

    def labels(self, params: Params) -> PyTree:
        """A tree of "invariant" and "rest", for `optax.partition`."""
        return self._tree(params, lambda name: "invariant" if name in self.invariant else "rest")

    def _tree(self, params: Params, of_name: Any) -> PyTree:
        names = list(trees.named_leaves(params))
        if tuple(names) != self.leaves:
            raise ValueError(
                "these are not the parameters whose symmetries were found: the leaves differ, in "
                f"{', '.join(sorted(set(names) ^ set(self.leaves))) or 'their order'}."
            )
        return jax.tree.unflatten(jax.tree.structure(params), [of_name(name) for name in names])

    def __call__(self, params: Params) -> Groups:
        """Returns the norm groups, as `wdjax.groups` has them."""
        self._tree(params, str)
        single = [Group(n, (Member(n, axes),)) for n, axes in self.invariant.items()]
        together = [
            Group(" + ".join(group), tuple(map(Member, group)))
            for group in self.joint
            if len(set(group.values())) == 1
        ]
        return (*single, *together)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values, for JSON."""

        def plain(exponents: dict[Any, Fraction | int]) -> list[list[Any]]:
            return [[key, str(exponent)] for key, exponent in exponents.items()]

        return {
            "leaves": list(self.leaves),
            "dimension": self.dimension,
            "invariant": {name: list(axes) for name, axes in self.invariant.items()},
            "joint": [plain(group) for group in self.joint],
            "rescalings": [plain(pair) for pair in self.rescalings],
            "axis_rescalings": [plain(pair) for pair in self.axis_rescalings],
            "unused": list(self.unused),
            "assumptions": [assumption._asdict() for assumption in self.assumptions],
            "blockers": {name: blocker._asdict() for name, blocker in self.blockers.items()},
            "unknown": [list(entry) for entry in self.unknown],
        }

    def __str__(self) -> str:
        """A table: one line per leaf, then what holds between leaves and what was assumed."""
        width = max(map(len, self.leaves))
        lines = [f"{name:<{width}}  {self._verdict(name)}" for name in self.leaves]
        lines += [f"together: {_written(group)}" for group in self.joint]
        lines += [f"against each other: {_written(pair)}" for pair in self.rescalings]
        lines += [
            "index by index against each other: "
            + ", ".join(f"{name} axis {axis}: {c}" for (name, axis), c in pair.items())
            for pair in self.axis_rescalings
        ]
        lines += [f"assumed: {a.value:g} is zero at {a.line}" for a in self.assumptions]
        lines += [f"no rule for {name} at {line}" for name, line in self.unknown]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A table for notebooks: leaf and verdict, and below it the rest of the text."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(self._verdict(name))}</td></tr>"
            for name in self.leaves
        )
        rest = escape("\n".join(str(self).splitlines()[len(self.leaves) :]))
        return f"<table><tr><th>leaf</th><th>scale</th></tr>{rows}</table><pre>{rest}</pre>"

    def _verdict(self, name: str) -> str:
        if name in self.unused:
            return "not used by the loss"
        if name in self.invariant:
            axes = self.invariant[name]
            return "invariant" + (f", each index of axes {axes} by itself" if axes else "")
        if name in self.blockers:
            return "not invariant: {0.why} ({0.line})".format(self.blockers[name])
        return "held fixed"


def _written(exponents: Exponents) -> str:
    return ", ".join(f"{name}: {exponent}" for name, exponent in exponents.items())


def solve(
    walk: Walk,
    leaves: dict[str, Any],
    floating: dict[str, bool],
    splits: Splits,
    used: Sequence[bool],
) -> Symmetries:
    """Solves the equations that a walk collected."""
    names = list(leaves)
    unknowns = [i for i, name in enumerate(names) if floating[name] and used[i]]
    degrees = Equations(need.form for need in walk.degree_needs)
    vectors = degrees.null_space(unknowns)
    single = {next(iter(v)) for v in vectors if len(v) == 1}
    shared = [_named(v, names) for v in vectors if len(v) > 1]
    factors = Equations(need.form for need in walk.axis_needs)
    axis_vectors = factors.null_space(_axis_unknowns(unknowns, leaves, splits))
    free = {next(iter(v)) for v in axis_vectors if len(v) == 1}
    return Symmetries(
        leaves=tuple(names),
        invariant={
            names[i]: _free_axes(i, trees.shape(leaves[names[i]]), splits, free)
            for i in sorted(single)
        },
        joint=tuple(v for v in shared if min(v.values()) > 0),
        rescalings=tuple(v for v in shared if min(v.values()) < 0),
        axis_rescalings=tuple(
            {(names[u.leaf], u.axis): c for u, c in v.items()} for v in axis_vectors if len(v) > 1
        ),
        axis_sizes=tuple(_digit_size(next(iter(v)), leaves, splits) for v in axis_vectors),
        unused=tuple(n for i, n in enumerate(names) if floating[n] and not used[i]),
        assumptions=_assumptions(walk, degrees),
        blockers=_blockers(walk.degree_needs, {i: names[i] for i in unknowns if i not in single}),
        unknown=tuple(dict.fromkeys(walk.unknown)),
    )


def _named(vector: Form, names: list[str]) -> Exponents:
    """The vector by names in their order; the first of them is scaled up."""
    ordered = sorted(vector.items())
    sign = 1 if ordered[0][1] > 0 else -1
    return {names[i]: sign * c for i, c in ordered}


def _axis_unknowns(unknowns: Iterable[int], leaves: dict[str, Any], splits: Splits) -> list[Any]:
    shapes = [trees.shape(leaf) for leaf in leaves.values()]
    return [
        AxisUnknown(leaf, axis, digit)
        for leaf in unknowns
        for axis, size in enumerate(shapes[leaf])
        for digit, part in enumerate(splits.get((leaf, axis), (size,)))
        if part > 1
    ]


def _digit_size(unknown: Any, leaves: dict[str, Any], splits: Splits) -> int:
    shape = trees.shape(list(leaves.values())[unknown.leaf])
    return splits.get((unknown.leaf, unknown.axis), (shape[unknown.axis],))[unknown.digit]


def _free_axes(
    leaf: int,
    shape: tuple[int, ...],
    splits: Splits,
    free: set[Any],
) -> tuple[int, ...]:
    """The axes that may be scaled index by index; an axis that had to be cut is not among them."""
    return tuple(
        axis
        for axis in range(len(shape))
        if AxisUnknown(leaf, axis, 0) in free and (leaf, axis) not in splits
    )


def _assumptions(walk: Walk, degrees: Equations) -> tuple[Assumption, ...]:
    """The constants beside values that do scale in some symmetry."""
    needed = {Assumption(e.value, e.line): None for e in walk.epsilons if degrees.reduce(e.form)}
    return tuple(needed)


def _blockers(needs: Sequence[Need], names: dict[int, str]) -> dict[str, Blocker]:
    """For each leaf the first operation whose need it does not meet alone."""
    first: dict[str, Blocker] = {}
    for need in needs:
        for unknown in need.form:
            if unknown in names:
                first.setdefault(names[unknown], Blocker(need.why, need.line))
    return first
