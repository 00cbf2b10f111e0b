"""Rules of matrix products and convolutions: degrees add, and what is summed must scale alike."""

from collections.abc import Iterable, Sequence
from typing import Any

from wdjax.jax_compat import shape_of
from wdjax.symmetry.prover.digits import cut, is_plain, matched, with_own_look_ups
from wdjax.symmetry.prover.structural import without_axes
from wdjax.symmetry.prover.values import (
    Axis,
    Value,
    names_of,
    plain_axes,
    plain_axis,
    size_of,
    summed,
    zero,
)
from wdjax.symmetry.prover.walk import Rule, Walk


def contract(
    walk: Walk,
    left: Value,
    right: Value,
    summed_over: Sequence[tuple[int, int]],
    together: Sequence[tuple[int, int]],
    why: str,
) -> Value:
    """Returns Σ left · right over pairs of axes, with others kept `together`.

    The axes of the result: those together, the others of the left, the others of the right.
    """
    left, right = matched(walk, left, right, [*summed_over, *together])
    parts = summed(left.parts or {}, right.parts or {})
    names = [name for i, _ in summed_over for name in names_of(left.axes[i])]
    parts = walk.need_none(parts, names, why)
    batch = [left.axes[i] for i, _ in together]
    free_left = _others(left, [i for i, _ in (*summed_over, *together)])
    free_right = _others(right, [j for _, j in (*summed_over, *together)])
    return with_own_look_ups(walk, Value(parts, (*batch, *free_left, *free_right)))


def _others(value: Value, used: Iterable[int]) -> list[Axis]:
    return [axis for i, axis in enumerate(value.axes) if i not in set(used)]


def dot(walk: Walk, eqn: Any, left: Value, right: Value) -> Value:
    """A product of two arrays, summed over pairs of axes."""
    (contract_l, contract_r), (batch_l, batch_r) = eqn.params["dimension_numbers"]
    if left.parts is None or right.parts is None:
        return zero(shape_of(eqn.outvars[0]))
    pairs = list(zip(contract_l, contract_r, strict=True))
    together = list(zip(batch_l, batch_r, strict=True))
    why = "entries that scale differently are summed in a matrix product"
    return contract(walk, left, right, pairs, together, why)


def convolution(walk: Walk, eqn: Any, images: Value, kernel: Value) -> Value:
    """As a matrix product over the features of each group; along space nothing may vary."""
    numbers, groups = eqn.params["dimension_numbers"], eqn.params["feature_group_count"]
    shape = shape_of(eqn.outvars[0])
    if images.parts is None or kernel.parts is None:
        return zero(shape)
    why = "entries that scale differently are summed in a convolution"
    batched = eqn.params["batch_group_count"] != 1
    spread = 0 if batched else 2  # axes of batch and features, and of the kernel's features
    images = walk.need_plain(images, numbers.lhs_spec[spread:], why)
    kernel = walk.need_plain(kernel, numbers.rhs_spec[spread:], why)
    if batched:
        return Value(summed(images.parts or {}, kernel.parts or {}), plain_axes(shape))
    batch, features = (images.axes[i] for i in numbers.lhs_spec[:2])
    out, into = (kernel.axes[i] for i in numbers.rhs_spec[:2])
    pictures = _grouped(walk, images._replace(axes=(features, batch)), groups)
    weights = kernel._replace(axes=(out, into))
    if not is_plain(pictures, 0):
        weights = _grouped(walk, weights, groups)
        both = contract(walk, pictures, weights, [(1, 2)], [(0, 0)], why)
        group, batch, within = both.axes
        features = tuple(d for d in (*group, *within) if d.size != 1) or plain_axis(1)
    else:
        both = contract(walk, without_axes(pictures, [0]), weights, [(0, 1)], [], why)
        batch, features = both.axes
    axes = list(plain_axes(shape))
    axes[numbers.out_spec[0]], axes[numbers.out_spec[1]] = batch, features
    return with_own_look_ups(walk, Value(both.parts, tuple(axes)))


def _grouped(walk: Walk, value: Value, groups: int) -> Value:
    """Cuts the first axis into (groups, rest)."""
    size = size_of(value.axes[0])
    value = cut(walk, value, 0, {size // groups})
    first, *others = value.axes
    outer, seen = 0, 1
    while seen < groups:
        seen *= first[outer].size
        outer += 1
    if seen != groups:  # the cut did not fit, and nothing varies there any more
        return value._replace(axes=(plain_axis(groups), plain_axis(size // groups), *others))
    front, back = first[:outer] or plain_axis(1), first[outer:] or plain_axis(1)
    return value._replace(axes=(front, back, *others))


CONTRACTIONS: dict[str, Rule] = {"dot_general": dot, "conv_general_dilated": convolution}
