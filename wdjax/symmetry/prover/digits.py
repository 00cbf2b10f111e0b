"""Giving values the same digits: cutting them, telling their indices apart, naming them alike."""

from collections.abc import Iterable, Sequence
from itertools import chain, combinations, pairwise

from wdjax.symmetry.prover.linear import Form
from wdjax.symmetry.prover.values import (
    Axis,
    Digit,
    Key,
    Parts,
    Value,
    at,
    fit_together,
    joined,
    names_of,
    plain_axes,
    plain_axis,
    renamed,
    size_of,
)
from wdjax.symmetry.prover.walk import Walk

DIGITS = 6
"""The most digits of one axis: what varies along it has a part for each set of them."""
POINTS = 64
"""The largest digit whose indices are told apart."""


def cuts_of(axis: Axis) -> set[int]:
    """Returns where an axis is cut into digits: the products of the sizes behind each cut."""
    behind, cuts = 1, set()
    for digit in reversed(axis):
        cuts.add(behind)
        behind *= digit.size
    return cuts


def subsets(places: Sequence[int]) -> list[tuple[int, ...]]:
    """Returns all subsets of some places, but the empty one."""
    sizes = range(1, len(places) + 1)
    return list(chain.from_iterable(combinations(places, n) for n in sizes))


def is_plain(value: Value, axis: int) -> bool:
    """Whether nothing varies along an axis."""
    return all(digit.name is None and not digit.also for digit in value.axes[axis])


def without_look_ups(walk: Walk, value: Value, numbers: Iterable[int]) -> Value:
    """Along these axes nothing may vary in a way that is not known."""
    numbers = set(numbers)
    names = {n for i in numbers for digit in value.axes[i] for n in digit.also}
    if not names:
        return value
    axes = tuple(
        tuple(digit._replace(also=frozenset()) for digit in axis) if i in numbers else axis
        for i, axis in enumerate(value.axes)
    )
    why = "an axis along which entries were looked up is cut, or joined with another"
    return value._replace(parts=walk.need_none(value.parts, names, why), axes=axes)


def with_own_look_ups(walk: Walk, value: Value) -> Value:
    """Renames what was looked up along several axes, before these change their order.

    x and its transpose vary along the same axes then, but not in the same way.
    """
    seen = [name for axis in value.axes for name in {n for digit in axis for n in digit.also}]
    return renamed(value, {name: walk.fresh(name) for name in seen if seen.count(name) > 1})


def look_up(walk: Walk, value: Value, number: int) -> tuple[Value, set[int]]:
    """Takes one index of an axis that is not known, and leaves the axis with length one.

    What varies along the axis varies with the index; its names are returned. Where the index varies
    along axes, so do these.
    """
    names = {name: walk.fresh(-1) for name in names_of(value.axes[number])}
    value = renamed(value, names)
    return value.with_axis(number, plain_axis(1)), set(names.values())


