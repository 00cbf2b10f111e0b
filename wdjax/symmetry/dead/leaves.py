"""Finds the parameters that a loss reads and yet does not depend on.

What a bias adds before a batch norm the mean takes away; what the bias of the keys adds to scores
the softmax takes away. Such leaves are *dead*: every value of them gives the same loss.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wdjax.jax_compat import interpret, is_literal, open_jaxpr, scan_split, shape_of
from wdjax.symmetry.dead.elementwise import Rule, anything, is_float
from wdjax.symmetry.dead.shifts import (
    ZERO,
    Axes,
    Token,
    Value,
    all_deps,
    chosen,
    folded,
    fresh,
    grouped,
    known_number,
    long_axes,
    made,
)
from wdjax.symmetry.dead.tables import KEEP_FACTORS, KEEP_MASKS, OF_ANY_DTYPE, OF_FLOATS

ROUNDS = 8
"""Walks of a loop's body before its carry is taken to depend on all that goes in."""


def dead_leaves(
    jaxpr: Any, consts: Sequence[Any], count: int
) -> tuple[frozenset[int], list[tuple[float, Any]]]:
    """Finds the leaves that are read, and that neither the loss nor its gradient depends on.

    What is found holds in exact arithmetic for all values of the leaves and of the data for which
    all values are finite, but for the −∞ of masks, which leave something of each row; a number
    next to 1/n is taken for 1/n, and a custom derivative for that of its function. In particular
    the gradient with respect to a dead leaf is zero also where the loss stops gradients. What is
    not found may still be dead. Leaves that are not read are not reported.

    Args:
      jaxpr: An open jaxpr with one scalar output, whose first inputs are the leaves.
      consts: Its constants.
      count: The number of leaves.

    Returns:
      The indices of the dead leaves, and the numbers that masks put in place of −∞ and that had to
      be taken for it, each with its equation.
    """
    walk = _Walk()
    leaves = [_leaf(var, 1 << i) for i, var in enumerate(jaxpr.invars[:count])]
    data = [_data(var) for var in jaxpr.invars[count:]]
    (loss,) = walk.run(jaxpr, [*leaves, *data], consts)
    alive = loss.all_deps | walk.seen
    read = {atom for eqn in jaxpr.eqns for atom in eqn.invars if not is_literal(atom)}
    dead = {i for i, var in enumerate(jaxpr.invars[:count]) if var in read and not alive >> i & 1}
    mask = sum(1 << i for i in dead)
    assumed = {(number, id(eqn)): eqn for number, eqn, deps in walk.assumed if deps & mask}
    return frozenset(dead), [(number, eqn) for (number, _), eqn in assumed.items()]


def _leaf(var: Any, bit: int) -> Value:
    axes = long_axes(shape_of(var))
    if not is_float(var):
        return Value(bit, axes)
    return ZERO._replace(shifts=fresh({axes: bit}))


def _data(var: Any) -> Value:
    return Value(varies=long_axes(getattr(var.aval, "shape", ())))


def _constant(array: Any) -> Value:
    number = known_number(array)
    if number is None:
        return Value(varies=long_axes(getattr(array, "shape", ())))
    return Value(number=number)


class _Walk:
    """One pass over a jaxpr.

    Attributes:
      assumed: Numbers that were taken for −∞: each with its equation, and the leaves that
        only so are hidden behind it.
      seen: The leaves that effects depend on: what is written to a reference may be read again.
    """

    def __init__(self):
        self.assumed: list[tuple[float, Any, int]] = []
        self.seen = 0

    def run(
        self, jaxpr: Any, inputs: Sequence[Value], consts: Sequence[Any] | None = None
    ) -> list[Value]:
        """Walks a jaxpr; returns the values of its outputs.

        Args:
          jaxpr: A jaxpr, open or closed.
          inputs: The values of its inputs.
          consts: Its constants, if it is open and has some.
        """
        return interpret(jaxpr, inputs, consts, _constant, self._apply)

    def _apply(self, eqn: Any, values: list[Value]) -> Sequence[Value]:
        name = eqn.primitive.name
        if eqn.effects and name not in CONTROL:
            self.seen |= all_deps(values)
        rule = CONTROL.get(name) or OF_ANY_DTYPE.get(name)
        if rule is None and eqn.outvars and is_float(eqn.outvars[0]):
            rule = OF_FLOATS.get(name)
        if rule is None:
            return anything(self, eqn, *values)
        if name not in CALLS:
            values = [
                _prepared(name, value, atom) for value, atom in zip(values, eqn.invars, strict=True)
            ]
        outputs = rule(self, eqn, *values)
        return [outputs] if isinstance(outputs, Value) else outputs


def _prepared(name: str, value: Value, atom: Any) -> Value:
    """Returns an input as its operation can take it: masks and factors only where it keeps them."""
    if (value.hidden and name not in KEEP_MASKS) or (value.log and name not in KEEP_FACTORS):
        return folded(value, shape_of(atom))
    return value


def _call(name: str) -> Rule:
    """A jaxpr that is applied once."""

    def rule(walk: _Walk, eqn: Any, *values: Value) -> list[Value]:
        body = eqn.params.get(name)
        if body is None or len(open_jaxpr(body).invars) != len(values):
            return anything(walk, eqn, *values)
        return walk.run(body, values)

    return rule


def _cond(walk: _Walk, eqn: Any, which: Value, *values: Value) -> list[Value]:
    """The result of one of the branches."""
    branches = [walk.run(branch, values) for branch in eqn.params["branches"]]
    which = Value(which.all_deps)
    return [
        chosen(which, [folded(v, shape_of(out)) if v.log else v for v in results])
        for out, *results in zip(eqn.outvars, *branches, strict=True)
    ]


