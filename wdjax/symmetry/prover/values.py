"""What the prover knows of one value in a jaxpr: how it scales when the parameters are scaled.

Multiply leaf ℓ by c^{d_ℓ}, and along axis a by factors exp(u_{ℓ,a}[i]) that average to one in the
logarithm. Then a value is multiplied by c^{degree}, and along each of its axes by exp(form[i]):
degree and forms are linear in the unknowns d and u.

An axis is a sequence of *digits*, most significant first, as in a mixed-radix number: an axis of
length 12 that is later split into (3 heads, 4) has the digits of size 3 and 4, each with a form of
its own. Factors along an axis are products over its digits.
"""

from fractions import Fraction
from math import prod
from typing import NamedTuple, TypeAlias

from wdjax.symmetry.prover.linear import ZERO, Form, combine


class AxisUnknown(NamedTuple):
    """The factors along one digit of one axis of one leaf."""

    leaf: int
    axis: int
    digit: int


class Digit(NamedTuple):
    """Part of an axis: its size, and how the value scales along it."""

    size: int
    form: Form = ZERO


Axis: TypeAlias = tuple[Digit, ...]


class Value(NamedTuple):
    """How one value scales.

    Attributes:
      degree: Its degree; None for a value that is zero (or NaN, or infinite) and fits every degree.
      axes: Per axis its digits.
      constant: The number that it holds throughout, if that is known.
    """

    degree: Form | None
    axes: tuple[Axis, ...]
    constant: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(prod(digit.size for digit in axis) for axis in self.axes)

    @property
    def scales(self) -> bool:
        """Whether any unknown occurs in it."""
        return bool(self.degree) or any(digit.form for axis in self.axes for digit in axis)


def plain_axis(size: int) -> Axis:
    """Returns an axis along which nothing scales."""
    return (Digit(size),)


def invariant(shape: tuple[int, ...], constant: float | None = None) -> Value:
    """Returns a value of degree zero, or one that fits every degree if its constant is 0 or NaN."""
    fits_all = constant is not None and (constant == 0 or abs(constant) == float("inf"))
    fits_all = fits_all or (constant is not None and constant != constant)
    return Value(None if fits_all else ZERO, tuple(map(plain_axis, shape)), constant)


def zero(shape: tuple[int, ...]) -> Value:
    """Returns a value that fits every degree."""
    return Value(None, tuple(map(plain_axis, shape)))


def powered(value: Value, power: Fraction | int) -> Value:
    """Returns the value raised to a power."""
    if power == 0:
        return invariant(value.shape, 1.0)
    if value.degree is None:
        return value._replace(constant=None)
    axes = tuple(
        tuple(Digit(digit.size, combine((power, digit.form))) for digit in axis)
        for axis in value.axes
    )
    return Value(combine((power, value.degree)), axes)
