"""Rules of operations that move, join, contract or reduce entries."""

from collections.abc import Iterable, Sequence
from typing import Any

from wdjax.jax_compat import shape_of
from wdjax.symmetry.prover.linear import combine
from wdjax.symmetry.prover.values import Axis, Value, invariant, plain_axis, zero
from wdjax.symmetry.prover.walk import Rule, Walk, cuts_of


def transpose(walk: Walk, eqn: Any, value: Value) -> Value:
    """Axes change places."""
    return value._replace(axes=tuple(value.axes[axis] for axis in eqn.params["permutation"]))


def squeeze(walk: Walk, eqn: Any, value: Value) -> Value:
    """Axes of length one go."""
    gone = eqn.params["dimensions"]
    return value._replace(axes=tuple(a for i, a in enumerate(value.axes) if i not in gone))


def expand(walk: Walk, eqn: Any, value: Value) -> Value:
    """Axes of length one come."""
    new = eqn.params["dimensions"]
    rest = iter(value.axes)
    rank = len(value.axes) + len(new)
    return value._replace(
        axes=tuple(plain_axis(1) if i in new else next(rest) for i in range(rank))
    )


def broadcast(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """A value is repeated along new axes: along these nothing scales."""
    shape, places = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    axes = [plain_axis(size) for size in shape]
    for place, axis, old in zip(places, value.axes, value.shape, strict=True):
        if old == shape[place]:
            axes[place] = axis
    return value._replace(axes=tuple(axes))


def reshape(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """The digits of all axes, in order, are dealt out to the new axes."""
    shape = shape_of(eqn.outvars[0])
    if eqn.params.get("dimensions") is not None or 0 in shape:
        return _plain(walk, value, shape, "a value that scales is reshaped out of order")
    flat: Axis = tuple(d for axis in value.axes for d in axis if d.size != 1)
    cuts, behind = {1}, 1
    for size in reversed(shape):
        behind *= size
        cuts.add(behind)
    digits = iter(walk.cut(flat or plain_axis(1), cuts.union(cuts_of(flat))))
    return value._replace(axes=tuple(_deal(digits, size) for size in shape))


def _deal(digits: Any, size: int) -> Axis:
    """Takes digits until their product is the size of the axis."""
    taken, product = [], 1
    while product < size:
        digit = next(digits)
        if digit.size != 1:
            taken.append(digit)
            product *= digit.size
    return tuple(taken) or plain_axis(1)


def _plain(walk: Walk, value: Value, shape: Sequence[int], why: str) -> Value:
    """The degree stays, and along no axis may anything scale."""
    for axis in value.axes:
        walk.need_plain(axis, why)
    return Value(value.degree, tuple(map(plain_axis, shape)), value.constant)


def reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """A sum, maximum or minimum over axes: along these nothing may scale."""
    gone = eqn.params["axes"]
    for axis in gone:
        walk.need_plain(value.axes[axis], "entries that scale differently are summed or compared")
    return Value(value.degree, tuple(a for i, a in enumerate(value.axes) if i not in gone))


def index_reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """argmax: the answer does not scale."""
    reduction(walk, eqn, value)
    return invariant(shape_of(eqn.outvars[0]))


def reduce_product(walk: Walk, eqn: Any, value: Value) -> Value:
    """A product of n entries has n times the degree."""
    reduced = reduction(walk, eqn, value)
    count = 1
    for axis in eqn.params["axes"]:
        count *= value.shape[axis]
    return reduced._replace(degree=value.degree and combine((count, value.degree)))


def along(name: str) -> Rule:
    """An operation along one axis (cumsum, sort ...), which mixes the entries there."""

    def rule(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
        axis = eqn.params[name]
        for value in values:
            walk.need_plain(value.axes[axis], "entries that scale differently are mixed")
        return [value._replace(constant=None) for value in values]

    return rule


def reverse(walk: Walk, eqn: Any, value: Value) -> Value:
    """Entries change places along axes: there nothing may scale."""
    for axis in eqn.params["dimensions"]:
        walk.need_plain(value.axes[axis], "the order of an axis is turned round")
    return value


def top_k(walk: Walk, eqn: Any, value: Value) -> list[Value]:
    """The largest entries along the last axis, and where they are."""
    axis = eqn.params.get("axis", len(value.axes) - 1)
    walk.need_plain(value.axes[axis], "entries that scale differently are compared")
    shape = shape_of(eqn.outvars[0])
    axes = tuple(plain_axis(shape[i]) if i == axis else a for i, a in enumerate(value.axes))
    return [value._replace(axes=axes), invariant(shape)]


def _resized(walk: Walk, value: Value, shape: Sequence[int], why: str) -> Value:
    """Axes that keep their length keep their factors; along the others nothing may scale."""
    axes = list(value.axes)
    for i, (old, new) in enumerate(zip(value.shape, shape, strict=True)):
        if old != new:
            walk.need_plain(axes[i], why)
            axes[i] = plain_axis(new)
    return Value(value.degree, tuple(axes), value.constant)


def part(walk: Walk, eqn: Any, value: Value, *indices: Value) -> Value:
    """A slice: axes that are taken whole keep their factors."""
    return _resized(walk, value, shape_of(eqn.outvars[0]), "a part of an axis is taken")


def split(walk: Walk, eqn: Any, value: Value) -> list[Value]:
    """Several slices."""
    return [_resized(walk, value, shape_of(out), "an axis is cut") for out in eqn.outvars]


def pad(walk: Walk, eqn: Any, value: Value, filling: Value) -> Value:
    """Padding has to scale as the value does; zero does."""
    shape = shape_of(eqn.outvars[0])
    padded = _resized(walk, value, shape, "an axis is padded")
    return walk.meet(
        [padded, filling._replace(axes=tuple(map(plain_axis, shape)))], "a value is padded"
    )


def update_part(walk: Walk, eqn: Any, value: Value, update: Value, *indices: Value) -> Value:
    """A part of a value is replaced."""
    why = "a part of a value is replaced"
    whole = _resized(walk, update, value.shape, why)
    for i, (old, new) in enumerate(zip(value.shape, update.shape, strict=True)):
        if old != new:
            walk.need_plain(value.axes[i], why)
    return walk.meet([value, whole._replace(constant=None)], why)


def concatenate(walk: Walk, eqn: Any, *values: Value) -> Value:
    """Parts have to scale alike, and along the axis nothing may scale."""
    axis, shape = eqn.params["dimension"], shape_of(eqn.outvars[0])
    parts = []
    for value in values:
        walk.need_plain(value.axes[axis], "values are joined along an axis")
        axes = tuple(plain_axis(shape[axis]) if i == axis else a for i, a in enumerate(value.axes))
        parts.append(value._replace(axes=axes))
    return walk.meet(parts, "values that scale differently are joined")


def gather(walk: Walk, eqn: Any, value: Value, indices: Value) -> Value:
    """Entries are looked up: axes that are taken whole keep their factors."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    shape = shape_of(eqn.outvars[0])
    axes = [plain_axis(size) for size in shape]
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    kept = (axis for axis in range(len(value.axes)) if axis not in dropped)
    places = dict(zip(kept, numbers.offset_dims, strict=True))
    for axis, digits in enumerate(value.axes):
        if axis in places and sizes[axis] == value.shape[axis]:
            axes[places[axis]] = digits
        else:
            walk.need_plain(digits, "entries are looked up along an axis")
    return Value(value.degree, tuple(axes))


def scatter(walk: Walk, eqn: Any, value: Value, indices: Value, update: Value) -> Value:
    """Entries are replaced or added to."""
    why = "entries are written"
    for digits in (*value.axes, *update.axes):
        walk.need_plain(digits, why)
    plain = tuple(map(plain_axis, value.shape))
    return walk.meet([value._replace(axes=plain), update._replace(axes=plain)], why)


def dot(walk: Walk, eqn: Any, left: Value, right: Value) -> Value:
    """Degrees add; along contracted axes the factors have to cancel."""
    (contract_l, contract_r), (batch_l, batch_r) = eqn.params["dimension_numbers"]
    for a, b in zip(contract_l, contract_r, strict=True):
        joined = walk.product(left.axes[a], right.axes[b])
        walk.need_plain(joined, "entries that scale differently are summed in a matrix product")
    if left.degree is None or right.degree is None:
        return zero(shape_of(eqn.outvars[0]))
    batch = [
        walk.product(left.axes[a], right.axes[b]) for a, b in zip(batch_l, batch_r, strict=True)
    ]
    free_l = _others(left, (*contract_l, *batch_l))
    free_r = _others(right, (*contract_r, *batch_r))
    return Value(combine((1, left.degree), (1, right.degree)), (*batch, *free_l, *free_r))


def _others(value: Value, used: Iterable[int]) -> list[Axis]:
    return [axis for i, axis in enumerate(value.axes) if i not in set(used)]


def convolution(walk: Walk, eqn: Any, images: Value, kernel: Value) -> Value:
    """As a matrix product over the features of each group; along space nothing may scale."""
    numbers, groups = eqn.params["dimension_numbers"], eqn.params["feature_group_count"]
    batch, features, *space = (images.axes[i] for i in numbers.lhs_spec)
    out, into, *window = (kernel.axes[i] for i in numbers.rhs_spec)
    why = "entries that scale differently are summed in a convolution"
    for axis in (*space, *window):
        walk.need_plain(axis, why)
    if eqn.params["batch_group_count"] != 1:
        for axis in (batch, features, out, into):
            walk.need_plain(axis, why)
    shape = shape_of(eqn.outvars[0])
    axes = [plain_axis(size) for size in shape]
    outer, inner = _first_digits(walk, features, groups)
    walk.need_plain(walk.product(inner, into), why)
    if eqn.params["batch_group_count"] == 1:
        axes[numbers.out_spec[0]] = batch
        axes[numbers.out_spec[1]] = _by_group(walk, outer, out, groups)
    if images.degree is None or kernel.degree is None:
        return zero(shape)
    return Value(combine((1, images.degree), (1, kernel.degree)), tuple(axes))


def _by_group(walk: Walk, outer: Axis, out: Axis, groups: int) -> Axis:
    """The features that come out: those of the kernel, times what each group has by itself."""
    if not any(digit.form for digit in outer):
        return out
    of_group, within = _first_digits(walk, out, groups)
    joined = (*walk.product(outer, of_group), *within)
    return tuple(digit for digit in joined if digit.size != 1) or plain_axis(1)


def _first_digits(walk: Walk, axis: Axis, groups: int) -> tuple[Axis, Axis]:
    """Cuts an axis into (groups, rest)."""
    size = 1
    for digit in axis:
        size *= digit.size
    rest = size // groups
    digits, outer, seen = list(walk.cut(axis, {rest, *cuts_of(axis)})), [], 1
    while seen < groups:
        outer.append(digits.pop(0))
        seen *= outer[-1].size
    return tuple(outer) or plain_axis(1), tuple(digits) or plain_axis(1)


def window_reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """Pooling: along axes with a window, nothing may scale."""
    return _resized_by_window(walk, eqn, value, eqn.params["window_dimensions"])


def _resized_by_window(walk: Walk, eqn: Any, value: Value, window: Sequence[int]) -> Value:
    shape, axes = shape_of(eqn.outvars[0]), list(value.axes)
    for i, size in enumerate(window):
        if size != 1 or shape[i] != value.shape[i]:
            walk.need_plain(axes[i], "entries that scale differently are pooled")
            axes[i] = plain_axis(shape[i])
    return Value(value.degree, tuple(axes))


STRUCTURAL: dict[str, Rule] = {
    "transpose": transpose,
    "squeeze": squeeze,
    "expand_dims": expand,
    "broadcast_in_dim": broadcast,
    "reshape": reshape,
    **dict.fromkeys(
        ("reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or"), reduction
    ),
    **dict.fromkeys(("argmax", "argmin"), index_reduction),
    "reduce_prod": reduce_product,
    **dict.fromkeys(("cumsum", "cummax", "cummin"), along("axis")),
    "sort": along("dimension"),
    "rev": reverse,
    "top_k": top_k,
    **dict.fromkeys(("slice", "dynamic_slice"), part),
    "split": split,
    "pad": pad,
    "dynamic_update_slice": update_part,
    "concatenate": concatenate,
    "gather": gather,
    **dict.fromkeys(("scatter", "scatter-add", "scatter_add"), scatter),
    "dot_general": dot,
    "conv_general_dilated": convolution,
    **dict.fromkeys(
        ("reduce_window_sum", "reduce_window_max", "reduce_window_min"), window_reduction
    ),
}
