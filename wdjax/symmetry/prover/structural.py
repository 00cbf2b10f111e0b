"""Rules of operations that move, repeat or reduce entries, and of look-ups."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wdjax.jax_compat import shape_of
from wdjax.symmetry.prover.digits import (
    look_up,
    regrouped_axes,
    with_own_look_ups,
    without_look_ups,
)
from wdjax.symmetry.prover.elementwise import meet
from wdjax.symmetry.prover.values import (
    Value,
    invariant,
    plain_axes,
    plain_axis,
    total,
)
from wdjax.symmetry.prover.walk import Rule, Walk


def transpose(walk: Walk, eqn: Any, value: Value) -> Value:
    """Axes change places."""
    value = with_own_look_ups(walk, value)
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
    """A value is repeated along new axes: along these nothing varies."""
    shape, places = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    axes = list(plain_axes(shape))
    for place, axis, old in zip(places, value.axes, value.shape, strict=True):
        if old == shape[place]:
            axes[place] = axis
    return value._replace(axes=tuple(axes))


def reshape(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """The digits of all axes, in order, are dealt out to the new axes."""
    shape = shape_of(eqn.outvars[0])
    if eqn.params.get("dimensions") is not None or 0 in shape:
        everywhere = range(len(value.axes))
        value = walk.need_plain(value, everywhere, "a value is reshaped out of order")
        return value._replace(axes=plain_axes(shape))
    return regrouped_axes(walk, value, shape)


def without_axes(value: Value, gone: Sequence[int]) -> Value:
    """Leaves out axes along which nothing varies."""
    return value._replace(axes=tuple(a for i, a in enumerate(value.axes) if i not in gone))


def reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """A sum, maximum or minimum over axes: along these nothing may vary."""
    gone = eqn.params["axes"]
    value = walk.need_plain(value, gone, "entries that scale differently are summed or compared")
    return without_axes(value, gone)._replace(constant=None)


def named_reduction(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """Psum and its like: over an axis of a mesh, or over one that `vmap` has made an axis."""
    gone = [axis for axis in eqn.params["axes"] if isinstance(axis, int)]
    why = "entries that scale differently are summed or compared"
    plain = [walk.need_plain(value, gone, why) for value in values]
    if len(gone) < len(eqn.params["axes"]):  # what is looked up may differ between devices
        plain = [
            value._replace(parts=walk.need_none(value.parts, value.looked_up, why))
            for value in plain
        ]
    return [without_axes(value, gone)._replace(constant=None) for value in plain]


def index_reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """argmax: the answer does not scale."""
    reduction(walk, eqn, value)
    return invariant(shape_of(eqn.outvars[0]))


def reduce_product(walk: Walk, eqn: Any, value: Value) -> Value:
    """A product of n entries has n times the degree; what averages to zero leaves it alone."""
    gone = eqn.params["axes"]
    value = without_look_ups(walk, value, gone)
    digits = [digit for i in gone for digit in value.axes[i]]
    parts = total(value.parts, digits)
    return without_axes(value._replace(parts=parts, constant=None), gone)


def along(name: str) -> Rule:
    """An operation along one axis (cumsum, sort ...), which mixes the entries there."""

    def rule(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
        why = "entries that scale differently are mixed"
        return [
            walk.need_plain(value, [eqn.params[name]], why)._replace(constant=None)
            for value in values
        ]

    return rule


def reverse(walk: Walk, eqn: Any, value: Value) -> Value:
    """Entries change places along axes: there nothing may vary."""
    return walk.need_plain(value, eqn.params["dimensions"], "the order of an axis is turned round")


def top_k(walk: Walk, eqn: Any, value: Value) -> list[Value]:
    """The largest entries along the last axis, and where they are."""
    axis = eqn.params.get("axis", len(value.axes) - 1)
    value = walk.need_plain(value, [axis], "entries that scale differently are compared")
    shape = shape_of(eqn.outvars[0])
    axes = tuple(plain_axis(shape[i]) if i == axis else a for i, a in enumerate(value.axes))
    return [value._replace(axes=axes), invariant(shape)]


def resized(walk: Walk, value: Value, shape: Sequence[int], why: str) -> Value:
    """Axes that keep their length keep their digits; along the others nothing may vary."""
    changed = [i for i, old in enumerate(value.shape) if old != shape[i]]
    value = walk.need_plain(value, changed, why)
    axes = tuple(plain_axis(shape[i]) if i in changed else a for i, a in enumerate(value.axes))
    return value._replace(axes=axes)


def pad(walk: Walk, eqn: Any, value: Value, filling: Value) -> Value:
    """Padding has to scale as the value does; zero does."""
    shape = shape_of(eqn.outvars[0])
    padded = resized(walk, value, shape, "an axis is padded")
    moved = [i for i, widths in enumerate(eqn.params["padding_config"]) if any(widths)]
    padded = walk.need_plain(padded, moved, "an axis is padded")
    return meet(walk, [padded, filling._replace(axes=plain_axes(shape))], "a value is padded")


def update_part(walk: Walk, eqn: Any, value: Value, update: Value, *indices: Value) -> Value:
    """A part of a value is replaced."""
    why = "a part of a value is replaced"
    changed = [i for i, old in enumerate(value.shape) if old != update.shape[i]]
    value = walk.need_plain(value, changed, why)
    whole = resized(walk, update, value.shape, why)
    return meet(walk, [value, whole._replace(constant=None)], why)


def gather(walk: Walk, eqn: Any, value: Value, indices: Value) -> Value:
    """Entries are looked up: axes that are taken whole keep their digits.

    What varies along an axis of which one index is taken varies along the axes of the indices.
    """
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    axes = list(plain_axes(shape_of(eqn.outvars[0])))
    dropped = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    kept = (axis for axis in range(len(value.axes)) if axis not in dropped)
    places = dict(zip(kept, numbers.offset_dims, strict=True))
    whole = {axis for axis in places if sizes[axis] == value.shape[axis]}
    partial = [axis for axis in places if axis not in whole]
    value = walk.need_plain(value, partial, "entries are looked up along an axis")
    filling = eqn.params.get("fill_value")
    if filling is not None and np.isfinite(filling) and filling != 0:
        walk.need_invariant(value, "what is looked up where there is nothing does not scale")
    found: set[int] = set()
    for axis in dropped:
        value, names = look_up(walk, value, axis)
        found |= names
    for i, axis in enumerate(axes):
        if i not in numbers.offset_dims:
            axes[i] = tuple(digit._replace(also=frozenset(found)) for digit in axis)
    for axis in whole:
        axes[places[axis]] = value.axes[axis]
    return Value(value.parts, tuple(axes))


def scatter(walk: Walk, eqn: Any, value: Value, indices: Value, update: Value) -> Value:
    """Entries are replaced or added to."""
    why = "entries are written"
    shape = value.shape
    value, update = (walk.need_plain(v, range(len(v.axes)), why) for v in (value, update))
    return meet(walk, [value, update._replace(axes=plain_axes(shape))], why)


def window_reduction(walk: Walk, eqn: Any, value: Value, *rest: Value) -> Value:
    """Pooling: along axes with a window, nothing may vary."""
    shape, window = shape_of(eqn.outvars[0]), eqn.params["window_dimensions"]
    moved = [any(widths) for widths in eqn.params["padding"]]
    changed = [i for i, n in enumerate(window) if n != 1 or moved[i] or shape[i] != value.shape[i]]
    value = walk.need_plain(value, changed, "entries that scale differently are pooled")
    axes = tuple(plain_axis(shape[i]) if i in changed else a for i, a in enumerate(value.axes))
    return Value(value.parts, axes)


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
    **dict.fromkeys(("psum", "psum2", "psum_invariant", "pmax", "pmin"), named_reduction),
    "reduce_prod": reduce_product,
    **dict.fromkeys(("cumsum", "cummax", "cummin"), along("axis")),
    "sort": along("dimension"),
    "rev": reverse,
    "top_k": top_k,
    "pad": pad,
    "dynamic_update_slice": update_part,
    "gather": gather,
    **dict.fromkeys(("scatter", "scatter-add", "scatter_add"), scatter),
    **dict.fromkeys(
        ("reduce_window_sum", "reduce_window_max", "reduce_window_min"), window_reduction
    ),
}
