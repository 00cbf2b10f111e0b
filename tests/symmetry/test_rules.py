"""Each rule against brute force, one operation after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.symmetry.brute_force import (
    assert_complete,
    assert_sound,
    convolved,
    drawn,
    found_of,
    freedom,
)

# name: (operation, shapes of its inputs)
OPERATIONS = {
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
    "relu": (jax.nn.relu, [(3, 4)]),
    "leaky relu": (jax.nn.leaky_relu, [(3, 4)]),
    "add": (lax.add, [(3, 4), (3, 4)]),
    "times its transpose": (lambda x: x * x.T, [(4, 4)]),
    "divided by its transpose": (lambda x: x / x.T, [(4, 4)]),
    "transpose": (lambda x: x.transpose(2, 0, 1), [(2, 3, 4)]),
    "squeeze": (lambda x: lax.squeeze(x, (1,)), [(3, 1, 4)]),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None], (3, 5, 4)), [(3, 4)]),
    "reshape to ones": (lambda x: x.reshape(3, 1, 4, 1), [(3, 4)]),
    "reshape together": (lambda x: x.reshape(12, 2), [(3, 4, 2)]),
    "reshape apart": (lambda x: x.reshape(3, 2, 2), [(3, 4)]),
    "reshape together and apart": (lambda x: (2 * x.reshape(24)).reshape(3, 4, 2), [(3, 4, 2)]),
    "cut in two ways that fit": (
        lambda x: x.reshape(2, 6, 1) * x.reshape(6, 2).sum(1).reshape(2, 3).sum(1)[:, None, None],
        [(12,)],
    ),
    "outer product": (lambda x, y: lax.dot_general(x, y, (((), ()), ((), ()))), [(3, 2), (4,)]),
    "with itself": (lambda x: x @ x.T, [(3, 4)]),
    "batched product": (
        lambda x, y: lax.dot_general(x, y, (((), ()), ((0,), (0,)))), [(3, 2), (3,)]
    ),
    "batched matrix product": (
        lambda x, y: jnp.einsum("bij,bjk->bik", x, y), [(2, 3, 4), (2, 4, 3)]
    ),
    "matrix product": (lambda x, y: x @ y, [(3, 4), (4, 2)]),
    "matrix product of parts": (lambda x, y: x.reshape(3, 4) @ y, [(12,), (4, 2)]),
    "heads": (
        lambda x, y: jnp.einsum("thd,shd->hts", x.reshape(3, 2, 2), y.reshape(3, 2, 2)),
        [(3, 4), (3, 4)],
    ),
    "whole slice": (lambda x: lax.slice_in_dim(x, 0, 3, axis=0), [(3, 4)]),
    "part": (lambda x: x[:, 1:3], [(3, 4)]),
    "two parts": (lambda x: x[:, :2] + x[:, 2:], [(3, 4)]),
    "parts of parts": (lambda x: x[:, :4][:, 2:] * x[:, 2:], [(3, 4)]),
    "every other": (lambda x: x[:, ::2] + x[:, 1::2], [(3, 4)]),
    "one of each": (lambda x: x.reshape(3, 2, 2)[:, 1], [(3, 4)]),
    "split": (lambda x: lax.split(x, (1, 3), axis=1)[1], [(3, 4)]),
    "known dynamic part": (lambda x: lax.dynamic_slice(x, (0, 2), (3, 2)), [(3, 4)]),
    "unknown dynamic part": (
        lambda x: lax.dynamic_slice(x, (0, jnp.arange(4).sum() // 3), (3, 2)), [(3, 4)]
    ),
    "concatenate": (lambda x, y: jnp.concatenate([x, y], 1), [(3, 4), (3, 2)]),
    "concatenate and sum": (lambda x, y: jnp.concatenate([x, y], 1).sum(1), [(3, 4), (3, 2)]),
    "concatenate parts": (
        lambda x, y: jnp.concatenate([x[:, 2:], y, x[:, :2]], 1), [(3, 4), (3, 2)]
    ),
    "concatenate with zeros": (
        lambda x: jnp.concatenate([x, jnp.zeros((3, 2))], 1) + 0, [(3, 4)]
    ),
    "rotate halves": (
        lambda x: jnp.concatenate([x[:, :2] - x[:, 2:], x[:, :2] + x[:, 2:]], 1), [(3, 4)]
    ),
    "stack": (lambda x, y: jnp.stack([x, y], 1), [(3, 4), (3, 4)]),
    "pad": (lambda x: jnp.pad(x, 1, constant_values=1.0), [(3, 4)]),
    "replace a part": (lambda x, y: lax.dynamic_update_slice(x, y, (0, 1)), [(3, 4), (3, 2)]),
    "look up": (lambda x: x[jnp.array([0, 2, 2])], [(3, 4)]),
    "write": (lambda x: jnp.ones((5, 4)).at[jnp.array([0, 2, 3])].add(x), [(3, 4)]),
    "exp": (lax.exp, [(3, 4)]),
    "power of itself": (lambda x: x**x, [(3, 4)]),
    "select": (lambda x, y: jnp.where(jnp.arange(4) < 2, x, y), [(3, 4), (3, 4)]),
    "clamp": (lambda x: jnp.clip(x, 0.5, 1.0), [(3, 4)]),
    "max": (lax.max, [(3, 4), (3, 4)]),
    "sum": (lambda x: x.sum(1), [(3, 4)]),
    "max along": (lambda x: x.max(0), [(3, 4)]),
    "product along": (lambda x: x.prod(0), [(3, 4)]),
    "cumsum": (lambda x: lax.cumsum(x, 1), [(3, 4)]),
    "sort": (lambda x: lax.sort(x, dimension=1), [(3, 4)]),
    "reverse": (lambda x: lax.rev(x, (1,)), [(3, 4)]),
    "top k": (lambda x: lax.top_k(x, 2)[0], [(3, 4)]),
    "pooling": (
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID"), [(3, 4)]
    ),
    "convolution": (convolved, [(2, 4, 4, 3), (3, 3, 3, 2)]),
    "grouped convolution": (lambda x, k: convolved(x, k, 2), [(1, 4, 4, 4), (2, 2, 2, 6)]),
    "depthwise convolution": (lambda x, k: convolved(x, k, 3), [(1, 3, 3, 3), (2, 2, 1, 6)]),
    "convolution over batch groups": (
        lambda x, k: convolved(x, k, batch_group_count=2), [(4, 3, 3, 2), (2, 2, 2, 4)]
    ),
    "unstack": (lambda x: jnp.unstack(x, axis=1)[1] + jnp.unstack(x, axis=1)[2], [(3, 4)]),
    "tile": (lambda x: jnp.tile(x, (2, 3)), [(3, 4)]),
    "repeat": (lambda x: jnp.repeat(x, 2, axis=1), [(3, 4)]),
    "roll": (lambda x: jnp.roll(x, 1, axis=1), [(3, 4)]),
    "singular values": (lambda x: jnp.linalg.svd(x, compute_uv=False), [(3, 4)]),
    "singular vectors": (lambda x: jnp.linalg.svd(x, full_matrices=False)[0] ** 2, [(3, 4)]),
    "eigenvalues": (lambda x: jnp.linalg.eigh(x)[0], [(3, 3)]),
    "eigenvectors": (lambda x: jnp.linalg.eigh(x)[1] ** 2, [(3, 3)]),
    "orthogonal factor": (lambda x: jnp.linalg.qr(x)[0] ** 2, [(3, 3)]),
    "triangular factor": (lambda x: jnp.abs(jnp.linalg.qr(x)[1]), [(3, 3)]),
    "Cholesky": (lambda x: jnp.linalg.cholesky(x @ x.T + 0 * x), [(3, 3)]),
    "triangular solution": (
        lambda x, y: lax.linalg.triangular_solve(
            jnp.tril(x), y, left_side=True, lower=True
        ),
        [(3, 3), (3, 2)],
    ),
    "Fourier": (lambda x: jnp.abs(jnp.fft.rfft(x)), [(3, 4)]),
    "jit": (jax.jit(lambda x: -x), [(3, 4)]),
    "remat": (jax.checkpoint(lambda x: -x), [(3, 4)]),
    "branches": (lambda x: lax.cond(True, lambda x: x, lambda x: 2 * x, x), [(3, 4)]),
    "scan over layers": (lambda x: lax.scan(lambda c, a: (c, -a), 0.0, x)[1], [(3, 4)]),
    "scan over two": (
        lambda x, y: lax.scan(lambda c, a: (c, a[0] * a[1].sum()), 0.0, (x, y))[1],
        [(3, 4), (3, 2)],
    ),
    "reverse scan": (
        lambda x: lax.scan(lambda c, a: (c, a.sum()), 0.0, x, reverse=True)[1], [(3, 4)]
    ),
    "scan over an axis of parts": (
        lambda x: lax.scan(lambda c, a: (c, a), 0.0, x.reshape(6, 2))[1].reshape(2, 3, 2), [(2, 6)]
    ),
    "scan over a transpose": (
        lambda x: lax.scan(lambda c, a: (c, a[0] * a[1]), 0.0, (x, x.T))[1], [(3, 3)]
    ),
    "summing scan": (
        lambda x: lax.scan(lambda c, a: (c + a, None), jnp.ones(4), x)[0], [(3, 4)]
    ),
    "multiplying scan": (
        lambda x, w: lax.scan(lambda c, a: (c * a.sum(), None), x, w)[0], [(4,), (3, 2)]
    ),
    "growing loop": (lambda x, w: lax.fori_loop(0, 3, lambda i, c: c @ w, x), [(2, 3), (3, 3)]),
}  # fmt: skip

# Operations with steps, of which the Jacobian sees nothing.
STEPS = {
    "sign": (lax.sign, [(3, 4)]),
    "floor": (lambda x: jnp.floor(3 * x), [(3, 4)]),
    "compare": (lambda x, y: jnp.where(x < y, 1.0, 2.0), [(3, 4), (3, 4)]),
    "argmax": (lambda x: x.argmax(1) * 1.0, [(3, 8)]),
    "no rule": (lambda x: lax.digamma(x) + lax.bessel_i1e(x), [(3, 4)]),
}

# Where the prover gives up: it finds some of what there is, and the reason.
MIXED = "a decomposition is taken to mix all entries of its matrix"
GIVES_UP = {
    "times its transpose": "w and its transpose are two functions to it, not one",
    "divided by its transpose": "w and its transpose are two functions to it, not one",
    "scan over a transpose": "w and its transpose are two functions to it, not one",
    "unknown dynamic part": "a part of an axis is taken at an index that only the data know",
    "concatenate with zeros": "what is zero has to scale as what it stands beside",
    "pad": "what is padded is not told from the padding",
    "replace a part": "what is replaced is not told from the rest",
    "look up": "entries that are looked up are not told apart",
    "reverse": "the order of an axis is not followed",
    "pooling": "entries in different windows are not told apart",
    "select": "entries that are chosen are not told apart",
    "convolution": "factors exp(a·i) along space, and exp(-a·i) along the window, are not found",
    "grouped convolution": "as for a convolution, in each group",
    "depthwise convolution": "as for a convolution, in each group",
    "convolution over batch groups": "its features are not followed",
    "orthogonal factor": MIXED,
    "triangular factor": MIXED,
    "Cholesky": MIXED,
    "triangular solution": MIXED,
}


@pytest.mark.parametrize("name", {**OPERATIONS, **STEPS})
def test_a_rule_is_sound(name):
    assert_sound(*{**OPERATIONS, **STEPS}[name])


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(GIVES_UP)))
def test_a_rule_is_complete(name):
    assert_complete(*OPERATIONS[name])


@pytest.mark.parametrize("name", GIVES_UP)
def test_where_it_gives_up_there_is_more(name):
    operation, shapes = OPERATIONS[name]
    inputs = drawn(operation, shapes, np.random.default_rng(0))
    assert found_of(operation, inputs).full_dimension < freedom(operation, shapes)
