"""Values that are a sum of a part and of shifts, and what operations make of them.

A value is f + Σ c·S: each *shift* S is a function of its own, constant along some of the axes. What
takes S away again (the mean or the maximum along such an axis is subtracted) leaves f, and with it
only the leaves that f depends on. Of an exponential shifts make factors: f · exp(Σ c·S).

What a gradient is stopped at counts as a function of a copy of the leaves. So a leaf that the value
does not depend on has no gradient either.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

Axes = frozenset[int]
NO_AXES: Axes = frozenset()
_serials = itertools.count()


class Token:
    """A function of the leaves and of the data, known by its identity.

    Attributes:
      deps: The leaves that it may depend on, as a bit mask.
      serial: Later tokens have greater ones.
    """

    __slots__ = ("_stopped", "deps", "serial")

    def __init__(self, deps: int):
        self.deps = deps
        self.serial = next(_serials)
        self._stopped: Token | None = None

    @property
    def stopped(self) -> "Token":
        """The same function of the copy of the leaves that gradients are stopped at."""
        if self._stopped is None:
            self._stopped = Token(self.deps)
            self._stopped.serial = self.serial
            self._stopped._stopped = self._stopped
        return self._stopped


Shifts = Mapping[tuple[Token, tuple[int, ...]], Fraction]
"""Coefficients of tokens. The tuple holds the axis of the value for each axis of the token, in its
order (W and its transpose differ); along all others the shift is constant."""


class Moment(NamedTuple):
    """A value that is `scale · (Σ_R y^inner)^outer` of a value y with the shifts of `of`.

    Attributes:
      of: The value y, known by its identity.
      over: The axes R of y; none before the sum.
      count: How many entries of y a sum runs over; 0 before the sum.
      inner: The power inside of the sum.
      outer: The power outside of the sum.
      scale: A factor.
      axes: The axis of this value for each axis of y that is left, in their order.
    """

    of: "Value"
    over: Axes
    count: int
    inner: int
    outer: int
    scale: Fraction
    axes: tuple[int, ...]


class Value(NamedTuple):
    """What is known of an array of the jaxpr. Axes of size 1 are never among its axes.

    Attributes:
      deps: The leaves that the part f may depend on, as a bit mask.
      varies: The axes along which f may vary.
      number: f itself where it is one known number; `deps` and `varies` are then empty.
      shifts: What is added to f.
      log: Whether f is multiplied by the exponential of the shifts instead.
      hidden: The leaves that masked entries depend on, unless their constant is taken for −∞.
      extreme: Whether it is the largest or smallest of several entries, not all of them masked.
      finite: Whether this says of such a value if it is finite.
      moment: How f comes from sums of powers.
    """

    deps: int = 0
    varies: Axes = NO_AXES
    number: Fraction | float | None = None
    shifts: Shifts = {}  # noqa: RUF012
    log: bool = False
    hidden: int = 0
    extreme: bool = False
    finite: bool = False
    moment: Moment | None = None

    @property
    def all_deps(self) -> int:
        """The leaves that the value may depend on in any way."""
        deps = self.deps | self.hidden
        for token, _ in self.shifts:
            deps |= token.deps
        return deps


LARGEST = 2**1000
ZERO = Value(number=Fraction(0))


def all_deps(values: Iterable[Value]) -> int:
    """Returns the leaves that some values may depend on in any way."""
    deps = 0
    for value in values:
        deps |= value.all_deps
    return deps


def long_axes(shape: Sequence[int]) -> Axes:
    """Returns the axes that are not of size 1."""
    return frozenset(i for i, size in enumerate(shape) if size != 1)


def made(
    deps: int,
    varies: Axes,
    number: Fraction | float | None,
    shifts: Shifts,
    hidden: int = 0,
    log: bool = False,
) -> Value:
    """Returns a value, where shifts that have nothing to hide from f are a part of it."""
    kept = {}
    for key, coefficient in shifts.items():
        token, axes = key
        if token.deps & ~deps:
            kept[key] = coefficient
        else:
            varies, number = varies.union(axes), None
    return Value(deps, varies, number, kept, log and bool(kept), hidden & ~deps)


def fresh(groups: Mapping[Axes, int]) -> dict[tuple[Token, tuple[int, ...]], Fraction]:
    """Returns new shifts, one for each set of axes; the groups hold what each depends on."""
    return {(Token(deps), tuple(sorted(axes))): Fraction(1) for axes, deps in groups.items()}


def grouped(terms: Iterable[tuple[Axes, int]]) -> dict[Axes, int]:
    """Joins terms that are constant along the same axes."""
    groups: dict[Axes, int] = {}
    for axes, deps in terms:
        if deps:
            groups[axes] = groups.get(axes, 0) | deps
    return groups


def known_number(array: Any) -> Fraction | float | None:
    """Returns the number that all entries of a constant are; None where that is not known.

    A floating-point number next to 1/n is taken for 1/n: who multiplies by it means the mean.
    """
    if getattr(array, "size", 1) != 1 or (not hasattr(array, "dtype") and np.ndim(array)):
        return None
    try:
        entry = np.asarray(array).reshape(())
        number = float(entry)
    except (TypeError, ValueError):  # an abstract array, a random key, a complex number
        return None
    if math.isnan(number):
        return None
    if math.isinf(number):
        return number
    if 2**-17 < abs(number) < 1:
        inverse = round(1 / number)
        if float(entry.dtype.type(1 / inverse)) == number and abs(1 / number - inverse) < 1e-2:
            return Fraction(1, inverse)
    return Fraction(number)


def bounded(*terms: Fraction | float) -> Fraction | float | None:
    """Returns the sum of some numbers; None for what floating-point numbers cannot hold."""
    infinite = [term for term in terms if not isinstance(term, Fraction)]
    number = sum(infinite) if infinite else sum(terms, Fraction(0))
    if isinstance(number, Fraction):
        return number if abs(number) < LARGEST else None
    return None if math.isnan(number) else number


def folded(value: Value, shape: Sequence[int], keep: Shifts | None = None) -> Value:
    """Returns the value with all its shifts, but for some, in the part f."""
    keep = keep or {}
    if len(value.shifts) == len(keep) and not value.hidden:
        return value._replace(finite=False, moment=None)
    deps, varies = value.deps, value.varies
    for key in value.shifts:
        if key not in keep:
            deps, varies = deps | key[0].deps, varies.union(key[1])
    if value.hidden:
        deps, varies = deps | value.hidden, long_axes(shape)
    return made(deps, varies, None, {k: value.shifts[k] for k in keep}, log=value.log)


def total(left: Value, right: Value, sign: int) -> Value:
    """Returns left + sign·right of values whose shifts are added."""
    number = None
    if left.number is not None and right.number is not None:
        number = bounded(left.number, sign * right.number)
    shifts = dict(left.shifts)
    for key, coefficient in right.shifts.items():
        coefficient = shifts.get(key, 0) + sign * coefficient
        if coefficient:
            shifts[key] = Fraction(coefficient)
        else:
            del shifts[key]
    deps, varies = left.deps | right.deps, left.varies | right.varies
    return made(deps, varies, number, shifts, left.hidden | right.hidden)


def scaled(value: Value, factor: Fraction) -> Value:
    """Returns a multiple of a value."""
    if not factor:
        return ZERO
    number = None if value.number is None else bounded(value.number * factor)
    moment = value.moment and value.moment._replace(scale=value.moment.scale * factor)
    shifts = value.shifts
    if not value.log:
        shifts = {key: coefficient * factor for key, coefficient in shifts.items()}
    return value._replace(number=number, shifts=shifts, finite=False, moment=moment)


def product(left: Value, right: Value, joined: Callable[[Axes, Axes], Axes]) -> Value:
    """Returns a bilinear form of two values: each part of one with each part of the other.

    Args:
      left: The first value.
      right: The second value.
      joined: Gives the axes of the result along which it may vary, from those of the two.
    """
    terms = []
    for (a, axes), (b, others) in itertools.product(left.shifts, right.shifts):
        terms.append((joined(frozenset(axes), frozenset(others)), a.deps | b.deps))
    if right.number != 0:
        for a, axes in left.shifts:
            terms.append((joined(frozenset(axes), right.varies), a.deps | right.deps))
    if left.number != 0:
        for b, axes in right.shifts:
            terms.append((joined(left.varies, frozenset(axes)), b.deps | left.deps))
    if left.number == 0 or right.number == 0:
        deps, varies, number = 0, NO_AXES, Fraction(0)
    else:
        deps, varies, number = left.deps | right.deps, joined(left.varies, right.varies), None
    return made(deps, varies, number, fresh(grouped(terms)))


def moved(value: Value, to: Mapping[int, int], blocks: Mapping[int, Axes] | None = None) -> Value:
    """Returns a value whose entries were rearranged.

    Args:
      value: The value.
      to: Where each axis is now.
      blocks: For axes that were merged or split, the axes that hold their entries now.
    """
    blocks = blocks or {}

    def image(axes: Iterable[int]) -> Axes:
        images = (blocks.get(axis) or (to[axis],) for axis in axes)
        return frozenset(itertools.chain.from_iterable(images))

    shifts, terms = {}, []
    for (token, axes), coefficient in value.shifts.items():
        if blocks.keys().isdisjoint(axes):
            shifts[token, tuple(to[axis] for axis in axes)] = coefficient
        else:
            terms.append((image(axes), token.deps))
    shifts.update(fresh(grouped(terms)))
    moment = value.moment
    if moment is not None and moment.count and blocks.keys().isdisjoint(moment.axes):
        moment = moment._replace(axes=tuple(to[axis] for axis in moment.axes))
    else:
        moment = None
    return value._replace(varies=image(value.varies), shifts=shifts, moment=moment)


def cut(value: Value, axes: Axes, left: Axes, deps: int = 0) -> Value:
    """Returns some of the entries along some axes, the same for all places along the others.

    Args:
      value: The value.
      axes: The axes. Shifts that are constant along them stay.
      left: The axes that are longer than 1 afterwards.
      deps: The leaves that decide which entries.
    """
    shifts, terms = {}, []
    for key, coefficient in value.shifts.items():
        if axes.isdisjoint(key[1]):
            shifts[key] = coefficient
        else:
            terms.append((left.intersection(key[1]), key[0].deps | deps))
    shifts.update(fresh(grouped(terms)))
    number = None if deps else value.number
    return made(value.deps | deps, value.varies & left, number, shifts, value.hidden, value.log)


def smeared(value: Value, axes: Axes, left: Axes, deps: int = 0) -> Value:
    """Returns a linear form of a value, which varies along some axes even if the value does not.

    Args:
      value: The value; its shifts are added.
      axes: The axes.
      left: The axes that are longer than 1 afterwards.
      deps: The leaves that are added to it.
    """
    terms = [(left & axes.union(of), token.deps) for token, of in value.shifts]
    if value.number == 0 and not deps:
        return value._replace(shifts=fresh(grouped(terms)), moment=None)
    varies = left & (value.varies | axes)
    return made(value.deps | deps, varies, None, fresh(grouped(terms)), value.hidden)


def without(value: Value, axes: Axes) -> Value:
    """Returns a value that does not vary along some axes any more, without these axes."""
    gone = sorted(axes)

    def to(axis: int) -> int:
        return axis - sum(other < axis for other in gone)

    shifts = {
        (token, tuple(to(axis) for axis in kept)): coefficient
        for (token, kept), coefficient in value.shifts.items()
    }
    varies = frozenset(to(axis) for axis in value.varies - axes)
    return made(value.deps, varies, value.number, shifts, value.hidden, value.log)


def common(values: Sequence[Value]) -> Shifts:
    """Returns the shifts that all values have."""
    first, *rest = values
    return {
        key: coefficient
        for key, coefficient in first.shifts.items()
        if all(value.shifts.get(key) == coefficient for value in rest)
    }


def chosen(which: Value, cases: Sequence[Value]) -> Value:
    """Returns one of several values, entry by entry; `which` has no shifts, no case factors."""
    shifts = dict(common(cases))
    terms = [
        (which.varies.union(axes), token.deps | which.deps)
        for case in cases
        for token, axes in case.shifts
        if (token, axes) not in shifts
    ]
    shifts.update(fresh(grouped(terms)))
    hidden = 0
    for case in cases:
        hidden |= case.hidden
    first = cases[0].number
    if first is not None and all(case.number == first for case in cases):
        return made(0, NO_AXES, first, shifts, hidden)
    deps, varies = which.deps, which.varies
    for case in cases:
        deps, varies = deps | case.deps, varies | case.varies
    return made(deps, varies, None, shifts, hidden)


def without_shifts_along(value: Value, axes: Axes) -> Shifts:
    """Returns the shifts that are constant along some axes."""
    return {key: c for key, c in value.shifts.items() if axes.isdisjoint(key[1])}


def stopped(value: Value) -> Value:
    """Returns a value that no gradient passes."""
    if not value.shifts:
        return value._replace(moment=None)
    shifts: dict[tuple[Token, tuple[int, ...]], Fraction] = {}
    for (token, axes), coefficient in value.shifts.items():
        key = (token.stopped, axes)
        shifts[key] = shifts.get(key, Fraction(0)) + coefficient
    shifts = {key: coefficient for key, coefficient in shifts.items() if coefficient}
    log = value.log and bool(shifts)
    return value._replace(shifts=shifts, log=log, finite=False, moment=None)


def variance(squares: Moment | None, mean: Moment | None) -> Value | None:
    """Returns a·Σy² − b·(Σy)² where that is a variance, which does not see a shift of y.

    For y = f + S with S constant over the n entries, both lose 2SΣf + nS² if a = b·n.
    """
    if squares is None or mean is None or squares.of is not mean.of:
        return None
    of = squares.of
    powers = (squares.inner, squares.outer, mean.inner, mean.outer)
    same = squares[1:3] == mean[1:3] and squares.axes == mean.axes
    if powers != (2, 1, 1, 2) or not same or squares.scale != mean.scale * squares.count:
        return None
    deps = of.deps
    for token, axes in of.shifts:
        if not squares.over.isdisjoint(axes):
            deps |= token.deps
    return Value(deps, frozenset(squares.axes))
