"""Rules of loops: what a carry needs to scale alike in every iteration, or to grow evenly."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wdjax.jax_compat import scan_split
from wdjax.symmetry.prover.digits import aligned, matched
from wdjax.symmetry.prover.elementwise import meet
from wdjax.symmetry.prover.linear import ZERO, Form
from wdjax.symmetry.prover.values import (
    WHOLE,
    Axis,
    Value,
    names_of,
    plain_axis,
    summed,
    total,
)
from wdjax.symmetry.prover.walk import Rule, Walk

ROUNDS = 4
"""Walks of a loop's body until the forms of its carry repeat; more are never seen."""

Body = Callable[[Sequence[Value]], list[Value]]
"""From the carry to the next carry, and the outputs of one iteration."""


class Growth(NamedTuple):
    """An unknown: by how much a carry's degree has grown before some iteration."""

    name: int


def while_loop(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The carry has to scale in the same way after each iteration."""
    tests, bodies = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    held, carry = values[tests : tests + bodies], list(values[tests + bodies :])

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["body_jaxpr"], [*held, *carry])

    carry = _begun(carry, body)
    carry = _kept(walk, carry, body(carry))
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
    scanned, layer = _scanned(walk, values[consts + carries :], eqn.params["length"])

    def body(carry: Sequence[Value]) -> list[Value]:
        return walk.run(eqn.params["jaxpr"], [*held, *carry, *scanned])

    carry = _begun(carry, lambda carry: _of_any_layer(walk, body(carry)[:carries], layer))
    after = body(carry)
    if not all(map(_is_same, carry, after)):
        after = _grown(walk, carry, body, layer) or [
            *_kept(walk, carry, _of_any_layer(walk, after[:carries], layer)),
            *after[carries:],
        ]
    stacked = [value._replace(axes=(layer, *value.axes)) for value in after[carries:]]
    return [value._replace(constant=None) for value in (*after[:carries], *stacked)]


def _scanned(walk: Walk, values: Sequence[Value], length: int) -> tuple[list[Value], Axis]:
    """Returns what one iteration sees of scanned values, and the digits of the scanned axis."""
    if not values:
        return [], plain_axis(length)
    values = aligned(walk, values, [0] * len(values))
    return [value._replace(axes=value.axes[1:]) for value in values], values[0].axes[0]


def _of_any_layer(walk: Walk, values: Sequence[Value], layer: Axis) -> list[Value]:
    """A carry meets the next layer: it must not scale with this one."""
    why = "the carry of a scan scales with one of the layers"
    return [v._replace(parts=walk.need_none(v.parts, names_of(layer), why)) for v in values]


def _begun(carry: list[Value], body: Body) -> list[Value]:
    """Returns a carry in which nothing fits every form that the body makes something of.

    A carry that begins as zero does, so the body is walked with what comes out of it.
    """
    for _ in range(ROUNDS):
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


def _kept(walk: Walk, carry: Sequence[Value], after: Sequence[Value]) -> list[Value]:
    """The carry has to scale alike before and after the body."""
    why = "the carry of a loop scales differently after each iteration"
    return [meet(walk, pair, why) for pair in zip(carry, after, strict=False)]


def _grown(walk: Walk, carry: Sequence[Value], body: Body, layer: Axis) -> list[Value] | None:
    """Returns what comes out of a loop in which degrees grow, if nothing in it minds.

    The degree of each carry gets an unknown, which stands for what it has grown by before an
    iteration. If the unknown is in no need, in no output and in no other carry, then each iteration
    needs the same, and adds the same to the degree: n times that, after n of them.
    """
    growths = {i: Growth(walk.fresh()) for i, value in enumerate(carry) if value.parts is not None}
    while growths:
        mark = walk.mark()
        before = [
            _with_growth(value, growths[i]) if i in growths else value
            for i, value in enumerate(carry)
        ]
        after = body(before)
        minded = _minded(walk.since(mark), after, growths)
        if not minded:
            ends = [
                _end(walk, old, new, layer, growths.get(i))
                for i, (old, new) in enumerate(zip(before, after, strict=False))
            ]
            return [*ends, *after[len(ends) :]]
        walk.undo(mark)
        growths = {i: growth for i, growth in growths.items() if growth not in minded}
    return None


def _with_growth(value: Value, growth: Growth) -> Value:
    return value._replace(parts=summed(value.parts or {}, {WHOLE: {growth: 1}}))


def _minded(
    needs: Sequence[Form], after: Sequence[Value], growths: dict[int, Growth]
) -> set[Growth]:
    """The growths that something depends on, other than their own carry, one for one."""
    minded = {u for form in needs for u in form if isinstance(u, Growth)}
    for i, value in enumerate(after):
        for key, form in (value.parts or {}).items():
            own = growths.get(i) if key == WHOLE else None
            minded |= {u for u in form if isinstance(u, Growth) and u != own}
        whole = ZERO if value.parts is None else value.parts.get(WHOLE, ZERO)
        if i in growths and value.parts is not None and whole.get(growths[i]) != 1:
            minded.add(growths[i])
    return minded & set(growths.values())


def _end(walk: Walk, before: Value, after: Value, layer: Axis, growth: Growth | None) -> Value:
    """Returns a carry after the last iteration."""
    if growth is None or after.parts is None:
        return _kept(walk, [before], _of_any_layer(walk, [after], layer))[0]
    before, after = matched(walk, before, after, [(i, i) for i in range(len(before.axes))])
    evenly, layers = {}, set(names_of(layer))
    for key, form in summed(after.parts or {}, before.parts or {}, -1).items():
        if layers.issuperset((*key.free, *(name for name, _ in key.fixed))):
            evenly[key] = form
        else:
            walk.need_zero(form, "the carry of a loop scales differently after each iteration")
    added = total(evenly, layer) or {}
    parts = summed(before.parts or {}, {WHOLE: {growth: 1}}, -1)
    return before._replace(parts=summed(parts, {WHOLE: added.get(WHOLE, ZERO)}))


LOOPS: dict[str, Rule] = {"while": while_loop, "scan": scan}
