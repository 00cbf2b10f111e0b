"""Rules of operations that hold jaxprs of their own: calls, branches, loops."""

from collections.abc import Sequence
from typing import Any

from wdjax.jax_compat import open_jaxpr, scan_split, shape_of
from wdjax.symmetry.prover.linear import combine
from wdjax.symmetry.prover.values import Axis, Digit, Value, plain_axis
from wdjax.symmetry.prover.walk import Rule, Walk

ROUNDS = 4
"""Walks of a loop's body until the forms of its carry repeat; more are never seen."""


def call(name: str) -> Rule:
    """A jaxpr that is applied once."""
    return lambda walk, eqn, *values: walk.run(eqn.params[name], values)


def cond(walk: Walk, eqn: Any, which: Value, *values: Value) -> list[Value]:
    """All branches have to give values that scale alike."""
    walk.need_invariant(which, "a branch depends on a value that scales")
    branches = [walk.run(branch, values) for branch in eqn.params["branches"]]
    why = "branches give values that scale differently"
    return [walk.meet(results, why) for results in zip(*branches, strict=True)]


def while_loop(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry has to scale in the same way after each iteration."""
    tests, bodies = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    held, carry = values[tests : tests + bodies], list(values[tests + bodies :])

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["body_jaxpr"], [*held, *carry])

    carry = _settled(walk, carry, body)
    test = walk.run(eqn.params["cond_jaxpr"], [*values[:tests], *carry])
    walk.need_invariant(test[0], "a loop ends on a value that scales")
    return carry


def scan(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry keeps its form; factors along a scanned axis are those of each iteration.

    Inside the body the layer's own factor is part of the degree. It has to cancel in the carry,
    and in an output that is stacked it becomes a factor along the new axis.
    """
    consts, carries = scan_split(eqn.params)
    held, carry = list(values[:consts]), list(values[consts : consts + carries])
    scanned = values[consts + carries :]
    layers = [_layer(walk, value) for value in scanned]
    own = {u for value in scanned for digit in value.axes[0] for u in digit.form}
    walk.scanned.append(own)

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["jaxpr"], [*held, *carry, *layers])

    def carried(carry: Sequence[Value]) -> list[Value]:
        return [_of_any_layer(walk, value, own) for value in body(carry)[:carries]]

    carry = _settled(walk, carry, carried)
    stacked = body(carry)[carries:]
    walk.scanned.pop()
    outputs = eqn.outvars[carries:]
    stacked = [_stack(v, shape_of(out)[0], own) for v, out in zip(stacked, outputs, strict=True)]
    return [*carry, *stacked]


def _layer(walk: Walk, value: Value) -> Value:
    """What one iteration sees of a scanned value: the factor along its axis joins the degree."""
    first, *rest = value.axes
    scaling = [digit for digit in first if digit.form]
    if len(first) > 1:
        walk.need_plain(first, "an axis of several parts is scanned over")
        scaling = []
    if value.degree is None:
        return Value(None, tuple(rest))
    return Value(combine((1, value.degree), *((1, d.form) for d in scaling)), tuple(rest))


def _of_any_layer(walk: Walk, value: Value, own: set[Any]) -> Value:
    """A carry meets the next layer: it must not scale with this one."""
    if value.degree is None:
        return value
    of_layer = {u: c for u, c in value.degree.items() if u in own}
    walk.need_zero(of_layer, "the carry of a scan scales with one of the layers")
    return value._replace(degree={u: c for u, c in value.degree.items() if u not in own})


def _stack(value: Value, length: int, own: set[Any]) -> Value:
    """Puts the values of all iterations together: the layer's factors go along the new axis."""
    if value.degree is None:
        return Value(None, (plain_axis(length), *value.axes))
    along = {u: c for u, c in value.degree.items() if u in own}
    degree = {u: c for u, c in value.degree.items() if u not in own}
    first: Axis = (Digit(length, along),)
    return Value(degree, (first, *value.axes))


def _settled(walk: Walk, carry: list[Value], body: Any) -> list[Value]:
    """Returns a carry that scales in the same way before and after the body.

    A carry that begins as zero fits every form, so the body is walked again with what comes out of
    it, until nothing new does.
    """
    for _ in range(ROUNDS):
        after = body(carry)
        found = [new if old.degree is None else old for old, new in zip(carry, after, strict=True)]
        unchanged = all(
            old.degree is not None or new.degree is None
            for old, new in zip(carry, found, strict=True)
        )
        carry = [value._replace(constant=None) for value in found]
        if unchanged:
            break
    why = "the carry of a loop scales differently after each iteration"
    return [walk.meet([old, new], why) for old, new in zip(carry, body(carry), strict=True)]


def shard_map(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The body sees shards: along axes that are sharded nothing may scale."""
    body = open_jaxpr(eqn.params["jaxpr"])
    inside = [
        _reshaped(walk, value, shape_of(var))
        for value, var in zip(values, body.invars, strict=True)
    ]
    results = walk.run(body, inside)
    return [
        _reshaped(walk, value, shape_of(out))
        for value, out in zip(results, eqn.outvars, strict=True)
    ]


def _reshaped(walk: Walk, value: Value, shape: tuple[int, ...]) -> Value:
    axes = list(value.axes)
    for i, (old, new) in enumerate(zip(value.shape, shape, strict=True)):
        if old != new:
            walk.need_plain(axes[i], "an axis is sharded inside shard_map")
            axes[i] = plain_axis(new)
    return value._replace(axes=tuple(axes))


CONTROL: dict[str, Rule] = {
    **dict.fromkeys(("jit", "pjit", "remat2", "remat", "checkpoint"), call("jaxpr")),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call"), call("call_jaxpr")),
    **dict.fromkeys(("custom_vjp_call", "custom_vjp_call_jaxpr"), call("call_jaxpr")),
    "cond": cond,
    "while": while_loop,
    "scan": scan,
    "shard_map": shard_map,
}
