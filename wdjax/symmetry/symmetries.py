"""The scale symmetries of a loss: what the prover found, to read and to hand on."""

import dataclasses
import functools
from fractions import Fraction
from html import escape
from typing import Any, NamedTuple

import jax
import numpy as np

from wdjax import trees
from wdjax.groups import Group, Groups, Member
from wdjax.symmetry.families import AxisScaling, Exponents, described
from wdjax.symmetry.prover.solution import Solution
from wdjax.typing import Params, PyTree


class Assumption(NamedTuple):
    """A constant that was taken for another number.

    Attributes:
      value: The constant: usually the ε of a normalisation, which is taken for zero, or the large
        negative one of a mask, taken for infinite.
      what: What it was taken to be, in words.
      line: The source line.
    """

    value: float
    what: str
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
      unused: Leaves that the loss does not read.
      dead: Leaves that the loss reads and does not depend on: what they add is taken away again.
      assumptions: Constants that were taken for zero.
      blockers: For each other leaf, the first operation that sees its scale.
      unknown: Primitives without a rule, and where they are.
      solution: The null space itself.
    """

    leaves: tuple[str, ...]
    invariant: dict[str, tuple[int, ...]]
    joint: tuple[Exponents, ...]
    rescalings: tuple[Exponents, ...]
    unused: tuple[str, ...]
    dead: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    blockers: dict[str, Blocker]
    unknown: tuple[tuple[str, str], ...]
    solution: Solution = dataclasses.field(repr=False, compare=False)

    @property
    def basis(self) -> tuple[Exponents, ...]:
        """A basis of all uniform scalings that the loss does not see: {path: exponent}."""
        single: tuple[Exponents, ...] = tuple({name: 1} for name in self.invariant)
        return (*single, *self.joint, *self.rescalings)

    @property
    def dimension(self) -> int:
        """The dimension of the space of uniform scalings that the loss does not see."""
        return len(self.basis)

    @functools.cached_property
    def along_axes(self) -> tuple[AxisScaling, ...]:
        """The scalings by factors that vary along axes, other than those of `invariant`.

        Such as neuron by neuron between two layers, or head by head of one leaf.
        """
        return described(self.solution, self.leaves)

    @property
    def full_dimension(self) -> int:
        """The dimension of the space of all scalings found, with factors that vary along axes."""
        return self.solution.dimension

    def random_scaling(self, params: Params, rng: np.random.Generator) -> PyTree:
        """Returns factors for all entries, in float64: a random scaling that the loss is blind to.

        Leaves that are dead or unused get random factors for each entry. The loss of the parameters
        times the factors is that of the parameters, up to the assumptions.
        """
        logarithms = self.solution.random_logarithms(rng)
        found = dict(zip(self.leaves, range(len(self.leaves)), strict=True))

        def factors(name: str) -> np.ndarray:
            leaf = trees.named_leaves(params)[name]
            if found[name] in logarithms:
                return np.exp(logarithms[found[name]] / 2)
            idle = name in self.unused or name in self.dead
            return np.exp(rng.normal(size=trees.shape(leaf)) / 2 * idle)

        return self._tree(params, factors)

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
            "along_axes": [
                {"exponents": plain(a.exponents), "along": a.along, "count": a.count}
                for a in self.along_axes
            ],
            "unused": list(self.unused),
            "dead": list(self.dead),
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
            f"{_sort(a.exponents)} with factors of their own: {_along(a)}" for a in self.along_axes
        ]
        lines += [
            f"assumed: {assumption.value:g} {assumption.what} at {assumption.line}"
            for assumption in self.assumptions
        ]
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
        if name in self.dead:
            return "dead: what it adds is taken away again"
        if name in self.invariant:
            axes = self.invariant[name]
            return "invariant" + (f", each index of axes {axes} by itself" if axes else "")
        if name in self.blockers:
            return "not invariant: {0.why} ({0.line})".format(self.blockers[name])
        return "held fixed"


def _written(exponents: Exponents) -> str:
    return ", ".join(f"{name}: {exponent}" for name, exponent in exponents.items())


def _sort(exponents: Exponents) -> str:
    if len(exponents) == 1:
        return "by itself,"
    return "together," if min(exponents.values()) > 0 else "against each other,"


def _along(scaling: AxisScaling) -> str:
    return ", ".join(f"{n}: {c} ({scaling.along[n]})" for n, c in scaling.exponents.items())
