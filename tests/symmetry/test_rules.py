"""Each rule against brute force: scale the inputs, compare the outputs.

An operation is given inputs that scale by known degrees and by known factors along their axes. If
its rule asks for nothing, the output of the scaled inputs has to be the output scaled as the rule
says; and if it does ask, there have to be degrees and factors for which that fails.
"""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from wdjax.jax_compat import open_jaxpr
from wdjax.symmetry.find import RULES
from wdjax.symmetry.prover.values import AxisUnknown, Digit, Value
from wdjax.symmetry.prover.walk import Walk

NHWC = ("NHWC", "HWIO", "NHWC")

# Operations that ask for nothing, whatever the degrees and factors of their inputs are.
FREE = {
    "neg": (lambda x: -x, [(3, 4)]),
    "abs": (jnp.abs, [(3, 4)]),
    "mul": (lax.mul, [(3, 4), (3, 4)]),
    "div": (lax.div, [(3, 4), (3, 4)]),
    "square": (lax.square, [(3, 4)]),
    "integer_pow": (lambda x: lax.integer_pow(x, 3), [(3, 4)]),
    "pow": (lambda x: lax.pow(x, 0.5), [(3, 4)]),
    "sqrt": (lax.sqrt, [(3, 4)]),
    "rsqrt": (lax.rsqrt, [(3, 4)]),
    "cbrt": (lax.cbrt, [(3, 4)]),
    "sign": (lax.sign, [(3, 4)]),
    "relu": (jax.nn.relu, [(3, 4)]),
    "leaky relu": (jax.nn.leaky_relu, [(3, 4)]),
    "transpose": (lambda x: x.transpose(2, 0, 1), [(2, 3, 4)]),
    "squeeze": (lambda x: lax.squeeze(x, (1,)), [(3, 1, 4)]),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None], (3, 5, 4)), [(3, 4)]),
    "reshape to ones": (lambda x: x.reshape(3, 1, 4, 1), [(3, 4)]),
    "reshape together": (lambda x: x.reshape(12, 2), [(3, 4, 2)]),
    "reshape together and apart": (lambda x: (2 * x.reshape(24)).reshape(3, 4, 2), [(3, 4, 2)]),
    "outer product": (lambda x, y: lax.dot_general(x, y, (((), ()), ((), ()))), [(3, 2), (4,)]),
    "batched product": (
        lambda x, y: lax.dot_general(x, y, (((), ()), ((0,), (0,)))),
        [(3, 2), (3,)],
    ),
    "whole slice": (lambda x: lax.slice_in_dim(x, 0, 3, axis=0), [(3, 4)]),
    "jit": (jax.jit(lambda x: -x), [(3, 4)]),
    "remat": (jax.checkpoint(lambda x: -x), [(3, 4)]),
    "depthwise convolution by one": (
        lambda x, k: lax.conv_general_dilated(
            x, k, (1, 1), "VALID", dimension_numbers=NHWC, feature_group_count=4
        ),
        [(2, 1, 1, 4), (1, 1, 1, 4)],
    ),
    "scan over layers": (lambda x: lax.scan(lambda c, a: (c, -a), 0.0, x)[1], [(3, 4)]),
}

# Operations that need something: the degrees alike, a degree of zero, or plain axes.
ASKING = {
    "add": (lax.add, [(3, 4), (3, 4)]),
    "max": (lax.max, [(3, 4), (3, 4)]),
    "exp": (lax.exp, [(3, 4)]),
    "tanh": (lax.tanh, [(3, 4)]),
    "erf": (lax.erf, [(3, 4)]),
    "floor": (lambda x: jnp.floor(3 * x), [(3, 4)]),
    "power of itself": (lambda x: x**x, [(3, 4)]),
    "compare": (lambda x, y: jnp.where(x < y, 1.0, 2.0), [(3, 4), (3, 4)]),
    "select": (lambda x, y: jnp.where(jnp.arange(4) < 2, x, y), [(3, 4), (3, 4)]),
    "clamp": (lambda x: jnp.clip(x, 0.5, 1.0), [(3, 4)]),
    "sum": (lambda x: x.sum(1), [(3, 4)]),
    "max along": (lambda x: x.max(0), [(3, 4)]),
    "product along": (lambda x: x.prod(0) + 1, [(3, 4)]),
    "argmax": (lambda x: x.argmax(1) * 1.0, [(3, 8)]),
    "cumsum": (lambda x: lax.cumsum(x, 1), [(3, 4)]),
    "sort": (lambda x: lax.sort(x, dimension=1), [(3, 4)]),
    "reverse": (lambda x: lax.rev(x, (1,)), [(3, 4)]),
    "part": (lambda x: x[:, 1:3], [(3, 4)]),
    "dynamic part": (lambda x: lax.dynamic_slice(x, (0, 1), (3, 2)), [(3, 4)]),
    "pad": (lambda x: jnp.pad(x, 1, constant_values=1.0), [(3, 4)]),
    "concatenate": (lambda x, y: jnp.concatenate([x, y], 1), [(3, 4), (3, 4)]),
    "replace a part": (lambda x, y: lax.dynamic_update_slice(x, y, (0, 1)), [(3, 4), (3, 2)]),
    "look up": (lambda x: x[jnp.array([0, 2, 2])], [(3, 4)]),
    "write": (lambda x: jnp.ones((5, 4)).at[jnp.array([0, 2, 3])].add(x), [(3, 4)]),
    "matrix product": (lambda x, y: x @ y, [(3, 4), (4, 2)]),
    "convolution": (
        lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=NHWC),
        [(2, 4, 4, 3), (3, 3, 3, 2)],
    ),
    "pooling": (
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID"), [(3, 4)]
    ),
    "top k": (lambda x: lax.top_k(x, 2)[0], [(3, 4)]),
    "branches": (lambda x: lax.cond(True, lambda x: x, lambda x: x**2, x), [(3, 4)]),
    "scan": (lambda x: lax.scan(lambda c, a: (c + a, None), jnp.ones(4), x)[0], [(3, 4)]),
    "growing carry": (lambda x: lax.fori_loop(0, 3, lambda i, c: c * x, x), [(3, 4)]),
    "no rule": (lambda x: lax.digamma(x) + lax.bessel_i1e(x), [(3, 4)]),
}  # fmt: skip