def cut(walk: Walk, value: Value, number: int, cuts: Iterable[int]) -> Value:
    """Cuts the digits of an axis where the product of the sizes behind is in `cuts`.

    What varies along a digit is cut with it, and so are the unknowns.
    """
    value = without_look_ups(walk, value, [number])
    axis = value.axes[number]
    size = size_of(axis)
    wanted = sorted({size, 1, *cuts, *cuts_of(axis)}, reverse=True)
    if not fit_together(wanted, size):
        return walk.need_plain(value, [number], "an axis is split in two ways that do not fit")
    pieces: list[Digit] = []
    behind = size
    for digit in axis:
        end = behind // digit.size
        inner = [behind, *(place for place in wanted if end < place < behind), end]
        if len(inner) == 2:
            pieces.append(digit)
        else:
            sizes = [high // low for high, low in pairwise(inner)]
            value, new = _cut_digit(walk, value, digit, sizes)
            pieces.extend(new)
        behind = end
    kept = tuple(piece for piece in pieces if piece.size != 1)
    return value.with_axis(number, kept or plain_axis(1))


def _cut_digit(
    walk: Walk, value: Value, digit: Digit, sizes: Sequence[int]
) -> tuple[Value, list[Digit]]:
    """Returns the value with one digit cut into others, and these."""
    if digit.name is None:
        return value, [Digit(size) for size in sizes]
    if digit.resolved:
        new = [Digit(size, walk.fresh(), True) for size in sizes]
        points = [at(value.parts or {}, digit.name, index) for index in range(digit.size)]
        return value._replace(parts=_regrouped(points, new)), new
    if len(sizes) > DIGITS:
        why = "an axis is cut into too many parts"
        rest = walk.need_none(value.parts, [digit.name], why)
        return value._replace(parts=rest), [Digit(size) for size in sizes]
    names = [walk.fresh() for _ in sizes]
    new = [Digit(size, name) for size, name in zip(sizes, names, strict=True)]
    parts: dict[Key, Form] = {}
    for key, form in (value.parts or {}).items():
        if digit.name in key.free:
            parts |= _cut_part(key, form, key.free.index(digit.name), names, sizes)
        else:
            parts[key] = form
    return value._replace(parts=parts), new


def _cut_part(
    key: Key, form: Form, number: int, names: Sequence[int], sizes: Sequence[int]
) -> Parts:
    """Returns what becomes of a part if a digit along which it varies is cut.

    A function of several digits that averages to zero is a sum of such functions of each of them,
    of each two of them, and so on.
    """
    cut_up = {
        unknown: (unknown.free[number].pieces(sizes), coefficient)
        for unknown, coefficient in form.items()
    }
    parts: dict[Key, Form] = {}
    for chosen in subsets(range(len(sizes))):
        of_pieces = [names[i] for i in chosen]
        free = (*key.free[:number], *of_pieces, *key.free[number + 1 :])
        cut_form = {
            unknown.with_pieces(number, [pieces[i] for i in chosen]): coefficient
            for unknown, (pieces, coefficient) in cut_up.items()
        }
        placed, cut_form = Key.placed(free, key.fixed, cut_form)
        parts[placed] = cut_form
    return parts


def _regrouped(points: Sequence[Parts], digits: Sequence[Digit]) -> Parts:
    """Returns parts that vary along several resolved digits, from those at each joint index."""
    first, *rest = digits
    assert first.name is not None
    if not rest:
        return joined(points, first.name)
    size = len(points) // first.size
    rows = [points[i * size : (i + 1) * size] for i in range(first.size)]
    return joined([_regrouped(row, rest) for row in rows], first.name)


def _ask_for(walk: Walk, value: Value, name: int) -> None:
    """Asks that the next walk tells the indices apart along a digit."""
    for key, form in (value.parts or {}).items():
        if name in key.free:
            place = key.free.index(name)
            walk.requests |= {(unknown.leaf, unknown.free[place]) for unknown in form}


def resolve(walk: Walk, value: Value, number: int, places: Iterable[int]) -> Value:
    """Tells the indices apart of the digits at these places of an axis."""
    value = without_look_ups(walk, value, [number])
    axis = list(value.axes[number])
    for place in places:
        digit = axis[place]
        if digit.resolved:
            continue
        if digit.name is not None:
            if digit.size <= POINTS:
                _ask_for(walk, value, digit.name)
            parts = walk.need_none(value.parts, [digit.name], "its indices are told apart")
            value = value._replace(parts=parts)
        axis[place] = Digit(digit.size, walk.fresh(), True)
    return value.with_axis(number, tuple(axis))


def aligned(walk: Walk, values: Sequence[Value], numbers: Sequence[int]) -> list[Value]:
    """Gives several values the same digits along one axis of each."""
    values = [
        without_look_ups(walk, value, [number])
        for value, number in zip(values, numbers, strict=True)
    ]
    pairs = list(zip(values, numbers, strict=True))
    if len({v.axes[n] for v, n in pairs}) == 1 and is_plain(*pairs[0]):
        return list(values)
    cuts = {place for v, n in pairs if not is_plain(v, n) for place in cuts_of(v.axes[n])}
    if not fit_together(cuts, size_of(values[0].axes[numbers[0]])):
        why = "axes that are split in different ways meet"
        return [walk.need_plain(v, [n], why) for v, n in pairs]
    # Along a plain axis the other's digits are as good as any.
    bare = [v if not is_plain(v, n) else v.with_axis(n, plain_axis(v.shape[n])) for v, n in pairs]
    after = [cut(walk, v, n, cuts) for v, n in zip(bare, numbers, strict=True)]
    axes = [v.axes[n] for v, n in zip(after, numbers, strict=True)]
    told = [
        place
        for place in range(len(axes[0]))
        if any(axis[place].resolved and axis[place].name is not None for axis in axes)
    ]
    after = [resolve(walk, v, n, told) for v, n in zip(after, numbers, strict=True)]
    common = tuple(
        Digit(digit.size, walk.fresh(), place in told) for place, digit in enumerate(axes[0])
    )
    return [_named(v, n, common) for v, n in zip(after, numbers, strict=True)]


def _named(value: Value, number: int, common: Axis) -> Value:
    names = {
        old.name: new.name
        for old, new in zip(value.axes[number], common, strict=True)
        if old.name is not None and new.name is not None
    }
    return renamed(value, names).with_axis(number, common)


def matched(
    walk: Walk, a: Value, b: Value, pairs: Sequence[tuple[int, int]]
) -> tuple[Value, Value]:
    """Gives two values the same digits along pairs of axes, and different ones elsewhere."""
    if a.axes == b.axes and all(i == j for i, j in pairs) and len(pairs) == len(a.axes):
        return a, b
    for i, j in pairs:
        if a.axes[i] == b.axes[j]:
            continue
        if is_plain(b, j) and b.names.isdisjoint(names_of(a.axes[i])):
            b = b.with_axis(j, a.axes[i])
        elif is_plain(a, i) and a.names.isdisjoint(names_of(b.axes[j])):
            a = a.with_axis(i, b.axes[j])
        elif _same_form(a.axes[i], b.axes[j]) and b.names.isdisjoint(names_of(a.axes[i])):
            b = _named(b, j, a.axes[i])
        else:
            a, b = aligned(walk, (a, b), (i, j))
    b = _apart(walk, a, b, {j for _, j in pairs})
    for i, j in pairs:
        if a.axes[i] != b.axes[j]:  # what was looked up in one of them has another name now
            both = tuple(
                one._replace(also=one.also | other.also)
                for one, other in zip(a.axes[i], b.axes[j], strict=True)
            )
            a, b = a.with_axis(i, both), b.with_axis(j, both)
    return a, b


def _same_form(a: Axis, b: Axis) -> bool:
    """Whether two axes have the same digits, other than their names."""
    return len(a) == len(b) and all(
        one.size == other.size
        and one.resolved == other.resolved
        and None not in (one.name, other.name)
        and not (one.also or other.also)
        for one, other in zip(a, b, strict=True)
    )


def _apart(walk: Walk, a: Value, b: Value, paired: set[int]) -> Value:
    """Renames digits of b, on axes that are not paired, that have the name of one of a."""
    taken = {name for axis in a.axes for name in names_of(axis)}
    own = {name for j, axis in enumerate(b.axes) if j not in paired for name in names_of(axis)}
    return renamed(b, {name: walk.fresh(name) for name in taken & own})


def regrouped_axes(walk: Walk, value: Value, shape: Sequence[int]) -> Value:
    """Deals the digits of all axes, in order, out to axes of other lengths."""
    value = without_look_ups(walk, value, range(len(value.axes)))
    if not value.names:
        return value._replace(axes=plain_axes(shape))
    flat = tuple(digit for axis in value.axes for digit in axis if digit.size != 1)
    cuts, behind = {1}, 1
    for size in reversed(shape):
        behind *= size
        cuts.add(behind)
    value = cut(walk, value._replace(axes=(flat or plain_axis(1),)), 0, cuts)
    if not cuts <= {*cuts_of(value.axes[0]), behind}:
        return value._replace(axes=plain_axes(shape))
    digits = iter(value.axes[0])
    return value._replace(axes=tuple(_deal(digits, size) for size in shape))


def _deal(digits: Iterable[Digit], size: int) -> Axis:
    """Takes digits until their product is the size of the axis."""
    taken, product = [], 1
    source = iter(digits)
    while product < size:
        digit = next(source)
        if digit.size != 1:
            taken.append(digit)
            product *= digit.size
    return tuple(taken) or plain_axis(1)
