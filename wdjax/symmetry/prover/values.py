"""What the prover knows of one value in a jaxpr: how it scales when the parameters are scaled.

The logarithm of the factor by which an entry of a leaf is multiplied is a function of its index. It
is written as a sum of parts: one for the leaf as a whole (its degree), one for each axis, one for
each pair of axes, and so on, as in an analysis of variance; each of them is unknown. The logarithm
of the factor of any other value is then a sum of such parts as well, each a linear form in these
unknowns, and a need (two terms of a sum that have to scale alike) holds if it holds part by part.

An axis is a sequence of *digits*, most significant first, as in a mixed-radix number: an axis of
length 12 that is split into (3 heads, 4) has digits of size 3 and 4. Parts vary along digits. A
digit has a name, so that values that are transposed or reduced keep their parts as they are.

Where an operation treats the indices of a digit differently (a slice, a concatenation) the digit is
*resolved*: along it a function is given by its value at index 0, and by the differences from it at
each other index. Along other digits a part averages to zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, TypeAlias

from wdjax.symmetry.prover.linear import ZERO, Form, combine


class Place(NamedTuple):
    """A digit of an axis of a leaf.

    Attributes:
      axis: The axis.
      behind: The product of the sizes of the digits behind it.
      size: Its size.
    """

    axis: int
    behind: int
    size: int

    def is_within(self, other: "Place") -> bool:
        """Whether it is the other digit or a piece of it."""
        end = self.behind * self.size
        return (
            self.axis == other.axis
            and other.behind <= self.behind
            and end <= other.behind * other.size
        )

    def pieces(self, sizes: Sequence[int]) -> "list[Place]":
        """Returns the digits that it is cut into."""
        ends = [prod(sizes[i + 1 :]) for i in range(len(sizes))]
        return [
            Place(self.axis, self.behind * end, size) for end, size in zip(ends, sizes, strict=True)
        ]


class Factor(NamedTuple):
    """An unknown: one part of the factors of a leaf.

    Attributes:
      leaf: The leaf's number.
      free: The digits along which the part varies.
      fixed: For digits that are resolved, the index whose difference from index 0 it is.
      stopped: Whether it is that of the leaf as values see it at which gradients are stopped.
    """

    leaf: int
    free: tuple[Place, ...]
    fixed: tuple[tuple[Place, int], ...] = ()
    stopped: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        """All digits along which it varies."""
        return (*self.free, *(place for place, _ in self.fixed))

    def with_pieces(self, number: int, pieces: Sequence[Place]) -> "Factor":
        """Returns the part of this part that varies along pieces of one of its digits."""
        return self._replace(free=(*self.free[:number], *pieces, *self.free[number + 1 :]))


class Key(NamedTuple):
    """Where a part of a value varies.

    Attributes:
      free: Names of the digits along which it varies, in ascending order. The digits of each of
        its unknowns are in the same order.
      fixed: Names of resolved digits, each with the index whose difference from index 0 it is.
    """

    free: tuple[int, ...] = ()
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def names(self) -> tuple[int, ...]:
        """The names of all digits along which the part varies."""
        return (*self.free, *(name for name, _ in self.fixed)) if self.fixed else self.free

    def varies(self, names: Iterable[int]) -> bool:
        """Whether the part varies along a digit of one of these names."""
        return not set(self.names).isdisjoint(names)

    @classmethod
    def placed(
        cls, free: Sequence[int], fixed: Sequence[tuple[int, int]], form: Form
    ) -> "tuple[Key, Form]":
        """Returns the key of a part, and its form, with the digits brought in order."""
        fixed = tuple(sorted(fixed)) if fixed else ()
        if len(free) < 2:
            return cls(tuple(free), fixed), form
        order = sorted(range(len(free)), key=free.__getitem__)
        key = cls(tuple(free[i] for i in order), fixed)
        if order == list(range(len(free))):
            return key, form
        return key, {
            unknown._replace(free=tuple(unknown.free[i] for i in order)): coefficient
            for unknown, coefficient in form.items()
        }


WHOLE = Key()
"""The part that does not vary: the degree."""

Parts: TypeAlias = Mapping[Key, Form]


class Digit(NamedTuple):
    """Part of an axis.

    Attributes:
      size: Its size.
      name: What the keys of parts call it; None if nothing varies along it.
      resolved: Whether its indices are told apart.
      also: Names, below zero, of what varies along it in a way that is not known: what was looked
        up at indices that vary along it.
    """

    size: int
    name: int | None = None
    resolved: bool = False
    also: frozenset[int] = frozenset()


Axis: TypeAlias = tuple[Digit, ...]


class Value(NamedTuple):
    """How one value scales.

    Attributes:
      parts: The parts of the logarithm of its factor; None for a value that is zero (or NaN, or
        infinite) and fits every factor.
      axes: Per axis its digits. Parts vary only along digits of these, and, inside a loop, along
        those of an axis that is looped over.
      constant: The number that it holds throughout, if that is known.
      usual: For a comparison of a value that scales with zero: whether it holds for other values.
    """

    parts: Parts | None
    axes: tuple[Axis, ...]
    constant: float | None = None
    usual: bool | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(map(size_of, self.axes))

    def with_axis(self, number: int, axis: Axis) -> "Value":
        """Returns the value with another axis in place of one."""
        axes = (*self.axes[:number], axis, *self.axes[number + 1 :])
        return Value(self.parts, axes, self.constant, self.usual)

    @property
    def looked_up(self) -> set[int]:
        """The names of what was looked up, whether along its axes or not."""
        return {name for key in self.parts or () for name in key.names if name < 0}

    @property
    def names(self) -> set[int]:
        """The names of all that varies along its axes."""
        return {name for axis in self.axes for name in names_of(axis)}


def stopped(form: Form) -> Form:
    """Returns a form in the unknowns of the leaves as values see them at which gradients stop."""
    return {_stopped(unknown): coefficient for unknown, coefficient in form.items()}


def _stopped(unknown: Any) -> Any:
    if isinstance(unknown, int):
        return Factor(unknown, (), (), True)
    return unknown._replace(stopped=True)


def settled(form: Form) -> list[Form]:
    """Returns the equations that `form = 0` comes to: unknowns behind stopped gradients apart."""
    hidden = {u: c for u, c in form.items() if isinstance(u, Factor) and u.stopped}
    if not hidden:
        return [form]
    shown = {u: c for u, c in form.items() if u not in hidden}
    return [shown, {_started(u): c for u, c in hidden.items()}]


def _started(unknown: Factor) -> Any:
    if not unknown.free and not unknown.fixed:
        return unknown.leaf
    return unknown._replace(stopped=False)


def size_of(axis: Axis) -> int:
    """Returns the length of an axis."""
    return prod(digit.size for digit in axis)


def names_of(axis: Axis) -> list[int]:
    """Returns the names of all that varies along an axis."""
    own = [digit.name for digit in axis if digit.name is not None]
    return own + [name for digit in axis for name in digit.also]


def fit_together(cuts: Iterable[int], size: int) -> bool:
    """Whether an axis of this size can be cut at all these places."""
    ordered = sorted({*cuts, 1, size})
    return all(high % low == 0 for low, high in pairwise(ordered))


def plain_axis(size: int) -> Axis:
    """Returns an axis along which nothing varies."""
    return (Digit(size),)


def plain_axes(shape: Iterable[int]) -> tuple[Axis, ...]:
    """Returns axes along which nothing varies."""
    return tuple(map(plain_axis, shape))


def invariant(shape: Iterable[int], constant: float | None = None) -> Value:
    """Returns a value that does not scale, or one that fits all if its constant is 0 or NaN."""
    fits_all = constant is not None and (
        constant == 0 or abs(constant) == float("inf") or constant != constant
    )
    return Value(None if fits_all else {}, plain_axes(shape), constant)


def zero(shape: Iterable[int]) -> Value:
    """Returns a value that fits every factor."""
    return Value(None, plain_axes(shape))


def powered(value: Value, power: Fraction | int) -> Value:
    """Returns the value raised to a power."""
    if power == 0:
        return invariant(value.shape, 1.0)
    if value.parts is None:
        return value._replace(constant=None)
    return Value(scaled(value.parts, power), value.axes)


def scaled(parts: Parts, factor: Fraction | int) -> Parts:
    """Returns all parts multiplied by a number."""
    return {key: combine((factor, form)) for key, form in parts.items()}


def summed(a: Parts, b: Parts, factor: Fraction | int = 1) -> Parts:
    """Returns a + factor · b, part by part, without parts that are zero."""
    if not b:
        return a
    total = dict(a)
    for key, form in b.items():
        form = combine((1, total.pop(key, ZERO)), (factor, form))
        if form:
            total[key] = form
    return total


def renamed(value: Value, names: Mapping[int, int]) -> Value:
    """Returns the value with digits of other names."""
    if not names:
        return value

    def digit(old: Digit) -> Digit:
        also = old.also
        if not also.isdisjoint(names):
            also = frozenset(names.get(name, name) for name in also)
        elif old.name not in names:
            return old
        name = None if old.name is None else names.get(old.name, old.name)
        return Digit(old.size, name, old.resolved, also)

    parts: dict[Key, Form] = {}
    for key, form in (value.parts or {}).items():
        if not names.keys().isdisjoint(key.names):
            free = tuple(names.get(name, name) for name in key.free)
            fixed = [(names.get(name, name), index) for name, index in key.fixed]
            key, form = Key.placed(free, fixed, form)
        parts[key] = form
    axes = tuple(tuple(map(digit, axis)) for axis in value.axes)
    return value._replace(parts=None if value.parts is None else parts, axes=axes)


def at(parts: Parts, name: int, index: int) -> Parts:
    """Returns the parts at one index of a resolved digit."""
    here: dict[Key, Form] = {}
    for key, form in parts.items():
        own = [i for n, i in key.fixed if n == name]
        if not own or own[0] == index:
            rest = Key(key.free, tuple(entry for entry in key.fixed if entry[0] != name))
            here[rest] = combine((1, here.get(rest, ZERO)), (1, form))
    return {key: form for key, form in here.items() if form}


def total(parts: Parts | None, digits: Sequence[Digit]) -> Parts | None:
    """Returns the sum of the parts over all indices of some digits."""
    if parts is None:
        return None
    names, whole = {digit.name for digit in digits}, {}
    for key, form in parts.items():
        if names.isdisjoint(key.free):  # what varies freely averages to zero
            told = {name for name, _ in key.fixed if name in names}
            times = prod(digit.size for digit in digits if digit.name not in told)
            rest = Key(key.free, tuple(entry for entry in key.fixed if entry[0] not in names))
            whole = summed(whole, {rest: form}, times)
    return whole


def joined(points: Sequence[Parts], name: int) -> Parts:
    """Returns parts that vary along a new resolved digit: its indices have the given parts."""
    whole = dict(points[0])
    for index, point in enumerate(points[1:], start=1):
        for key, form in summed(point, points[0], -1).items():
            whole[Key(key.free, tuple(sorted((*key.fixed, (name, index)))))] = form
    return whole
