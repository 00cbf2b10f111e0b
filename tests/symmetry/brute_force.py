"""A rule against brute force: scale the inputs, compare the outputs.

The output of an operation is multiplied by an array of weights of its own, one for each entry, and
nothing of the product may be seen to scale. Then the scalings that `find` reports of the inputs and
the weights are just what it takes the operation to do: the weights take back how the output scales.
It is sound if a random one of them leaves the product as it is, and complete if there are as many
as the null space of the product's Jacobian has dimensions.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.oracle import SMALL
from wdjax.symmetry import find

NHWC = ("NHWC", "HWIO", "NHWC")


def convolved(x, kernel, groups=1, strides=(1, 1), padding="SAME", **options):
    return lax.conv_general_dilated(
        x, kernel, strides, padding,
        dimension_numbers=NHWC, feature_group_count=groups, **options,
    )  # fmt: skip


def product(operation, inputs):
    """The output times its weights."""
    return operation(*inputs["x"]) * inputs["p"]


def drawn(operation, shapes, rng):
    """Random positive inputs, and weights for the output."""
    inputs = [jnp.asarray(rng.uniform(0.5, 2.0, shape)) for shape in shapes]
    out = jax.eval_shape(operation, *inputs).shape
    return {"x": inputs, "p": jnp.asarray(rng.uniform(0.5, 2.0, out))}


def found_of(operation, inputs):
    return find(lambda inputs: jnp.sum(jnp.tanh(product(operation, inputs))), inputs, exact=True)


def assert_sound(operation, shapes):
    """A random scaling of those that are reported leaves the product as it is."""
    value = jax.jit(lambda inputs: product(operation, inputs), compiler_options=SMALL)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        inputs = drawn(operation, shapes, rng)
        factors = found_of(operation, inputs).random_scaling(inputs, rng)
        scaled = jax.tree.map(np.multiply, inputs, factors)
        np.testing.assert_allclose(value(scaled), value(inputs), rtol=1e-9)


def freedom(operation, shapes):
    """The dimension of all scalings of entries that the product does not see."""

    def scaled(logs, inputs):
        return product(operation, jax.tree.map(lambda x, log: x * jnp.exp(log), inputs, logs))

    slopes = jax.jit(jax.jacobian(scaled), compiler_options=SMALL)
    matrices = []
    for seed in range(12):
        inputs = drawn(operation, shapes, np.random.default_rng(seed))
        jacobian = slopes(jax.tree.map(np.zeros_like, inputs), inputs)
        size = inputs["p"].size
        blocks = [np.asarray(block).reshape(size, -1) for block in jax.tree.leaves(jacobian)]
        matrices.append(np.concatenate(blocks, 1))
    matrix = np.concatenate(matrices)
    return matrix.shape[1] - np.linalg.matrix_rank(matrix, tol=1e-9 * np.abs(matrix).max())


def assert_complete(operation, shapes):
    inputs = drawn(operation, shapes, np.random.default_rng(0))
    assert found_of(operation, inputs).full_dimension == freedom(operation, shapes)