def unknown_value(i, shape):
    """An input of unknown degree, and of unknown factors along its axes."""
    axes = enumerate(shape)
    return Value(
        {i: 1}, tuple((Digit(n, {AxisUnknown(i, a, 0): 1} if n > 1 else {}),) for a, n in axes)
    )


def walked(operation, shapes):
    """The output's value, and the needs, with unknown degrees and factors of all inputs."""
    jaxpr = jax.make_jaxpr(operation)(*map(jnp.ones, shapes))
    inputs = [unknown_value(i, shape) for i, shape in enumerate(shapes)]
    walk = Walk(RULES, exact=True)
    (out,) = walk.run(jaxpr, inputs)
    assert len(open_jaxpr(jaxpr).outvars) == 1
    return out, walk


class Scaling:
    """Random degrees and factors, by unknown."""

    def __init__(self, rng, shapes):
        self.of = {i: float(rng.normal()) for i in range(len(shapes))}
        for i, shape in enumerate(shapes):
            for axis, size in enumerate(shape):
                factors = rng.normal(size=size)
                self.of[AxisUnknown(i, axis, 0)] = factors - factors.mean()

    def form(self, form):
        return sum((float(Fraction(c)) * np.asarray(self.of[u]) for u, c in form.items()), 0.0)

    def apply(self, value, array):
        """Multiplies an array as its value says."""
        logs = np.full(array.shape, float(self.form(value.degree or {})))
        for number, axis in enumerate(value.axes):
            grid = np.zeros([digit.size for digit in axis])
            for place, digit in enumerate(axis):
                where = [1] * len(axis)
                where[place] = digit.size
                grid = grid + np.broadcast_to(self.form(digit.form), digit.size).reshape(where)
            shape = [1] * array.ndim
            shape[number] = array.shape[number]
            logs = logs + grid.reshape(shape)
        return np.asarray(array) * np.exp(logs)


def scale_inputs(scaling, arrays):
    return [scaling.apply(unknown_value(i, a.shape), a) for i, a in enumerate(arrays)]


def outputs(operation, shapes, out, seed, needs=()):
    """The output of scaled inputs, and the scaled output; they agree if the rule is right."""
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(0.5, 2.0, shape) for shape in shapes]
    scaling = Scaling(rng, shapes)
    project(scaling, [need.form for need in needs])
    found = operation(*map(jnp.asarray, scale_inputs(scaling, arrays)))
    return found, scaling.apply(out, operation(*map(jnp.asarray, arrays)))


@pytest.mark.parametrize("name", FREE)
def test_what_asks_for_nothing_scales_as_its_rule_says(name):
    operation, shapes = FREE[name]
    out, walk = walked(operation, shapes)
    assert not walk.degree_needs
    assert not walk.axis_needs
    for seed in range(5):
        found, expected = outputs(operation, shapes, out, seed)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ASKING)
def test_what_asks_has_a_reason_to(name):
    operation, shapes = ASKING[name]
    out, walk = walked(operation, shapes)
    assert walk.degree_needs or walk.axis_needs
    differ = [
        not np.allclose(*outputs(operation, shapes, out, seed), rtol=1e-6) for seed in range(5)
    ]
    assert any(differ)


@pytest.mark.parametrize("name", {**FREE, **ASKING})
def test_where_the_needs_are_met_the_output_scales_as_the_rule_says(name):
    """Restricted to degrees and factors that meet all needs, every rule is exact."""
    operation, shapes = {**FREE, **ASKING}[name]
    out, walk = walked(operation, shapes)
    needs = (*walk.degree_needs, *walk.axis_needs)
    for seed in range(3):
        found, expected = outputs(operation, shapes, out, seed, needs)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def project(scaling, forms):
    """Moves the degrees and factors to the nearest that meet the needs."""
    unknowns = sorted({u for form in forms for u in form}, key=str)
    if not unknowns:
        return
    matrix = np.array([[float(Fraction(form.get(u, 0))) for u in unknowns] for form in forms])
    keep = np.eye(len(unknowns)) - np.linalg.pinv(matrix) @ matrix
    old = [np.asarray(scaling.of[u]) for u in unknowns]
    for i, unknown in enumerate(unknowns):
        alike = [j for j in range(len(unknowns)) if abs(keep[i, j]) > 1e-12]
        scaling.of[unknown] = sum((keep[i, j] * old[j] for j in alike), np.zeros_like(old[i]))
