"""The walk over a jaxpr that collects, as linear equations, what each operation needs."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from wdjax.jax_compat import constants, is_literal, open_jaxpr, shape_of, source_line
from wdjax.symmetry.prover.linear import ZERO, Form, combine
from wdjax.symmetry.prover.values import Axis, AxisUnknown, Digit, Value, invariant

SMALL = 1e-3
"""The largest constant that may be taken for the ε of a normalisation."""


class Need(NamedTuple):
    """An equation `form = 0`, and what asks for it.

    Attributes:
      form: The form that has to vanish.
      why: What needs it, in words.
      eqn: The operation in the jaxpr; None for the loss as a whole.
    """

    form: Form
    why: str
    eqn: Any | None

    @property
    def line(self) -> str:
        """The source line."""
        return source_line(self.eqn) if self.eqn is not None else "the value of the loss"


class Epsilon(NamedTuple):
    """A small constant that was added to, or compared with, a value that scales.

    Attributes:
      value: The constant.
      form: The degree of the value.
      eqn: The operation in the jaxpr.
    """

    value: float
    form: Form
    eqn: Any

    @property
    def line(self) -> str:
        """The source line."""
        return source_line(self.eqn)


Rule = Callable[..., Value | Sequence[Value]]
"""`rule(walk, eqn, *values) -> value or values`, one per output of the equation."""


class Walk:
    """One pass over a jaxpr.

    Attributes:
      degree_needs: Equations between the degrees of leaves.
      axis_needs: Equations between factors along axes.
      epsilons: Small constants that were taken for zero.
      unknown: Primitives without a rule that met a value that scales, with their source lines.
      splits: Where the digits of leaf axes have to be cut for the next walk: per unknown, the
        products of the sizes behind each cut.
      scanned: For each scan that is being walked, the factors along its axis.
    """

    def __init__(self, rules: dict[str, Rule], *, exact: bool):
        self.degree_needs: list[Need] = []
        self.axis_needs: list[Need] = []
        self.epsilons: list[Epsilon] = []
        self.unknown: list[tuple[str, str]] = []
        self.splits: dict[AxisUnknown, set[int]] = {}
        self.scanned: list[set[AxisUnknown]] = []
        self._rules = rules
        self._exact = exact
        self._within: list[Any] = []

    def run(
        self, jaxpr: Any, inputs: Sequence[Value], consts: Sequence[Any] | None = None
    ) -> list[Value]:
        """Walks a jaxpr; returns the values of its outputs.

        Args:
          jaxpr: A jaxpr, open or closed.
          inputs: The values of its inputs.
          consts: Its constants, if it is open and has some.
        """
        body = open_jaxpr(jaxpr)
        held = [of_array(array) for array in (constants(jaxpr) if consts is None else consts)]
        known = dict(zip(body.constvars, held, strict=True))
        known.update(zip(body.invars, inputs, strict=True))

        def read(atom: Any) -> Value:
            return of_array(atom.val) if is_literal(atom) else known[atom]

        for eqn in _needed(body):
            outputs = self._apply(eqn, [read(atom) for atom in eqn.invars])
            known.update(zip(eqn.outvars, outputs, strict=True))
        return [read(atom) for atom in body.outvars]

    def _apply(self, eqn: Any, values: list[Value]) -> Sequence[Value]:
        self._within.append(eqn)
        rule = self._rules.get(eqn.primitive.name)
        if not any(value.degree is None or value.scales for value in values) and rule is None:
            outputs: Any = [invariant(shape_of(out)) for out in eqn.outvars]
        elif rule is None:
            outputs = self._without_rule(eqn, values)
        else:
            outputs = rule(self, eqn, *values)
        self._within.pop()
        return [outputs] if isinstance(outputs, Value) else outputs

    def _without_rule(self, eqn: Any, values: list[Value]) -> Sequence[Value]:
        """No rule, no claim: what goes in must not scale."""
        name = eqn.primitive.name
        if eqn.outvars and any(value.scales for value in values):
            self.unknown.append((name, source_line(eqn)))
            for value in values:
                self.need_invariant(value, f"no rule for the primitive {name!r}")
        return [invariant(shape_of(out)) for out in eqn.outvars]

    def need_zero(self, form: Form, why: str) -> None:
        """Adds the equation form = 0."""
        if not form:
            return
        eqn = self._within[-1] if self._within else None
        degrees = {u: c for u, c in form.items() if not isinstance(u, AxisUnknown)}
        if degrees:
            self.degree_needs.append(Need(degrees, why, eqn))
        # Inside scans a degree also holds the factors of each layer. What holds for every layer of
        # every scan holds for the factors of each scan by themselves.
        factors = {u: c for u, c in form.items() if isinstance(u, AxisUnknown)}
        for own in self.scanned:
            of_scan = {u: c for u, c in factors.items() if u in own}
            factors = {u: c for u, c in factors.items() if u not in own}
            if of_scan:
                self.axis_needs.append(Need(of_scan, why, eqn))
        if factors:
            self.axis_needs.append(Need(factors, why, eqn))

    def need_plain(self, axis: Axis, why: str) -> None:
        """Nothing may scale along this axis."""
        for digit in axis:
            self.need_zero(digit.form, why)

    def need_invariant(self, value: Value, why: str) -> None:
        """Nothing may scale this value."""
        self.need_zero(value.degree or ZERO, why)
        for axis in value.axes:
            self.need_plain(axis, why)

    def meet(self, values: Sequence[Value], why: str, *, epsilon: bool = False) -> Value:
        """Returns what several values of one shape have in common: they have to scale alike.

        Where `epsilon` is set, a small constant among them may be taken for zero.
        """
        values = self._without_epsilon(values) if epsilon else values
        scaling = [value for value in values if value.degree is not None]
        if not scaling:
            return values[0]._replace(constant=None)
        first = scaling[0]
        axes = first.axes
        for other in scaling[1:]:
            self.need_zero(combine((1, first.degree or ZERO), (-1, other.degree or ZERO)), why)
            axes = tuple(self._equal(a, b, why) for a, b in zip(axes, other.axes, strict=True))
        return Value(first.degree, axes)

    def _without_epsilon(self, values: Sequence[Value]) -> Sequence[Value]:
        """Takes small constants beside values that scale for zero, and notes it."""
        degree = next((value.degree for value in values if value.degree), None)
        if self._exact or degree is None:
            return values

        def zero_if_small(value: Value) -> Value:
            if value.degree is None or value.constant is None or abs(value.constant) > SMALL:
                return value
            self.epsilons.append(Epsilon(value.constant, degree, self._within[-1]))
            return value._replace(degree=None)

        return [zero_if_small(value) for value in values]

    def _equal(self, a: Axis, b: Axis, why: str) -> Axis:
        a, b = self.align(a, b)
        for left, right in zip(a, b, strict=True):
            self.need_zero(combine((1, left.form), (-1, right.form)), why)
        return a

    def product(self, a: Axis, b: Axis, power: int = 1) -> Axis:
        """Returns the axis of a · b^power, digit by digit."""
        a, b = self.align(a, b)
        return tuple(
            Digit(left.size, combine((1, left.form), (power, right.form)))
            for left, right in zip(a, b, strict=True)
        )

    def align(self, a: Axis, b: Axis) -> tuple[Axis, Axis]:
        """Cuts the digits of two axes of one length at the same places."""
        if [digit.size for digit in a] == [digit.size for digit in b]:
            return a, b
        cuts = {*cuts_of(a), *cuts_of(b)}
        return self.cut(a, cuts), self.cut(b, cuts)

    def cut(self, axis: Axis, cuts: set[int]) -> Axis:
        """Returns the axis with its digits cut where the product of the sizes behind is in `cuts`.

        A digit along which something scales can only be cut if its unknowns are: that is noted in
        `splits` for the next walk, and in this one nothing may scale along it.
        """
        total = _size(axis)
        wanted = sorted({total, 1, *cuts}, reverse=True)
        if any(high % low for high, low in pairwise(wanted)):
            self.need_plain(axis, "its factors are split in two ways that do not fit together")
            sizes = [high // low for high, low in pairwise(_compatible(wanted))]
            return tuple(map(Digit, sizes)) or (Digit(1),)
        pieces: list[Digit] = []
        behind = total
        for digit in axis:
            end = behind // digit.size
            inner = [behind, *(at for at in wanted if end < at < behind), end]
            if len(inner) > 2 and digit.form:
                self._ask_for_split(digit, {at // end for at in inner[1:-1]})
                digit = Digit(digit.size)
            sizes = [high // low for high, low in pairwise(inner)]
            pieces.extend([digit] if len(sizes) == 1 else map(Digit, sizes))
            behind = end
        return tuple(piece for piece in pieces if piece.size != 1) or (Digit(1),)

    def _ask_for_split(self, digit: Digit, cuts: set[int]) -> None:
        for unknown in digit.form:
            assert isinstance(unknown, AxisUnknown)
            self.splits.setdefault(unknown, set()).update(cuts)
        self.need_zero(digit.form, "its axis is split")


def _needed(body: Any) -> list[Any]:
    """The equations that an output depends on; what is only printed or checked is left out."""
    wanted = {atom for atom in body.outvars if not is_literal(atom)}
    kept: list[Any] = []
    for eqn in reversed(body.eqns):
        if wanted.intersection(eqn.outvars):
            kept.append(eqn)
            wanted.update(atom for atom in eqn.invars if not is_literal(atom))
    return kept[::-1]


def cuts_of(axis: Axis) -> list[int]:
    """Returns where an axis is cut into digits: the products of the sizes behind each cut."""
    behind, cuts = 1, []
    for digit in reversed(axis):
        cuts.append(behind)
        behind *= digit.size
    return cuts


def _size(axis: Axis) -> int:
    size = 1
    for digit in axis:
        size *= digit.size
    return size


def _compatible(cuts: list[int]) -> list[int]:
    """The first cuts, from the largest, that divide one another down to one."""
    kept = [cuts[0]]
    for cut in cuts[1:]:
        if kept[-1] % cut == 0:
            kept.append(cut)
    return kept


def of_array(array: Any) -> Value:
    """Returns the value of a constant of the jaxpr: its number, if it is one."""
    shape = tuple(np.shape(array))
    dtype = getattr(array, "dtype", None)
    if np.size(array) != 1 or (dtype is not None and dtype.kind not in "fiuV"):
        return invariant(shape)
    try:
        return invariant(shape, float(np.asarray(array).reshape(())))
    except (TypeError, ValueError):  # a key, or another extended dtype
        return invariant(shape)
