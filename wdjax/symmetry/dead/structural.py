"""What operations that move, contract or reduce entries make of shifts."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from wdjax.jax_compat import shape_of
from wdjax.symmetry.dead.elementwise import anything
from wdjax.symmetry.dead.shifts import (
    ZERO,
    Axes,
    Moment,
    Value,
    all_deps,
    bounded,
    chosen,
    common,
    cut,
    folded,
    fresh,
    grouped,
    long_axes,
    made,
    moved,
    product,
    smeared,
    without,
    without_shifts_along,
)


def broadcast_in_dim(walk: Any, eqn: Any, value: Value, *sizes: Value) -> Value:
    """Along new axes, and those that were of size 1, the result is constant."""
    if sizes:
        return anything(walk, eqn, value)[0]
    return moved(value, {i: int(a) for i, a in enumerate(eqn.params["broadcast_dimensions"])})


def transpose(walk: Any, eqn: Any, value: Value) -> Value:
    """Axes change their places."""
    return moved(value, {int(old): i for i, old in enumerate(eqn.params["permutation"])})


def squeeze(walk: Any, eqn: Any, value: Value) -> Value:
    """Axes of size 1 go away."""
    gone = {axis % len(shape_of(eqn.invars[0])) for axis in eqn.params["dimensions"]}
    left = [axis for axis in range(len(shape_of(eqn.invars[0]))) if axis not in gone]
    return moved(value, {axis: i for i, axis in enumerate(left)})


def reshape(walk: Any, eqn: Any, value: Value, *sizes: Value) -> Value:
    """Axes that are neither merged nor split only change their places."""
    old, new = shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    if sizes or eqn.params.get("dimensions") is not None or 0 in old:
        return anything(walk, eqn, value)[0]
    to: dict[int, int] = {}
    blocks: dict[int, Axes] = {}
    for before, after in _blocks(old, new):
        if len(before) == len(after) == 1:
            to[before[0]] = after[0]
        else:
            blocks.update(dict.fromkeys(before, frozenset(after)))
    return moved(value, to, blocks)


def _blocks(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Cuts two shapes into the smallest blocks of equal products, without axes of size 1."""
    left = [i for i, size in enumerate(old) if size != 1]
    right = [i for i, size in enumerate(new) if size != 1]
    blocks = []
    while left:
        before, after = [left.pop(0)], [right.pop(0)]
        a, b = old[before[0]], new[after[0]]
        while a != b:
            if a < b:
                before.append(left.pop(0))
                a *= old[before[-1]]
            else:
                after.append(right.pop(0))
                b *= new[after[-1]]
        blocks.append((before, after))
    return blocks


def reduce_sum(walk: Any, eqn: Any, value: Value) -> Value:
    """A sum along axes multiplies what is constant along them by their size."""
    return _sum(eqn, value, frozenset(int(axis) for axis in eqn.params["axes"]))


def psum(walk: Any, eqn: Any, *values: Value) -> Value | list[Value]:
    """Inside `vmap` a sum over an axis with a name has become one over an axis with a number."""
    axes, groups = eqn.params["axes"], eqn.params.get("axis_index_groups")
    if len(values) != 1 or groups is not None or not all(isinstance(a, int) for a in axes):
        return anything(walk, eqn, *values)
    return _sum(eqn, values[0], frozenset(axes))


def _sum(eqn: Any, value: Value, axes: Axes) -> Value:
    shape = shape_of(eqn.invars[0])
    count = math.prod(shape[axis] for axis in axes)
    if not count:
        return ZERO
    if value.log:
        return _reduced(value, axes, shape)
    shifts = {k: c * count for k, c in without_shifts_along(value, axes).items()}
    terms = [
        (frozenset(of) - axes, token.deps) for token, of in value.shifts if not axes.isdisjoint(of)
    ]
    shifts.update(fresh(grouped(terms)))
    number = None if value.number is None else bounded(value.number * count)
    result = without(made(value.deps, value.varies - axes, number, shifts), axes)
    return result._replace(moment=_summed(value, axes, shape, count))


