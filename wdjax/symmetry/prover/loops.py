"""Rules of loops: what a carry needs to scale alike in every iteration, or to grow evenly."""

from collections.abc import Sequence
from typing import Any

from wdjax.jax_compat import scan_split, shape_of
from wdjax.symmetry.prover.digits import aligned
from wdjax.symmetry.prover.growth import Body, grown, kept, lasting
from wdjax.symmetry.prover.values import Axis, Value, plain_axis, zero
from wdjax.symmetry.prover.walk import Rule, Walk


def while_loop(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry has to scale in the same way after each iteration."""
    tests, bodies = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    held, carry = values[tests : tests + bodies], list(values[tests + bodies :])
    inside = walk.fresh()

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["body_jaxpr"], [*held, *carry])

    carry = _begun(carry, lambda carry: lasting(walk, body(carry), (), inside))
    carry = kept(walk, carry, lasting(walk, body(carry), (), inside))
    test = walk.run(eqn.params["cond_jaxpr"], [*values[:tests], *carry])
    walk.need_invariant(test[0], "a loop ends on a value that scales")
    return carry


def scan(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry keeps its form, or grows; what varies along a scanned axis varies by iteration.

    The digits of the scanned axis leave the values that the body sees, but not the keys of their
    parts. Where such a part comes out of an iteration, it varies along the axis of the stack.
    """
    consts, carries = scan_split(eqn.params)
    held, carry = list(values[:consts]), list(values[consts : consts + carries])
    if not eqn.params["length"]:
        return [*carry, *(zero(shape_of(out)) for out in eqn.outvars[carries:])]
    scanned, layer = _scanned(walk, values[consts + carries :], eqn.params["length"])
    inside = walk.fresh()

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["jaxpr"], [*held, *carry, *scanned])

    carry = _begun(carry, lambda carry: lasting(walk, body(carry)[:carries], layer, inside))
    after = body(carry)
    if not all(map(_is_same, carry, after)):
        after = grown(walk, carry, body, layer, inside) or [
            *kept(walk, carry, lasting(walk, after[:carries], layer, inside)),
            *after[carries:],
        ]
    stacked = [
        value._replace(axes=(layer, *value.axes))
        for value in lasting(walk, after[carries:], (), inside)
    ]
    return [value._replace(constant=None) for value in (*after[:carries], *stacked)]


def _scanned(walk: Walk, values: Sequence[Value], length: int) -> tuple[list[Value], Axis]:
    """Returns what one iteration sees of scanned values, and the digits of the scanned axis."""
    if not values:
        return [], plain_axis(length)
    values = aligned(walk, values, [0] * len(values))
    return [value._replace(axes=value.axes[1:]) for value in values], values[0].axes[0]


def _begun(carry: list[Value], body: Body) -> list[Value]:
    """Returns a carry in which nothing fits every form that the body makes something of.

    A carry that begins as zero does, so the body is walked with what comes out of it.
    """
    while True:
        empty = [value.parts is None for value in carry]
        if not any(empty):
            break
        after = body(carry)
        carry = [new if old.parts is None else old for old, new in zip(carry, after, strict=False)]
        if empty == [value.parts is None for value in carry]:
            break
    return [value._replace(constant=None) for value in carry]


def _is_same(old: Value, new: Value) -> bool:
    """Whether a value scales in the same way, digit by digit."""
    if new.parts is None:
        return True
    return old.parts == new.parts and (not new.names or old.axes == new.axes)


LOOPS: dict[str, Rule] = {"while": while_loop, "scan": scan}
