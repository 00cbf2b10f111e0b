"""Rules of operations that take axes apart and put them together: slices and concatenation."""

from collections.abc import Sequence
from math import gcd
from typing import Any

from wdjax.symmetry.prover.digits import (
    POINTS,
    aligned,
    cut,
    cuts_of,
    is_plain,
    look_up,
    resolve,
    without_look_ups,
)
from wdjax.symmetry.prover.elementwise import meet
from wdjax.symmetry.prover.values import (
    Digit,
    Parts,
    Value,
    at,
    joined,
    plain_axis,
    size_of,
    zero,
)
from wdjax.symmetry.prover.walk import Rule, Walk


def part(walk: Walk, value: Value, number: int, start: int, stop: int) -> Value:
    """Returns the entries of an axis from start to stop."""
    size = size_of(value.axes[number])
    if start == stop:
        return zero((*value.shape[:number], 0, *value.shape[number + 1 :]))
    if (start, stop) != (0, size):
        value = without_look_ups(walk, value, [number])
    if (start, stop) == (0, size) or value.parts is None or is_plain(value, number):
        kept = value.axes[number] if stop - start == size else plain_axis(stop - start)
        return value.with_axis(number, kept)
    piece = gcd(start, stop, size)
    if size // piece > POINTS:
        value = walk.need_plain(value, [number], "a part of a long axis is taken")
        return value.with_axis(number, plain_axis(stop - start))
    points, tail = pieces_of(walk, value, number, piece)
    return _assembled(walk, value, number, points[start // piece : stop // piece], tail)


def pieces_of(
    walk: Walk, value: Value, number: int, piece: int
) -> tuple[list[Parts], tuple[Digit, ...]]:
    """Returns the parts of each piece of an axis, and the digits of one piece."""
    value = cut(walk, value, number, {piece})
    axis = value.axes[number]
    if piece not in {*cuts_of(axis), size_of(axis)}:  # the cut did not fit: nothing varies there
        return [value.parts or {}] * (size_of(axis) // piece), plain_axis(piece)
    front = 0
    while size_of(axis[front:]) > piece:
        front += 1
    value = resolve(walk, value, number, range(front))
    points = [value.parts or {}]
    for digit in value.axes[number][:front]:
        assert digit.name is not None
        points = [at(parts, digit.name, i) for parts in points for i in range(digit.size)]
    return points, value.axes[number][front:] or plain_axis(1)


def _assembled(
    walk: Walk, value: Value, number: int, points: Sequence[Parts], tail: tuple[Digit, ...]
) -> Value:
    """Returns the value with an axis of these pieces, each of which has the digits of the tail."""
    if all(point == points[0] for point in points):
        front = Digit(len(points))
        parts = points[0]
    else:
        front = Digit(len(points), walk.fresh(), True)
        assert front.name is not None
        parts = joined(points, front.name)
    axis = tuple(digit for digit in (front, *tail) if digit.size != 1) or plain_axis(1)
    return Value(parts, value.axes).with_axis(number, axis)


def static_slice(walk: Walk, eqn: Any, value: Value) -> Value:
    """x[start:stop:stride] along each axis."""
    starts, stops = eqn.params["start_indices"], eqn.params["limit_indices"]
    strides = eqn.params["strides"] or (1,) * len(starts)
    for number, (start, stop, stride) in enumerate(zip(starts, stops, strides, strict=True)):
        if stride == 1:
            value = part(walk, value, number, start, stop)
        else:
            value = _every(walk, value, number, start, stop, stride)
    return value


def _every(walk: Walk, value: Value, number: int, start: int, stop: int, stride: int) -> Value:
    """x[start:stop:stride]: an index of the last digit, where the stride goes round evenly."""
    value = without_look_ups(walk, value, [number])
    size = size_of(value.axes[number])
    count = -(-(stop - start) // stride)
    even = size % stride == 0 and start < stride and count == size // stride
    if value.parts is None or is_plain(value, number):
        return value.with_axis(number, plain_axis(count))
    if not even or stride > POINTS:
        value = walk.need_plain(value, [number], "some indices of an axis are taken")
        return value.with_axis(number, plain_axis(count))
    value = cut(walk, value, number, {stride})
    if is_plain(value, number):
        return value.with_axis(number, plain_axis(count))
    axis = value.axes[number]
    front = 0
    while size_of(axis[front:]) > stride:
        front += 1
    value = resolve(walk, value, number, range(front, len(axis)))
    parts, index, behind = value.parts or {}, start, stride
    for digit in value.axes[number][front:]:
        behind //= digit.size
        assert digit.name is not None
        parts = at(parts, digit.name, index // behind)
        index %= behind
    front_digits = value.axes[number][:front] or plain_axis(1)
    return value._replace(parts=parts).with_axis(number, front_digits)


def dynamic_slice(walk: Walk, eqn: Any, value: Value, *starts: Value) -> Value:
    """A slice from indices that may be known."""
    sizes = eqn.params["slice_sizes"]
    for number, size in enumerate(sizes):
        start = starts[number].constant if number < len(starts) else None
        length = size_of(value.axes[number])
        if size == length:
            continue
        if start is not None:
            first = min(max(int(start), 0), length - size)
            value = part(walk, value, number, first, first + size)
        elif size == 1:
            value, _ = look_up(walk, value, number)
        else:
            value = walk.need_plain(value, [number], "a part of an axis is taken")
            value = value.with_axis(number, plain_axis(size))
    return value


def split(walk: Walk, eqn: Any, value: Value) -> list[Value]:
    """Several slices, one after the other."""
    number, start, parts = eqn.params["axis"], 0, []
    for size in eqn.params["sizes"]:
        parts.append(part(walk, value, number, start, start + size))
        start += size
    return parts


def concatenate(walk: Walk, eqn: Any, *values: Value) -> Value:
    """Parts are joined along an axis."""
    return join(walk, values, eqn.params["dimension"])


def stack(walk: Walk, eqn: Any, *values: Value) -> Value:
    """Values are joined along a new axis."""
    number = eqn.params["axis"]
    new = [
        value._replace(axes=(*value.axes[:number], plain_axis(1), *value.axes[number:]))
        for value in values
    ]
    return join(walk, new, number)


def unstack(walk: Walk, eqn: Any, value: Value) -> list[Value]:
    """Each index of an axis is a value."""
    number = eqn.params["axis"]
    slices = [part(walk, value, number, i, i + 1) for i in range(value.shape[number])]
    return [v._replace(axes=(*v.axes[:number], *v.axes[number + 1 :])) for v in slices]


def tile(walk: Walk, eqn: Any, value: Value) -> Value:
    """The value is repeated along its axes."""
    axes = tuple(
        tuple(digit for digit in (Digit(times), *axis) if digit.size != 1) or plain_axis(1)
        for times, axis in zip(eqn.params["reps"], value.axes, strict=True)
    )
    return value._replace(axes=axes)


def join(walk: Walk, values: Sequence[Value], number: int) -> Value:
    """Joins parts along an axis, along which they may scale differently.

    Parts that are zero fit those beside them. Where the axis would have too many pieces, the parts
    have to scale alike.
    """
    shape = list(values[0].shape)
    shape[number] = sum(value.shape[number] for value in values)
    if all(value.parts is None for value in values):
        return zero(shape)
    piece = gcd(*(value.shape[number] for value in values))
    if shape[number] // piece > POINTS:
        return _joined_alike(walk, values, number, shape)
    kinds: list[Value] = []
    order: list[int] = []
    for value in values:
        for kind, times in _kinds(walk, value, number, piece):
            order += [len(kinds)] * times
            kinds.append(kind)
    kinds = _alike_in_digits(walk, kinds)
    given = next(kind.parts for kind in kinds if kind.parts is not None)
    parts = [given if kind.parts is None else kind.parts for kind in kinds]
    tail = kinds[0].axes[number]
    return _assembled(walk, kinds[0], number, [parts[i] for i in order], tail)


def _kinds(walk: Walk, value: Value, number: int, piece: int) -> list[tuple[Value, int]]:
    """Returns the pieces of an axis as values, each with how often it occurs."""
    times = value.shape[number] // piece
    if value.parts is None or is_plain(value, number):
        return [(value.with_axis(number, plain_axis(piece)), times)]
    points, tail = pieces_of(walk, value, number, piece)
    return [(value._replace(parts=point).with_axis(number, tail), 1) for point in points]


def _alike_in_digits(walk: Walk, values: list[Value]) -> list[Value]:
    """Gives values of one shape the same digits along all axes."""
    for number in range(len(values[0].axes)):
        if any(value.axes[number] != values[0].axes[number] for value in values):
            values = aligned(walk, values, [number] * len(values))
    return values


def _joined_alike(walk: Walk, values: Sequence[Value], number: int, shape: Sequence[int]) -> Value:
    """Joins parts that have to scale alike, with nothing varying along the axis."""
    why = "values that scale differently are joined"
    plain = [
        walk.need_plain(value, [number], why).with_axis(number, plain_axis(shape[number]))
        for value in values
    ]
    return meet(walk, plain, why)


PIECES: dict[str, Rule] = {
    "slice": static_slice,
    "dynamic_slice": dynamic_slice,
    "split": split,
    "concatenate": concatenate,
    "stack": stack,
    "unstack": unstack,
    "tile": tile,
}