def _summed(value: Value, axes: Axes, shape: Sequence[int], count: int) -> Moment:
    """Returns what the sum of a value is the sum of."""
    left = [axis for axis in range(len(shape)) if axis not in axes]
    kept = tuple(i for i, axis in enumerate(left) if shape[axis] != 1)
    over = axes & long_axes(shape)
    moment = value.moment
    if moment is not None and not moment.count:
        return moment._replace(over=over, count=count, axes=kept)
    return Moment(value, over, count, 1, 1, Fraction(1), kept)


def _reduced(value: Value, axes: Axes, shape: Sequence[int]) -> Value:
    """Keeps shifts and factors that are constant along the axes that go away."""
    keep = without_shifts_along(value, axes)
    hidden = value.hidden
    value = folded(value._replace(hidden=0), shape, keep)
    value = made(value.deps, value.varies - axes, None, value.shifts, hidden, value.log)
    return without(value, axes)


def reduce_extreme(walk: Any, eqn: Any, value: Value) -> Value:
    """A maximum along axes keeps what is added along them, and a positive factor."""
    axes = frozenset(int(axis) for axis in eqn.params["axes"])
    shape = shape_of(eqn.invars[0])
    several = any(shape[axis] > 1 for axis in axes)
    return _reduced(value, axes, shape)._replace(extreme=several)


def argument(walk: Any, eqn: Any, value: Value) -> Value:
    """Where the maximum is does not depend on what is added along the axis."""
    keep = without_shifts_along(value, frozenset(int(axis) for axis in eqn.params["axes"]))
    rest = {key: c for key, c in value.shifts.items() if key not in keep}
    return anything(walk, eqn, value._replace(shifts=rest))[0]


def cumulative(walk: Any, eqn: Any, value: Value) -> Value:
    """A sum that runs along an axis."""
    left = long_axes(shape_of(eqn.invars[0]))
    return smeared(value, frozenset({eqn.params["axis"]}), left)


def rev(walk: Any, eqn: Any, value: Value) -> Value:
    """The entries along some axes backwards."""
    return cut(value, frozenset(eqn.params["dimensions"]), long_axes(shape_of(eqn.invars[0])))


def pad(walk: Any, eqn: Any, value: Value, padding: Value) -> Value:
    """Other entries around and between."""
    config = eqn.params["padding_config"]
    axes = frozenset(i for i, widths in enumerate(config) if any(widths))
    left = long_axes(shape_of(eqn.outvars[0]))
    if padding.number != 0:  # then f is not 0 either
        value = value._replace(number=None)
    return smeared(value, axes, left, padding.all_deps)


def part(walk: Any, eqn: Any, value: Value, *starts: Value) -> list[Value]:
    """A slice, or several."""
    deps = all_deps(starts)
    results = []
    for out in eqn.outvars:
        old, new = shape_of(eqn.invars[0]), shape_of(out)
        axes = frozenset(i for i, size in enumerate(old) if size != new[i])
        results.append(cut(value, axes, long_axes(new), deps))
    return results


def concatenate(walk: Any, eqn: Any, *values: Value) -> Value:
    """Only what is added to all parts, and is constant along the axis, stays as it is."""
    axis = frozenset({eqn.params["dimension"]})
    shared = {key: c for key, c in common(values).items() if axis.isdisjoint(key[1])}
    terms = [
        (axis.union(of), token.deps)
        for value in values
        for token, of in value.shifts
        if (token, of) not in shared
    ]
    parts = chosen(Value(varies=axis), [value._replace(shifts={}) for value in values])
    shifts = {**shared, **fresh(grouped(terms))}
    return made(parts.deps, parts.varies, parts.number, shifts)


def window_sum(walk: Any, eqn: Any, value: Value) -> Value:
    """Sums over windows: constant along an axis is what was so and is not padded."""
    padding = eqn.params["padding"]
    spaced = eqn.params["base_dilation"]
    axes = frozenset(i for i, p in enumerate(padding) if any(p) or spaced[i] != 1)
    return smeared(value, axes, long_axes(shape_of(eqn.outvars[0])))


