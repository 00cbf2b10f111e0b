"""The walk over a jaxpr that collects, as linear equations, what each operation needs."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from wdjax.jax_compat import interpret, is_literal, shape_of, source_line, writes
from wdjax.symmetry.prover.linear import Form
from wdjax.symmetry.prover.values import (
    Parts,
    Place,
    Value,
    invariant,
    names_of,
    plain_axis,
    settled,
    size_of,
    summed,
)

SMALL = 1e-3 * (1 + 2**-8)
"""The largest constant that may be taken for the ε of a normalisation: 1e-3, the ε of Keras, which
bfloat16 rounds up by less than that."""


class Need(NamedTuple):
    """An equation `form = 0`, and what asks for it.

    Attributes:
      form: The form that has to vanish.
      why: What needs it, in words.
      eqns: The operation in the jaxpr, last, and those that it is inside of.
      of_gradient: Whether it is only there because a gradient is stopped.
    """

    form: Form
    why: str
    eqns: tuple[Any, ...]
    of_gradient: bool

    @property
    def line(self) -> str:
        """The source line."""
        return line_of(self.eqns) if self.eqns else "the value of the loss"


class Taken(NamedTuple):
    """A constant that was taken for another number, beside a value that scales.

    Attributes:
      value: The constant.
      what: What it was taken to be, in words.
      forms: How that value scales.
      eqns: The operation in the jaxpr, last, and those that it is inside of.
    """

    value: float
    what: str
    forms: tuple[Form, ...]
    eqns: tuple[Any, ...]

    @property
    def line(self) -> str:
        """The source line."""
        return line_of(self.eqns)


Rule = Callable[..., Value | Sequence[Value]]
"""`rule(walk, eqn, *values) -> value or values`, one per output of the equation."""


class Walk:
    """One pass over a jaxpr.

    Attributes:
      needs: Equations between the unknowns.
      taken: Constants that were taken for other numbers.
      exact: Whether no constant may be.
      unknown: Primitives without a rule that met a value that scales, with their source lines.
      requests: Leaves and digits of them whose indices the next walk should tell apart.
    """

    def __init__(self, rules: dict[str, Rule], *, exact: bool):
        self.needs: list[Need] = []
        self.taken: list[Taken] = []
        self.unknown: list[tuple[str, str]] = []
        self.requests: set[tuple[int, Place]] = set()
        self._rules = rules
        self.exact = exact
        self._within: list[Any] = []
        self._names = count(1)

    def run(
        self, jaxpr: Any, inputs: Sequence[Value], consts: Sequence[Any] | None = None
    ) -> list[Value]:
        """Walks a jaxpr; returns the values of its outputs.

        Args:
          jaxpr: A jaxpr, open or closed.
          inputs: The values of its inputs.
          consts: Its constants, if it is open and has some.
        """
        return interpret(jaxpr, inputs, consts, of_array, self._apply, _needed)

    def _apply(self, eqn: Any, values: list[Value]) -> Sequence[Value]:
        rule = self._rules.get(eqn.primitive.name)
        if rule is None:
            return self._without_rule(eqn, values)
        self._within.append(eqn)
        outputs = rule(self, eqn, *values)
        self._within.pop()
        return [outputs] if isinstance(outputs, Value) else outputs

    def _without_rule(self, eqn: Any, values: list[Value]) -> Sequence[Value]:
        """No rule, no claim: what goes in must not scale."""
        name = eqn.primitive.name
        self._within.append(eqn)
        if any(value.parts for value in values):
            self.unknown.append((name, line_of(self._within)))
            for value in values:
                self.need_invariant(value, f"no rule for the primitive {name!r}")
        self._within.pop()
        return [invariant(shape_of(out)) for out in eqn.outvars]

    def fresh(self, like: int = 0) -> int:
        """Returns a name that no digit has; below zero, if the one given is, for look-ups."""
        return -next(self._names) if like < 0 else next(self._names)

    def mark(self) -> tuple[int, ...]:
        """Returns how far the walk has come, for `since` and `undo`."""
        return tuple(map(len, (self.needs, self.taken, self.unknown)))

    def since(self, mark: tuple[int, ...]) -> list[Form]:
        """Returns the equations that were added after a mark."""
        return [need.form for need in self.needs[mark[0] :]]

    def undo(self, mark: tuple[int, ...]) -> None:
        """Takes back all that was noted after a mark."""
        noted = (self.needs, self.taken, self.unknown)
        for entries, length in zip(noted, mark, strict=True):
            del entries[length:]

    def need_zero(self, form: Form, why: str) -> None:
        """Adds the equation form = 0."""
        if form:
            parts, within = settled(form), tuple(self._within)
            of_gradient = len(parts) > 1
            self.needs += [Need(part, why, within, of_gradient) for part in parts if part]

    def need_none(self, parts: Parts | None, names: Iterable[int], why: str) -> Parts | None:
        """Nothing may vary along digits of these names; returns the other parts."""
        names = list(names)
        if not parts or not names:
            return parts
        varying = [key for key in parts if key.varies(names)]
        for key in varying:
            self.need_zero(parts[key], why)
        return {k: form for k, form in parts.items() if k not in varying} if varying else parts

    def need_plain(self, value: Value, axes: Iterable[int], why: str) -> Value:
        """Nothing may vary along these axes."""
        axes = set(axes)
        names = [name for i in axes for name in names_of(value.axes[i])]
        if not names:
            return value
        plain = tuple(
            plain_axis(size_of(axis)) if i in axes else axis for i, axis in enumerate(value.axes)
        )
        return value._replace(parts=self.need_none(value.parts, names, why), axes=plain)

    def need_invariant(self, value: Value, why: str) -> None:
        """Nothing may scale this value."""
        for form in (value.parts or {}).values():
            self.need_zero(form, why)

    def need_equal(self, a: Parts, b: Parts, why: str) -> None:
        """Two values whose digits have the same names have to scale alike."""
        for form in summed(a, b, -1).values() if a is not b else ():
            self.need_zero(form, why)

    def take(self, value: Value, what: str, beside: Parts) -> Value:
        """Takes a constant to fit beside a value that scales, and notes it."""
        assert value.constant is not None
        forms = tuple(part for form in beside.values() for part in settled(form) if part)
        self.taken.append(Taken(value.constant, what, forms, tuple(self._within)))
        return value._replace(parts=None)

    def without_epsilon(self, values: Sequence[Value]) -> Sequence[Value]:
        """Takes small constants beside values that scale for zero, and notes it."""
        scaling = next((value.parts for value in values if value.parts), None)
        if self.exact or scaling is None:
            return values
        return [self.take(v, "is zero", scaling) if _is_small(v) else v for v in values]


def line_of(eqns: Sequence[Any]) -> str:
    """Returns the source line of the last of some operations, or of what it is inside of."""
    lines = (source_line(eqn) for eqn in reversed(eqns))
    return next((line for line in lines if line is not None), "an unknown line")


def _is_small(value: Value) -> bool:
    return value.parts is not None and value.constant is not None and abs(value.constant) <= SMALL


def _needed(body: Any) -> list[Any]:
    """The equations that an output may depend on; what is only printed or checked is left out."""
    wanted = {atom for atom in body.outvars if not is_literal(atom)}
    kept: list[Any] = []
    for eqn in reversed(body.eqns):
        if wanted.intersection(eqn.outvars) or writes(eqn):
            kept.append(eqn)
            wanted.update(atom for atom in eqn.invars if not is_literal(atom))
    return kept[::-1]


def of_array(array: Any) -> Value:
    """Returns the value of a constant of the jaxpr: its number, if it is one."""
    shape = np.shape(array)
    dtype = getattr(array, "dtype", None)
    if max(shape, default=1) != 1 or (dtype is not None and dtype.kind not in "fiuV"):
        return invariant(shape)
    try:
        return invariant(shape, float(array if not shape else np.asarray(array).reshape(())))
    except (TypeError, ValueError):  # a key, or another extended dtype
        return invariant(shape)
