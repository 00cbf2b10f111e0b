"""Rules of operations that act entry by entry: one line per family."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from wdjax.jax_compat import shape_of
from wdjax.symmetry.prover.digits import matched
from wdjax.symmetry.prover.values import (
    WHOLE,
    Value,
    invariant,
    plain_axes,
    powered,
    stopped,
    summed,
    zero,
)
from wdjax.symmetry.prover.walk import Rule, Walk


def _operands(eqn: Any, values: tuple[Value, ...]) -> list[Value]:
    """Gives operands the shape of the result: scalars, and axes of length one, are repeated."""
    shape = shape_of(eqn.outvars[0])
    plain = plain_axes(shape)

    def repeated(value: Value) -> Value:
        if len(value.axes) != len(shape):
            return value._replace(axes=plain)
        sizes = zip(value.axes, plain, value.shape, shape, strict=True)
        return value._replace(axes=tuple(a if n == size else p for a, p, n, size in sizes))

    return [
        value if shape_of(atom) == shape else repeated(value)
        for value, atom in zip(values, eqn.invars, strict=True)
    ]


def _everywhere(value: Value) -> list[tuple[int, int]]:
    return [(i, i) for i in range(len(value.axes))]


def meet(walk: Walk, values: Sequence[Value], why: str, *, epsilon: bool = False) -> Value:
    """Returns what several values of one shape have in common: they have to scale alike.

    Where `epsilon` is set, a small constant among them may be taken for zero.
    """
    values = walk.without_epsilon(values) if epsilon else values
    scaling = [value for value in values if value.parts is not None]
    if not scaling:
        return values[0]._replace(constant=None)
    first, *others = scaling
    for other in others:
        first, other = matched(walk, first, other, _everywhere(first))
        walk.need_equal(first.parts or {}, other.parts or {}, why)
    return Value(first.parts, first.axes)


def multiply(walk: Walk, a: Value, b: Value, power: int = 1) -> Value:
    """Returns a · b^power for values of one shape."""
    if a.parts is None or b.parts is None:
        return zero(a.shape)
    if not b.parts:
        return Value(a.parts, a.axes)
    a, b = matched(walk, a, b, _everywhere(a))
    parts = summed(a.parts or {}, b.parts or {}, power)
    varies = any(key != WHOLE for key in parts)
    return Value(parts, a.axes if varies else plain_axes(a.shape))


def same(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """f(cx) = c f(x), one output for each input."""
    return list(values[: len(eqn.outvars)])


def negative(walk: Walk, eqn: Any, value: Value) -> Value:
    """−x."""
    return value._replace(constant=None if value.constant is None else -value.constant)


def magnitude(walk: Walk, eqn: Any, value: Value) -> Value:
    """|x| and other functions with f(cx) = c f(x) that change a constant."""
    return value._replace(constant=None)


def stop_gradient(walk: Walk, eqn: Any, value: Value) -> Value:
    """The value is as one of leaves of its own.

    If L(w) = F(w, a(w)) with the gradient stopped at a, then what L(cw) = L(w) says of the gradient
    as it is computed, ⟨w, ∂F/∂w⟩ = 0, holds if F is blind to the scale of w and of a each.
    """
    if value.parts is None:
        return value
    return value._replace(parts={key: stopped(form) for key, form in value.parts.items()})


def convert(walk: Walk, eqn: Any, value: Value) -> Value:
    """A change of dtype; to whole numbers it rounds, and then nothing may scale."""
    kind = np.dtype(eqn.params["new_dtype"]).kind
    if kind not in "iub":
        return value
    walk.need_invariant(value, "a value is rounded to a whole number")
    known = value.constant is not None and value.constant.is_integer() and kind != "b"
    return invariant(value.shape, value.constant if known else None)


def power(exponent: Fraction | int) -> Rule:
    """f(cx) = c^k f(x)."""
    return lambda walk, eqn, value: powered(value, exponent)


def integer_power(walk: Walk, eqn: Any, value: Value) -> Value:
    """x^n."""
    return powered(value, eqn.params["y"])


def general_power(walk: Walk, eqn: Any, *values: Value) -> Value:
    """x^y, for a known y."""
    base, exponent = _operands(eqn, values)
    if base.parts == {} and exponent.parts in ({}, None):
        return invariant(shape_of(eqn.outvars[0]))
    if exponent.constant is not None and math.isfinite(exponent.constant):
        return powered(base, _fraction(exponent.constant))
    for value in (base, exponent):
        walk.need_invariant(value, "a value that scales is raised to a power")
    return invariant(shape_of(eqn.outvars[0]))


def _fraction(number: float) -> Fraction:
    """The number, or the simple fraction that it is but for rounding, such as a third."""
    simple = Fraction(number).limit_denominator(1000)
    return simple if abs(simple - Fraction(number)) <= 1e-7 * abs(number) else Fraction(number)


def product(power: int) -> Rule:
    """x·y for power 1, x/y for power −1: degrees are added or subtracted."""

    def rule(walk: Walk, eqn: Any, *values: Value) -> Value:
        left, right = _operands(eqn, values)
        result = multiply(walk, left, right, power)
        if eqn.outvars[0].aval.dtype.kind != "f":  # whole numbers are divided otherwise
            return result
        return result._replace(constant=_folded(left, right, power))

    return rule


def _folded(left: Value, right: Value, power: int) -> float | None:
    if left.constant is None or right.constant is None:
        return None
    if power < 0 and not right.constant:
        return None
    folded = left.constant * right.constant if power > 0 else left.constant / right.constant
    return folded if math.isfinite(folded) else None


def meets(why: str) -> Rule:
    """f(cx, cy) = c f(x, y): the operands have to scale alike, but for an ε."""
    return lambda walk, eqn, *values: meet(walk, _operands(eqn, values), why, epsilon=True)


def meets_exactly(why: str) -> Rule:
    """As `meets`, where a small constant is no ε: the smaller of x and ε is not nearly x."""
    return lambda walk, eqn, *values: meet(walk, _operands(eqn, values), why)


def clamp(walk: Walk, eqn: Any, low: Value, value: Value, high: Value) -> Value:
    """min(max(x, low), high)."""
    low, value, high = _operands(eqn, (low, value, high))
    above = meet(walk, [value, low], "a value is clamped", epsilon=True)
    return meet(walk, [above, high], "a value is clamped")


def select(walk: Walk, eqn: Any, which: Value, *cases: Value) -> Value:
    """The cases have to scale alike; which of them is taken must not depend on the scale.

    A constant that stands in for a value where that is zero is taken never to be used.
    """
    walk.need_invariant(which, "a choice depends on a value that scales")
    if which.usual is not None and not walk.exact:
        value, instead = cases[which.usual], cases[not which.usual]
        if value.parts and instead.constant is not None and instead.parts is not None:
            walk.take(instead, "is never used, in place of a zero,", value.parts)
            return value
    why = "a choice is made between values that scale differently"
    return meet(walk, cases, why, epsilon=True)


def compares(usual: bool | None) -> Rule:
    """X < y and its like: the answer is the same if both scale alike.

    Where x scales and y is zero, `usual` says whether it holds if x is not zero.
    """
    why = "values that scale differently are compared"

    def rule(walk: Walk, eqn: Any, *values: Value) -> Value:
        meet(walk, _operands(eqn, values), why, epsilon=True)
        with_zero = any(value.parts for value in values) and any(v.constant == 0 for v in values)
        out = invariant(shape_of(eqn.outvars[0]))
        return out._replace(usual=usual if with_zero else None)

    return rule


def forgets(walk: Walk, eqn: Any, *values: Value) -> Value:
    """f(cx) = f(x) for c > 0."""
    return invariant(shape_of(eqn.outvars[0]))


def needs_invariance(why: str) -> Rule:
    """A function that is not homogeneous of any degree."""

    def rule(walk: Walk, eqn: Any, *values: Value) -> Value:
        for value in values:
            walk.need_invariant(value, why)
        return invariant(shape_of(eqn.outvars[0]))

    return rule


def _named(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


def _each(rule: Callable[[str], Rule], names: str) -> dict[str, Rule]:
    return {name: rule(f"{name} of a value that scales") for name in names.split()}


ELEMENTWISE: dict[str, Rule] = {
    **_named(same, "copy copy_p reduce_precision name pvary pcast"),
    **_named(same, "optimization_barrier sharding_constraint mesh_cast reshard"),
    **_named(magnitude, "abs real imag conj"),
    "stop_gradient": stop_gradient,
    "neg": negative,
    "convert_element_type": convert,
    "mul": product(1),
    "div": product(-1),
    "square": power(2),
    "reciprocal": power(-1),
    "integer_pow": integer_power,
    "pow": general_power,
    "sqrt": power(Fraction(1, 2)),
    "rsqrt": power(Fraction(-1, 2)),
    "cbrt": power(Fraction(1, 3)),
    **_named(meets("values that scale differently are added"), "add sub add_any"),
    "max": meets("the larger of values that scale differently"),
    "min": meets_exactly("the smaller of values that scale differently"),
    "rem": meets_exactly("a remainder of values that scale differently"),
    "clamp": clamp,
    "select_n": select,
    **_named(compares(None), "lt le gt ge atan2 eq_to le_to lt_to"),
    "eq": compares(False),
    "ne": compares(True),
    **_named(forgets, "sign is_finite"),
    **_each(
        needs_invariance,
        "exp exp2 expm1 log log2 log1p cumlogsumexp tanh logistic sin cos tan asin acos atan sinh "
        "cosh asinh acosh atanh erf erfc erf_inv lgamma digamma floor ceil round not and or xor "
        "bessel_i0e bessel_i1e igamma igammac regularized_incomplete_beta polygamma polynomial "
        "one_minus_square",
    ),
}