def window_extreme(walk: Any, eqn: Any, value: Value) -> Value:
    """Maxima over windows keep what is constant along them."""
    windows = zip(*(eqn.params[name] for name in WINDOW), strict=True)
    plain = (1, 1, (0, 0), 1, 1)
    axes = frozenset(i for i, window in enumerate(windows) if window != plain)
    keep = without_shifts_along(value, axes)
    value = folded(value, shape_of(eqn.invars[0]), keep)
    left = long_axes(shape_of(eqn.outvars[0]))
    return made(value.deps, left & (value.varies | axes), None, keep)


WINDOW = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")


def dot_general(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
    """A contraction: constant along free axes of one factor is what that factor is so along."""
    contracted, batch = eqn.params["dimension_numbers"]
    places, start = [], len(batch[0])
    for operand, contract, shared in zip(eqn.invars, contracted, batch, strict=True):
        to = {int(axis): i for i, axis in enumerate(shared)}
        gone = {int(axis) for axis in contract}
        free = [a for a in range(len(shape_of(operand))) if a not in to and a not in gone]
        to.update({axis: start + i for i, axis in enumerate(free)})
        start += len(free)
        places.append(to)

    def joined(a: Axes, b: Axes) -> Axes:
        axes = {
            to[axis] for to, of in zip(places, (a, b), strict=True) for axis in of if axis in to
        }
        return frozenset(axes)

    return product(left, right, joined)


def convolution(walk: Any, eqn: Any, left: Value, right: Value) -> Value:
    """A convolution: as a contraction of features; along an image, what is not padded."""
    params = eqn.params
    dims = params["dimension_numbers"]
    images, kernels, outs = dims.lhs_spec, dims.rhs_spec, dims.out_spec
    if params["batch_group_count"] != 1:
        return anything(walk, eqn, left, right)[0]
    bent = [
        any(p) or d != 1 for p, d in zip(params["padding"], params["lhs_dilation"], strict=True)
    ]
    long = long_axes(shape_of(eqn.outvars[0]))

    def joined(a: Axes, b: Axes) -> Axes:
        axes = {out for i, out in zip(images[2:], outs[2:], strict=True) if i in a}
        axes.update(out for out, so in zip(outs[2:], bent, strict=True) if so)
        if images[0] in a:
            axes.add(outs[0])
        if kernels[0] in b or (params["feature_group_count"] != 1 and images[1] in a):
            axes.add(outs[1])
        return long & axes

    return product(left, right, joined)


def gather(walk: Any, eqn: Any, value: Value, indices: Value) -> Value:
    """Entries by their indices: what is constant along all indexed axes stays as it is."""
    params = eqn.params
    dims, sizes = params["dimension_numbers"], params["slice_sizes"]
    shape, out = shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    batching = dict(zip(dims.operand_batching_dims, dims.start_indices_batching_dims, strict=True))
    slots = [axis for axis in range(len(out)) if axis not in dims.offset_dims]
    to = {axis: slots[index] for axis, index in batching.items()}
    windows = [
        a for a in range(len(shape)) if a not in batching and a not in dims.collapsed_slice_dims
    ]
    to.update(zip(windows, dims.offset_dims, strict=True))
    indexed = frozenset(dims.start_index_map)
    indexed |= {a for a in windows if sizes[a] != shape[a]} | set(dims.collapsed_slice_dims)
    keep = without_shifts_along(value, indexed) if _in_bounds(params) else {}
    value = folded(value, shape, keep)
    kept = {(t, tuple(to[a] for a in axes)): c for (t, axes), c in keep.items()}
    return made(value.deps | indices.all_deps, long_axes(out), None, kept, log=value.log)


def _in_bounds(params: dict[str, Any]) -> bool:
    """Says whether what lies out of bounds is nowhere, or not a number."""
    fill = params["fill_value"]
    if "FILL" in getattr(params["mode"], "name", ""):
        return fill is None or bool(fill != fill)
    return getattr(params["mode"], "name", "") in ("CLIP", "PROMISE_IN_BOUNDS")
