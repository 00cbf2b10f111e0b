"""Carries of loops: what is kept from one iteration to the next, and degrees that grow evenly."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from wdjax.symmetry.prover.digits import matched
from wdjax.symmetry.prover.elementwise import meet
from wdjax.symmetry.prover.linear import Form, combine
from wdjax.symmetry.prover.values import WHOLE, Axis, Key, Parts, Value, names_of, summed, total
from wdjax.symmetry.prover.walk import Walk

Body: TypeAlias = Callable[[Sequence[Value]], list[Value]]
"""From the carry to the next carry, and the outputs of one iteration."""

WHY = "the carry of a loop scales differently after each iteration"


class Growth(NamedTuple):
    """An unknown: by how much the degree of a carry has grown before some iteration.

    Attributes:
      name: Tells it from others.
      stopped: Whether gradients are stopped at it.
    """

    name: int
    stopped: bool = False


def kept(walk: Walk, carry: Sequence[Value], after: Sequence[Value]) -> list[Value]:
    """The carry has to scale alike before and after the body."""
    return [meet(walk, pair, WHY) for pair in zip(carry, after, strict=False)]


def lasting(walk: Walk, values: Sequence[Value], layer: Axis, inside: int) -> list[Value]:
    """What leaves an iteration must not scale with something that is of this iteration only.

    That is its layer, and what was looked up inside of it: names from `inside` on, or those below
    zero from −`inside` on, that are of none of the value's digits.
    """
    why = "the carry of a loop scales with what is of one iteration only"

    def of_any_iteration(value: Value) -> Value:
        own = {digit.name for axis in value.axes for digit in axis}
        names = {name for key in value.parts or () for name in key.names}
        passing = {n for n in names if n not in own and abs(n) >= inside}.union(names_of(layer))
        return value._replace(parts=walk.need_none(value.parts, passing, why))

    return [of_any_iteration(value) for value in values]


def grown(
    walk: Walk, carry: Sequence[Value], body: Body, layer: Axis, inside: int
) -> list[Value] | None:
    """Returns what comes out of a loop in which degrees grow, if nothing in it minds.

    The degree of each carry gets an unknown, which stands for what it has grown by before an
    iteration. If the unknown is in no need, in no output and in no other carry, then each iteration
    needs the same, and adds the same to the degree: n times that, after n of them. Carries that
    meet have to grow together, and share one unknown.
    """
    growths = {i: Growth(walk.fresh()) for i, value in enumerate(carry) if value.parts is not None}
    while growths:
        mark = walk.mark()
        before = [
            _with_growth(value, growths[i]) if i in growths else value
            for i, value in enumerate(carry)
        ]
        after = body(before)
        clashes = _clashes(walk.since(mark), after, growths)
        if not clashes:
            ends = _ends(walk, before, after, growths, layer, inside)
            return [*ends, *after[len(ends) :]]
        walk.undo(mark)
        growths = _regrouped(growths, clashes)
    return None


def _with_growth(value: Value, growth: Growth) -> Value:
    return value._replace(parts=summed(value.parts or {}, {WHOLE: {growth: 1}}))


def _in_forms(forms: Iterable[Form], known: set[Growth]) -> list[set[Growth]]:
    """The growths of each form that has any of those that are known."""
    found = [{Growth(u.name) for u in form if isinstance(u, Growth)} for form in forms]
    return [growths & known for growths in found if growths & known]


def _clashes(
    needs: Sequence[Form], after: Sequence[Value], growths: dict[int, Growth]
) -> list[set[Growth]]:
    """The growths in needs, and those that come out elsewhere than in their own carry."""
    known = set(growths.values())
    clashes = _in_forms(needs, known)
    for i, value in enumerate(after):
        for key, form in (value.parts or {}).items():
            if key == WHOLE and i in growths:
                others = _in_forms([combine((1, form), (-1, {growths[i]: 1}))], known)
                clashes += [found | {growths[i]} for found in others]
            else:
                clashes += _in_forms([form], known)
        if i in growths and value.parts is not None and WHOLE not in value.parts:
            clashes.append({growths[i]})
    return clashes


def _regrouped(growths: dict[int, Growth], clashes: Sequence[set[Growth]]) -> dict[int, Growth]:
    """Makes growths that clash one; what clashes by itself is no growth."""
    joined = next((clash for clash in clashes if len(clash) > 1), None)
    if joined is None:
        minded = set().union(*clashes)
        return {i: growth for i, growth in growths.items() if growth not in minded}
    first = min(joined)
    return {i: first if growth in joined else growth for i, growth in growths.items()}


def _ends(
    walk: Walk,
    before: Sequence[Value],
    after: Sequence[Value],
    growths: dict[int, Growth],
    layer: Axis,
    inside: int,
) -> list[Value]:
    """Returns the carry after the last iteration."""
    together: dict[Growth, Parts] = {}
    ends = []
    for i, (old, new) in enumerate(zip(before, after, strict=False)):
        if i in growths:
            growth = {WHOLE: {growths[i]: 1}}
            old = old._replace(parts=summed(old.parts or {}, growth, -1))
        if i not in growths or new.parts is None:
            ends += kept(walk, [old], lasting(walk, [new], layer, inside))
            continue
        new = new._replace(parts=summed(new.parts, growth, -1))
        old, added = _added(walk, old, new, layer, inside)
        walk.need_equal(together.setdefault(growths[i], added), added, WHY)
        ends.append(old._replace(parts=summed(old.parts or {}, total(added, layer) or {})))
    return ends


def _added(
    walk: Walk, before: Value, after: Value, layer: Axis, inside: int
) -> tuple[Value, Parts]:
    """Returns by how much a carry grows in one iteration: it may depend on loops, not on axes."""
    before, after = matched(walk, before, after, [(i, i) for i in range(len(before.axes))])
    layers, own = {digit.name for digit in layer}, before.names
    added: dict[Key, Form] = {}
    for key, form in summed(after.parts or {}, before.parts or {}, -1).items():
        of_loops = (name not in own and abs(name) < inside for name in key.names)
        if all(name in layers or outer for name, outer in zip(key.names, of_loops, strict=True)):
            added[key] = form
        else:
            walk.need_zero(form, WHY)
    return before, added