class _Carry(NamedTuple):
    """What holds for a carry in each iteration: a value whose shifts are others every time.

    Attributes:
      deps: As of a value.
      varies: As of a value.
      number: As of a value.
      groups: The leaves that shifts depend on, by the axes along which these vary.
    """

    deps: int
    varies: Axes
    number: Any
    groups: dict[Axes, int]

    @property
    def value(self) -> Value:
        """The carry of one iteration."""
        return made(self.deps, self.varies, self.number, fresh(self.groups))


def _carried(value: Value, shape: Sequence[int]) -> _Carry:
    if value.log or value.hidden:
        value = folded(value, shape)
    terms = [(frozenset(axes), token.deps) for token, axes in value.shifts]
    return _Carry(value.deps, value.varies, value.number, grouped(terms))


def _either(one: _Carry, other: _Carry) -> _Carry:
    """Returns what holds for both."""
    deps, varies = one.deps | other.deps, one.varies | other.varies
    number = one.number if one.number == other.number else None
    groups = grouped([*one.groups.items(), *other.groups.items()])
    for axes in [axes for axes, behind in groups.items() if not behind & ~deps]:
        del groups[axes]
        varies, number = varies | axes, None
    return _Carry(deps, varies, number, groups)


def _settled(
    carry: Sequence[Value],
    shapes: Sequence[Sequence[int]],
    everything: int,
    body: Callable[[list[Value]], list[Value]],
) -> tuple[list[_Carry], list[Value]]:
    """Returns what holds for a carry before and after each iteration, and the body's results.

    Args:
      carry: What it is before the first one.
      shapes: The shapes of its values.
      everything: The leaves that may matter at all.
      body: One iteration.
    """
    states = [_carried(value, shape) for value, shape in zip(carry, shapes, strict=True)]
    for _ in range(ROUNDS):
        results = body([state.value for state in states])
        after = [
            _either(state, _carried(value, shape))
            for state, value, shape in zip(states, results, shapes, strict=False)
        ]
        if after == states:
            return states, results
        states = after
    states = [_Carry(everything, long_axes(shape), None, {}) for shape in shapes]
    return states, body([state.value for state in states])


def _while(walk: _Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry, which also depends on what ends the loop."""
    tests, bodies = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    held, carry = values[tests : tests + bodies], values[tests + bodies :]

    def body(carry: list[Value]) -> list[Value]:
        return walk.run(eqn.params["body_jaxpr"], [*held, *carry])

    shapes = [shape_of(out) for out in eqn.outvars]
    states, _ = _settled(carry, shapes, all_deps(values), body)
    carry = [state.value for state in states]
    (test,) = walk.run(eqn.params["cond_jaxpr"], [*values[:tests], *carry])
    deps = test.all_deps
    return [
        made(
            state.deps | deps,
            state.varies,
            None,
            fresh({axes: behind | deps for axes, behind in state.groups.items()}),
        )
        for state in states
    ]


def _scan(walk: _Walk, eqn: Any, *values: Value) -> list[Value]:
    """A carry, whose shifts are others in each iteration, and stacked outputs."""
    consts, carries = scan_split(eqn.params)
    held, carry = values[:consts], values[consts : consts + carries]
    first = Token(0).serial
    layers = [_layer(value) for value in values[consts + carries :]]

    def body(carry: list[Value]) -> list[Value]:
        return walk.run(eqn.params["jaxpr"], [*held, *carry, *layers])

    shapes = [shape_of(out) for out in eqn.outvars[:carries]]
    states, results = _settled(carry, shapes, all_deps(values), body)
    stacked = [
        _stack(value, shape_of(out), first)
        for value, out in zip(results[carries:], eqn.outvars[carries:], strict=True)
    ]
    return [*(state.value for state in states), *stacked]


def _layer(value: Value) -> Value:
    """Returns what one iteration sees of a scanned value; shifts along its axis are its own."""
    shifts, terms = {}, []
    for (token, axes), coefficient in value.shifts.items():
        left = tuple(axis - 1 for axis in axes if axis)
        if 0 in axes:
            terms.append((frozenset(left), token.deps))
        else:
            shifts[token, left] = coefficient
    shifts.update(fresh(grouped(terms)))
    varies = frozenset(axis - 1 for axis in value.varies if axis)
    return made(value.deps, varies, value.number, shifts, value.hidden, value.log)


def _stack(value: Value, shape: Sequence[int], first: int) -> Value:
    """Returns the values of all iterations; what was made inside varies along the new axis."""
    shifts, terms = {}, []
    for (token, axes), coefficient in value.shifts.items():
        moved = tuple(axis + 1 for axis in axes)
        if token.serial < first:
            shifts[token, moved] = coefficient
        else:
            terms.append((long_axes(shape) & {0, *moved}, token.deps))
    shifts.update(fresh(grouped(terms)))
    varies = frozenset(axis + 1 for axis in value.varies)
    if value.number is None:
        varies |= long_axes(shape[:1])
    return made(value.deps, varies, value.number, shifts, value.hidden, value.log)


CALLS: dict[str, Rule] = {
    **dict.fromkeys(("jit", "pjit", "remat2", "remat", "checkpoint"), _call("jaxpr")),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call"), _call("call_jaxpr")),
    **dict.fromkeys(("custom_vjp_call", "custom_vjp_call_jaxpr"), _call("call_jaxpr")),
}
CONTROL: dict[str, Rule] = {**CALLS, "cond": _cond, "while": _while, "scan": _scan}
