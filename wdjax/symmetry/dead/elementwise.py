"""What operations on entries at the same place make of shifts.

A rule gets the walk, the equation and the values of its inputs, and returns those of its outputs.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import jax.numpy as jnp

from wdjax.jax_compat import shape_of
from wdjax.symmetry.dead.shifts import (
    NO_AXES,
    Moment,
    Value,
    all_deps,
    chosen,
    common,
    folded,
    long_axes,
    made,
    product,
    scaled,
    stopped,
    total,
    variance,
)

Rule = Callable[..., Value | Sequence[Value]]

MINUS_INFINITY = -1e9
"""What masks put in place of −∞ is at most this, or the least number of the dtype."""


def is_float(atom: Any) -> bool:
    """Says whether a variable is of a real floating-point dtype."""
    return hasattr(atom.aval, "dtype") and jnp.issubdtype(atom.aval.dtype, jnp.floating)


def anything(walk: Any, eqn: Any, *values: Value) -> list[Value]:
    """Each output depends on all that goes in, in an unknown way."""
    deps = all_deps(values)
    return [Value(deps, long_axes(getattr(out.aval, "shape", ()))) for out in eqn.outvars]


def elementwise(walk: Any, eqn: Any, *values: Value) -> Value:
    """A function of the entries at the same place."""
    deps, varies = 0, NO_AXES
    for value, atom in zip(values, eqn.invars, strict=True):
        value = folded(value, shape_of(atom))
        deps, varies = deps | value.deps, varies | value.varies
    return Value(deps, varies)


def same(walk: Any, eqn: Any, value: Value) -> Value:
    """A copy."""
    return value


def each_same(walk: Any, eqn: Any, *values: Value) -> Sequence[Value]:
    """A copy of each input."""
    return values


def convert(walk: Any, eqn: Any, value: Value) -> Value:
    """A change of dtype is a copy from real to real numbers; to whole numbers it rounds."""
    out_of = eqn.invars[0].aval.dtype
    if is_float(eqn.outvars[0]) and not jnp.issubdtype(out_of, jnp.complexfloating):
        return value
    return folded(value, shape_of(eqn.invars[0]))._replace(number=None)


def stop_gradient(walk: Any, eqn: Any, value: Value) -> Value:
    """A copy that no gradient passes."""
    return stopped(value)


def neg(walk: Any, eqn: Any, value: Value) -> Value:
    """−x."""
    return scaled(value, Fraction(-1))


def positive_part(walk: Any, eqn: Any, value: Value) -> Value:
    """|x|: a positive factor of x is one of |x|."""
    if not value.log:
        return elementwise(walk, eqn, value)
    return value._replace(number=None, moment=None, finite=False)


def sign(walk: Any, eqn: Any, value: Value) -> Value:
    """The sign of x does not see a positive factor."""
    if not value.log:
        return elementwise(walk, eqn, value)
    return Value(value.deps, value.varies)


def add(sign: int) -> Rule:
    """A sum or difference, or a variance that was written as E(y²) − (E y)²."""

    def rule(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
        if left.log or right.log:
            if left.log and right.log and left.shifts == right.shifts:
                deps, varies = left.deps | right.deps, left.varies | right.varies
                return made(deps, varies, None, left.shifts, log=True)
            left, right = (_additive(v, a) for v, a in zip((left, right), eqn.invars, strict=True))
        if sign < 0 and (found := variance(left.moment, right.moment)) is not None:
            return found
        return total(left, right, sign)

    return rule


def _additive(value: Value, atom: Any) -> Value:
    """Returns a value without factors."""
    return folded(value, shape_of(atom)) if value.log else value


def _factors(value: Value, atom: Any) -> Value:
    """Returns a value without added shifts."""
    return value if value.log else folded(value, shape_of(atom))


def _finite(number: Fraction | float | None) -> Fraction | None:
    return number if isinstance(number, Fraction) else None


def _ratio(eqn: Any, left: Value, right: Value, sign: int) -> Value:
    """Returns x·y or x/y, where one has factors: their exponents are added or subtracted."""
    left, right = (_factors(v, a) for v, a in zip((left, right), eqn.invars, strict=True))
    result = total(left._replace(number=None), right._replace(number=None), sign)
    return result._replace(log=bool(result.shifts))


def mul(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
    """x·y; x·x is a square."""
    for one, other in ((left, right), (right, left)):
        if not one.shifts and (factor := _finite(one.number)) is not None:
            return scaled(other, factor)
    if left is right:
        return square(walk, eqn, left)
    if left.log or right.log:
        return _ratio(eqn, left, right, 1)
    return product(left, right, frozenset.union)


def div(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
    """x/y."""
    divisor = None if right.shifts else _finite(right.number)
    if divisor:
        return scaled(left, 1 / divisor)
    if left.log or right.log:
        return _ratio(eqn, left, right, -1)
    right = folded(right, shape_of(eqn.invars[1]))._replace(number=None)
    return product(left, right, frozenset.union)


def square(walk: Any, eqn: Any, value: Value) -> Value:
    """x², which remembers what x is."""
    shape = shape_of(eqn.invars[0])
    result = folded(value, shape)._replace(number=None, log=False, finite=False)
    moment = value.moment
    if value.log or value.hidden:
        return result
    if moment and moment[3:5] == (1, 1):
        return result._replace(moment=moment._replace(outer=2, scale=moment.scale**2))
    return result._replace(moment=Moment(value, NO_AXES, 0, 2, 1, Fraction(1), ()))


def integer_pow(walk: Any, eqn: Any, value: Value) -> Value:
    """A whole power."""
    return (square if eqn.params["y"] == 2 else elementwise)(walk, eqn, value)


def exp(walk: Any, eqn: Any, value: Value) -> Value:
    """What is added becomes a factor, and masked entries become 0."""
    return made(value.deps, value.varies, None, value.shifts, log=True)


def log(walk: Any, eqn: Any, value: Value) -> Value:
    """A factor becomes what is added."""
    value = _factors(value, eqn.invars[0])
    return made(value.deps, value.varies, None, value.shifts)


def extreme(neutral: float) -> Rule:
    """The greater or the smaller of two values; `neutral` leaves the other as it is."""

    def rule(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
        shapes = [shape_of(atom) for atom in eqn.invars]
        for one, other, shape in ((left, right, shapes[1]), (right, left, shapes[0])):
            if one.number == neutral and not one.shifts and shape == shape_of(eqn.outvars[0]):
                return other
        if left.log != right.log:
            return elementwise(walk, eqn, left, right)
        keep = common((left, right))
        hidden = left.hidden | right.hidden
        left, right = (
            folded(v._replace(hidden=0), s, keep)
            for v, s in zip((left, right), shapes, strict=True)
        )
        deps, varies = left.deps | right.deps, left.varies | right.varies
        return made(deps, varies, None, keep, hidden, left.log)

    return rule


def comparison(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
    """A comparison does not see what is added to both sides."""
    keep = common((left, right))
    left, right = (
        v._replace(shifts={k: c for k, c in v.shifts.items() if k not in keep})
        for v in (left, right)
    )
    return elementwise(walk, eqn, left, right)


def is_finite(walk: Any, eqn: Any, value: Value) -> Value:
    """Shifts are finite, so they do not matter here. A masked entry may be infinite."""
    deps = value.deps | value.hidden
    return Value(deps, long_axes(shape_of(eqn.invars[0])), finite=value.extreme)


def select_n(walk: Any, eqn: Any, which: Value, *cases: Value) -> Value:
    """One of several values by a predicate.

    What is largest of several entries, and asked for being finite, is taken to be so. A mask's −∞
    stays −∞ whatever is added to it; a number in its place is noted as an assumption.
    """
    checked = which.finite
    which = folded(which, shape_of(eqn.invars[0]))
    shapes = [shape_of(atom) for atom in eqn.invars[1:]]
    if len(cases) == 2:
        if checked:
            return _also(cases[1], folded(cases[0], shapes[0]), which)
        for mask, value in (cases, cases[::-1]):
            if value.shifts and not value.log and not mask.shifts and _is_mask(mask, eqn):
                return _masked(walk, eqn, which, mask, value)
    if any(case.log for case in cases):
        return _chosen_products(which, cases, shapes)
    return chosen(which, cases)


def _also(value: Value, *others: Value) -> Value:
    """Returns a value that depends on others as well."""
    deps, varies = value.deps, value.varies
    for other in others:
        deps, varies = deps | other.deps, varies | other.varies
    number = value.number if deps == value.deps and varies == value.varies else None
    return made(deps, varies, number, value.shifts, value.hidden, value.log)


def _is_mask(value: Value, eqn: Any) -> bool:
    dtype = eqn.outvars[0].aval.dtype
    if value.number is None or not jnp.issubdtype(dtype, jnp.floating):
        return False
    return value.number <= max(MINUS_INFINITY, float(jnp.finfo(dtype).min))


def _masked(walk: Any, eqn: Any, which: Value, mask: Value, value: Value) -> Value:
    hidden = value.hidden
    if not math.isinf(float(mask.number or 0)):
        shifted = 0
        for token, _ in value.shifts:
            shifted |= token.deps
        walk.assumed.append((float(mask.number or 0), eqn, shifted))
        hidden |= shifted
    deps, varies = value.deps | which.deps, value.varies | which.varies
    return made(deps, varies, None, value.shifts, hidden)


def _chosen_products(which: Value, cases: Sequence[Value], shapes: Sequence[Any]) -> Value:
    """A case that is 0 has all factors."""
    live = [case for case in cases if case.shifts or case.number != 0]
    keep = common(live) if all(case.log for case in live) else {}
    deps, varies = which.deps, which.varies
    for case, shape in zip(cases, shapes, strict=True):
        case = folded(case, shape, keep if case.shifts else None)
        deps, varies = deps | case.deps, varies | case.varies
    return made(deps, varies, None, keep, log=True)
