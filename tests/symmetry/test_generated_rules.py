"""The rules against brute force over generated shapes and parameters of operations."""

import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from tests.symmetry.brute_force import assert_complete, assert_sound, convolved

SIZES = st.integers(1, 3)
SHAPES = st.lists(SIZES, min_size=1, max_size=3).map(tuple)


def factored(draw, number):
    """A shape of this many entries."""
    shape = []
    while number > 1:
        size = draw(st.sampled_from([n for n in range(2, number + 1) if number % n == 0]))
        shape.append(size)
        number //= size
    return tuple(shape)


@st.composite
def reshapes(draw, *numbers):
    number = draw(st.sampled_from(numbers))
    shape, *others = (factored(draw, number) for _ in range(3))

    def operation(x):
        for other in others:
            x = 2 * x.reshape(other)
        return x

    return operation, [shape]


@st.composite
def transposes(draw):
    shape = draw(SHAPES)
    order = draw(st.permutations(range(len(shape))))
    return lambda x, y: x.transpose(order) * y, [shape, tuple(shape[i] for i in order)]


@st.composite
def broadcasts(draw):
    """Products and quotients, with axes of length one in one of the operands."""
    shape = draw(SHAPES)
    narrow = tuple(draw(st.sampled_from((1, size))) for size in shape)
    return draw(st.sampled_from((lax.mul, lax.div))), [shape, narrow]


@st.composite
def sums(draw):
    """Sums, with axes of length one in one of the operands."""
    shape = draw(SHAPES)
    return jnp.add, [shape, tuple(draw(st.sampled_from((1, size))) for size in shape)]


@st.composite
def products(draw):
    """Products of arrays with any axes kept together, summed over, or free."""
    letters = "abcdef"
    kinds = [draw(st.sampled_from(("both", "summed", "left", "right"))) for _ in range(4)]
    sizes = {letter: draw(SIZES) for letter in letters}
    left = [c for c, kind in zip(letters, kinds, strict=False) if kind != "right"]
    right = [c for c, kind in zip(letters, kinds, strict=False) if kind != "left"]
    out = [c for c, kind in zip(letters, kinds, strict=False) if kind != "summed"]
    left, right, out = (draw(st.permutations(names)) for names in (left, right, out))
    form = f"{''.join(left)},{''.join(right)}->{''.join(out)}"
    shapes = [tuple(sizes[c] for c in names) for names in (left, right)]
    return lambda x, y: jnp.einsum(form, x, y), shapes


@st.composite
def slices(draw):
    shape = draw(SHAPES)
    bounds = []
    for size in shape:
        start = draw(st.integers(0, size - 1))
        bounds.append(slice(start, draw(st.integers(start + 1, size))))
    return lambda x: x[tuple(bounds)], [shape]


@st.composite
def concatenations(draw):
    """Parts of two arrays, joined and summed over some axis."""
    shape = draw(SHAPES)
    axis = draw(st.integers(0, len(shape) - 1))
    over = draw(st.integers(0, len(shape) - 1))
    other = tuple(draw(SIZES) if i == axis else size for i, size in enumerate(shape))
    return lambda x, y: jnp.concatenate([x, y, x], axis).sum(over), [shape, other]


@st.composite
def scans(draw):
    """Layers of a reshaped and transposed array, scanned over one of its axes."""
    shape = draw(st.lists(st.integers(2, 3), min_size=2, max_size=3).map(tuple))
    axis = draw(st.integers(0, len(shape) - 1))
    reverse = draw(st.booleans())

    def operation(x):
        layers = jnp.moveaxis(x, axis, 0)
        return lax.scan(lambda c, a: (c, a * jnp.sum(a)), 0.0, layers, reverse=reverse)[1]

    return operation, [shape]


@st.composite
def convolutions(draw):
    groups = draw(SIZES)
    into, out = draw(SIZES), groups * draw(SIZES)
    window = draw(st.integers(1, 2))
    options = {
        "groups": groups,
        "strides": (draw(st.integers(1, 2)),) * 2,
        "padding": draw(st.sampled_from(("SAME", "VALID"))),
        "rhs_dilation": (draw(st.integers(1, 2)),) * 2,
    }
    shapes = [(2, 3, 3, groups * into), (window, window, into, out)]
    return lambda x, k: convolved(x, k, **options), shapes


@st.composite
def paddings(draw):
    shape = draw(SHAPES)
    widths = [
        (draw(st.integers(-1, 1)), draw(st.integers(0, 1)), draw(st.integers(0, 1))) for _ in shape
    ]
    return lambda x: lax.pad(x, 0.0 * x.sum(), widths), [tuple(size + 1 for size in shape)]


@st.composite
def look_ups(draw):
    """Entries at indices along an axis, twice in a row, or at the same indices of two arrays."""
    shape = draw(SHAPES)
    axis = draw(st.integers(0, len(shape) - 1))
    found = st.lists(st.integers(0, shape[axis] - 1), min_size=2, max_size=3)
    first, second = jnp.asarray(draw(found)), jnp.asarray(draw(found))

    def operation(x, y):
        x, y = x.take(first, axis), y.take(first, axis)
        return (x * y).take(jnp.minimum(second, len(first) - 1), axis).sum(draw_axis)

    draw_axis = draw(st.integers(0, len(shape) - 1))
    return operation, [shape, shape]


COMPLETE = {
    "reshapes": reshapes(8, 16), "transposes": transposes(), "broadcasts": broadcasts(),
    "sums": sums(), "products": products(), "slices": slices(), "concatenations": concatenations(),
    "scans": scans(),
}  # fmt: skip
SOUND = {
    "reshapes that do not fit": reshapes(6, 12), "convolutions": convolutions(),
    "paddings": paddings(), "look-ups": look_ups(),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLETE)
def test_rules_are_sound_and_complete_over_generated_shapes(name):
    @settings(max_examples=10)
    @given(COMPLETE[name])
    def property_of(case):
        assert_sound(*case)
        assert_complete(*case)

    property_of()


@pytest.mark.parametrize("name", SOUND)
def test_rules_are_sound_over_generated_shapes(name):
    @settings(max_examples=10)
    @given(SOUND[name])
    def property_of(case):
        assert_sound(*case)

    property_of()
