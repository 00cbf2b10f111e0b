"""Convolutions, pooling, and patches."""

import jax
import jax.numpy as jnp

from tests.symmetry.architectures.parts import (
    EPS,
    LAYOUT,
    architecture,
    batch_norm,
    convolve,
    cross_entropy,
    layer_norm,
)

KERNEL = {"k": (3, 3, 2, 4), "head": (4, 3)}
IMAGES = (4, 6, 6, 2)


def max_pool(y, window):
    sizes = (1, window, window, 1)
    return jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, sizes, sizes, "VALID")


def flat(y):
    return y.reshape(len(y), -1)


@architecture(KERNEL, {"k": (3,)}, data=IMAGES)
def batch_norm_cnn(p, x):
    y = batch_norm(convolve(x, p["k"]))
    return cross_entropy(jax.nn.relu(y).mean((1, 2)) @ p["head"])


@architecture(KERNEL | {"b": (4,)}, {"k": (3,)}, data=IMAGES, dead=("b",))
def convolution_bias_before_batch_norm(p, x):
    y = batch_norm(convolve(x, p["k"]) + p["b"])
    return cross_entropy(jax.nn.relu(y).mean((1, 2)) @ p["head"])


@architecture(KERNEL | {"b": (4,)}, {"k": (3,)}, data=IMAGES, dead=("b",))
def instance_norm_cnn(p, x):
    y = convolve(x, p["k"]) + p["b"]
    y = (y - y.mean((1, 2), keepdims=True)) / jnp.sqrt(y.var((1, 2), keepdims=True) + EPS)
    return cross_entropy(jnp.tanh(y).mean((1, 2)) @ p["head"])


@architecture(
    {"k": (3, 3, 1, 4), "q": (1, 1, 4, 5), "head": (5, 3)}, {"k": (), "q": (3,)}, data=(4, 6, 6, 4)
)
def depthwise_separable(p, x):
    y = jax.nn.relu(convolve(x, p["k"], groups=4))
    return cross_entropy(batch_norm(convolve(y, p["q"])).mean((1, 2)) ** 2 @ p["head"])


@architecture({"k": (3, 3, 2, 6), "head": (6, 3)}, {"k": (3,)}, data=(4, 6, 6, 4))
def grouped_convolution(p, x):
    y = jax.nn.relu(batch_norm(convolve(x, p["k"], groups=2)))
    return cross_entropy(y.mean((1, 2)) @ p["head"])


@architecture(KERNEL, {"k": (3,)}, data=(4, 4, 4, 2))
def transposed_convolution(p, x):
    y = jax.lax.conv_transpose(x, p["k"], (2, 2), "SAME", dimension_numbers=LAYOUT)
    return cross_entropy(jax.nn.relu(batch_norm(y)).mean((1, 2)) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (16, 3)}, {"k": (3,)}, data=(4, 8, 8, 2))
def max_pool_and_flatten(p, x):
    y = jax.nn.relu(batch_norm(convolve(x, p["k"])))
    return cross_entropy(flat(max_pool(y, 4)) @ p["head"])


@architecture(KERNEL, {"k": (3,)}, data=IMAGES)
def norm_behind_max_pool_of_relu(p, x):
    y = max_pool(jax.nn.relu(convolve(x, p["k"])), 2)
    return cross_entropy(jnp.tanh(batch_norm(y)).mean((1, 2)) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (36, 3)}, {}, data=(4, 5, 5, 2))
def average_pool_without_norm(p, x):
    y = jax.nn.relu(convolve(x, p["k"]))
    y = jax.lax.reduce_window(y, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "VALID") / 9
    return cross_entropy(flat(y) @ p["head"])


@architecture(KERNEL | {"a": (4, 2), "b": (2, 4)}, {"k": (3,)}, data=IMAGES)
def squeeze_and_excitation(p, x):
    y = jnp.tanh(batch_norm(convolve(x, p["k"])))
    gate = jax.nn.sigmoid(jax.nn.relu(y.mean((1, 2)) @ p["a"]) @ p["b"])
    return cross_entropy((y * gate[:, None, None]).max((1, 2)) @ p["head"])


@architecture({"w": (8, 6), "v": (6, 4), "head": (4, 3)}, {"w": ()}, data=(3, 4, 4, 2))
def patch_embedding(p, x):
    y = x.reshape(3, 2, 2, 2, 2, 2).swapaxes(2, 3).reshape(3, 4, 8)
    h = layer_norm(y @ p["w"])
    return cross_entropy(jax.nn.relu(h @ p["v"]).mean(1) @ p["head"])


@architecture({"w": (1, 1, 6, 4), "v": (1, 1, 10, 4), "head": (14, 3)},
              {"w": (3,), "v": (3,)}, data=(4, 3, 3, 6))  # fmt: skip
def densely_connected(p, x):
    """Each layer reads all before it, behind a batch norm."""
    h = x
    for name in "wv":
        h = jnp.concatenate([h, convolve(jax.nn.relu(batch_norm(h)), p[name])], -1)
    return cross_entropy(jax.nn.relu(batch_norm(h)).mean((1, 2)) @ p["head"])


@architecture({"w": (3, 2, 4), "v": (3, 4, 4), "u": (3, 4, 4), "d": (3, 8, 4), "head": (4, 3)},
              {"v": (), "d": ()}, data=(4, 8, 2))  # fmt: skip
def u_net(p, x):
    """Down and up again, with a skip that is concatenated."""

    def convolution(y, kernel):
        return jax.lax.conv_general_dilated(
            y, kernel, (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")
        )

    encoded = jax.nn.relu(convolution(x, p["w"]))
    low = jax.nn.relu(layer_norm(convolution(encoded[:, ::2], p["v"])))
    up = jnp.repeat(convolution(low, p["u"]), 2, axis=1)
    joined = jnp.concatenate([up, encoded], -1)
    return cross_entropy(layer_norm(convolution(joined, p["d"])).mean(1) @ p["head"])
