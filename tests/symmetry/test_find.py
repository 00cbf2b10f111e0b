"""The prover against hand-labelled truth, and against an independent numeric oracle.

The oracle knows nothing of jaxprs: over random parameters and data, a scaling d is a symmetry if
Σ dᵢ⟨wᵢ, gᵢ⟩ = 0 every time, so the symmetries are the null space of a sampled matrix. The prover's
space has to lie inside it (soundness), and, but for what is listed, to be it (completeness).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.symmetry.architectures import ZOO
from wdjax.symmetry import find
from wdjax.trees import named_leaves

# Where the prover gives up, and why. Nothing else may be missed.
BIAS = "that a mean takes away what is added to all is not seen, so a dead bias has to scale along"
DIGITS = "factors along an axis that is split later are only found as products over its parts"
SLICES = "factors along an axis of which a part is taken are not followed"
MISSED_UNIFORM = {"bias_before_batch_norm": BIAS}
MISSED_ALONG_AXES = {
    "bias_before_batch_norm": BIAS,
    "multi_head_causal_attention": DIGITS,
    "grouped_query_attention": DIGITS,
    "rotary_attention": SLICES,
}


def scalar(loss):
    def value(*args):
        out = loss(*args)
        return out[0] if isinstance(out, tuple) else out

    return value


def alignments(build, samples):
    """Per sample, the entrywise products w·g of all leaves."""
    loss, _, _ = build(np.random.default_rng(0))
    gradient = jax.jit(jax.grad(scalar(loss)))
    for seed in range(samples):
        _, params, args = build(np.random.default_rng(seed + 1))
        grads = named_leaves(gradient(params, *args))
        leaves = named_leaves(params)
        size = np.sqrt(sum(float(jnp.sum((leaves[n] * grads[n]) ** 2)) for n in leaves))
        if size == 0:  # all its ReLUs are dead: it says nothing
            continue
        yield {name: np.asarray(leaves[name] * grads[name]) / size for name in leaves}


def nullity(matrix):
    """Dimension of the null space of a matrix whose rows are of size one at most."""
    values = np.linalg.svd(matrix, compute_uv=False)
    values = np.concatenate([values, np.zeros(matrix.shape[1] - len(values))])
    return int(np.sum(values < 1e-9))


@pytest.fixture(scope="module", params=ZOO)
def case(request):
    with jax.enable_x64(True):
        build, invariant = ZOO[request.param]
        loss, params, args = build(np.random.default_rng(0))
        return request.param, build, invariant, find(loss, params, *args)


def test_what_a_person_says(case):
    _, _, invariant, found = case
    unused = set(found.unused)
    assert {name: axes for name, axes in found.invariant.items() if name not in unused} == invariant


def test_uniform_scalings_are_those_of_the_oracle(case):
    name, build, _, found = case
    names = [leaf for leaf in found.leaves if leaf not in found.unused]
    rows = [[a[leaf].sum() for leaf in names] for a in alignments(build, 3 * len(names) + 3)]
    matrix = np.array(rows)
    for vector in found.basis:
        d = np.array([float(vector.get(leaf, 0)) for leaf in names])
        assert np.abs(matrix @ d).max() < 1e-10 * np.abs(d).max(), vector
    if name in MISSED_UNIFORM:
        assert nullity(matrix) > found.dimension
    else:
        assert nullity(matrix) == found.dimension


def index_sums(array):
    """Per axis, the sums over all other axes; a number has one."""
    if array.ndim == 0:
        return [np.array([array])]
    others = [tuple(j for j in range(array.ndim) if j != i) for i in range(array.ndim)]
    return [array.sum(axis=other) for other in others]


def test_scalings_along_axes_are_those_of_the_oracle(case):
    name, build, _, found = case
    leaves = [leaf for leaf in found.leaves if leaf not in found.unused]
    first = next(alignments(build, 1))
    unknowns = sum(len(part) for leaf in leaves for part in index_sums(first[leaf]))
    rows = [
        np.concatenate([part for leaf in leaves for part in index_sums(a[leaf])])
        for a in alignments(build, unknowns + 8)
    ]
    # A leaf of r axes can be scaled as a whole along each of them: r − 1 ways say nothing new.
    idle = sum(max(first[leaf].ndim - 1, 0) for leaf in leaves)
    expected = nullity(np.array(rows)) - idle
    proved = found.dimension + sum(size - 1 for size in found.axis_sizes)
    if name in MISSED_ALONG_AXES:
        assert proved < expected
    else:
        assert proved == expected
