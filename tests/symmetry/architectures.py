"""Small architectures as plain functions, with the leaves that a person says are invariant.

Each is (build, invariant): `build(rng)` returns (loss, params, args) with random values in float64,
and `invariant` maps each leaf whose scale the loss does not see by itself to its finest axes. The ε
of all normalisations is far below rounding.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from tests.symmetry import zoo
from wdjax.models import MLP, ResNet

EPS = 1e-30
X = (16, 6)


def normal(rng, *shape):
    return jnp.asarray(rng.normal(size=shape))


def params_of(rng, **shapes):
    return {name: normal(rng, *shape) for name, shape in shapes.items()}


def batch_norm(y):
    mean = y.mean(tuple(range(y.ndim - 1)))
    return (y - mean) / jnp.sqrt(y.var(tuple(range(y.ndim - 1))) + EPS)


def layer_norm(y):
    return (y - y.mean(-1, keepdims=True)) / jnp.sqrt(y.var(-1, keepdims=True) + EPS)


def rms_norm(y):
    return y / jnp.sqrt(jnp.mean(y**2, -1, keepdims=True) + EPS)


def group_norm(y, groups):
    split = y.reshape(*y.shape[:-1], groups, -1)
    return layer_norm(split).reshape(y.shape)


def l2_normalised(w, axis=None):
    return w / jnp.sqrt(jnp.sum(w**2, axis, keepdims=True) + EPS)


def cross_entropy(logits):
    labels = jnp.arange(len(logits)) % logits.shape[-1]
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def mse(y):
    return jnp.mean((y - 1.0) ** 2)


ZOO = {}


def architecture(shapes, invariant, data=X):
    """Registers `forward(params, x) -> loss` with parameters of these shapes."""

    def register(forward):
        def build(rng):
            return forward, params_of(rng, **shapes), (normal(rng, *data),)

        ZOO[forward.__name__] = (build, invariant)
        return forward

    return register


@architecture({"w": (6, 4), "head": (4, 3)}, {})
def linear_network(p, x):
    return mse(x @ p["w"] @ p["head"])


@architecture({"w": (6, 4), "b": (4,), "head": (4, 3)}, {})
def relu_mlp(p, x):
    return cross_entropy(jax.nn.relu(x @ p["w"] + p["b"]) @ p["head"])


@architecture({"w": (6, 4), "v": (4, 4), "head": (4, 3)}, {})
def gelu_mlp(p, x):
    return cross_entropy(jax.nn.gelu(jax.nn.gelu(x @ p["w"]) @ p["v"]) @ p["head"])


@architecture({"w": (6, 4), "v": (4, 5), "head": (5, 3)}, {})
def leaky_relu_mlp(p, x):
    leaky = jax.nn.leaky_relu
    return cross_entropy(leaky(leaky(x @ p["w"]) @ p["v"]) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": (1,)})
def batch_norm_mlp(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def layer_norm_mlp(p, x):
    return cross_entropy(jnp.tanh(layer_norm(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def rms_norm_mlp(p, x):
    return cross_entropy(jax.nn.silu(rms_norm(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 8), "head": (8, 3)}, {"w": ()})
def group_norm_mlp(p, x):
    return cross_entropy(jax.nn.gelu(group_norm(x @ p["w"], 2)) @ p["head"])


@architecture({"w": (6, 4), "b": (4,), "head": (4, 3)}, {})
def bias_before_layer_norm(p, x):
    return cross_entropy(jnp.tanh(layer_norm(x @ p["w"] + p["b"])) @ p["head"])


@architecture(
    {"w": (6, 4), "g": (4,), "b": (4,), "v": (4, 5), "head": (5, 3)}, {"w": (1,), "v": (1,)}
)
def affine_between_batch_norms(p, x):
    y = jax.nn.relu(batch_norm(x @ p["w"]) * p["g"] + p["b"])
    return cross_entropy(batch_norm(y @ p["v"]) @ p["head"])


@architecture({"w": (6, 4), "b": (4,), "head": (4, 3)}, {})
def bias_before_batch_norm(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"] + p["b"])) @ p["head"])


@architecture({"w": (6, 4), "g": (4,), "head": (4, 3)}, {"w": (1,)})
def weight_norm(p, x):
    return cross_entropy(jax.nn.relu(x @ (l2_normalised(p["w"], 0) * p["g"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": (1,)})
def weight_standardisation(p, x):
    w = (p["w"] - p["w"].mean(0)) / jnp.sqrt(p["w"].var(0) + EPS)
    return cross_entropy(jax.nn.relu(x @ w) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def spectral_norm(p, x):
    u = jnp.ones(6)
    for _ in range(2):
        v = l2_normalised(u @ p["w"])
        u = l2_normalised(p["w"] @ v)
    return cross_entropy(jax.nn.relu(x @ (p["w"] / (u @ p["w"] @ v))) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (4, 3)}, {"k": (3,)}, data=(4, 6, 6, 2))
def batch_norm_cnn(p, x):
    y = batch_norm(convolve(x, p["k"]))
    return cross_entropy(jax.nn.relu(y).mean((1, 2)) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (4, 3)}, {"k": (3,)}, data=(4, 6, 6, 2))
def instance_norm_cnn(p, x):
    y = convolve(x, p["k"])
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


@architecture({"k": (3, 3, 2, 4), "head": (4, 3)}, {"k": (3,)}, data=(4, 4, 4, 2))
def transposed_convolution(p, x):
    y = jax.lax.conv_transpose(x, p["k"], (2, 2), "SAME", dimension_numbers=LAYOUT)
    return cross_entropy(jax.nn.relu(batch_norm(y)).mean((1, 2)) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (16, 3)}, {"k": (3,)}, data=(4, 8, 8, 2))
def max_pool_and_flatten(p, x):
    y = jax.nn.relu(batch_norm(convolve(x, p["k"])))
    y = jax.lax.reduce_window(y, -jnp.inf, jax.lax.max, (1, 4, 4, 1), (1, 4, 4, 1), "VALID")
    return cross_entropy(y.reshape(len(y), -1) @ p["head"])


@architecture({"k": (3, 3, 2, 4), "head": (36, 3)}, {}, data=(4, 5, 5, 2))
def average_pool_without_norm(p, x):
    y = jax.nn.relu(convolve(x, p["k"]))
    y = jax.lax.reduce_window(y, 0.0, jax.lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "VALID") / 9
    return cross_entropy(y.reshape(len(y), -1) @ p["head"])


LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x, kernel, groups=1):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT, feature_group_count=groups
    )


def attention(q, k, v, mask=None):
    scores = jnp.einsum("...qd,...kd->...qk", q, k) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    return jnp.einsum("...qk,...kd->...qd", jax.nn.softmax(scores), v)


ATTENTION = {"q": (6, 4), "k": (6, 4), "v": (6, 4), "o": (4, 6)}


@architecture(ATTENTION, {}, data=(3, 5, 6))
def plain_attention(p, x):
    return mse(attention(x @ p["q"], x @ p["k"], x @ p["v"]) @ p["o"])


@architecture(ATTENTION, {"q": (), "k": ()}, data=(3, 5, 6))
def qk_normed_attention(p, x):
    return mse(attention(rms_norm(x @ p["q"]), rms_norm(x @ p["k"]), x @ p["v"]) @ p["o"])


@architecture(ATTENTION, {}, data=(3, 5, 6))
def multi_head_causal_attention(p, x):
    def heads(y):
        return jnp.moveaxis(y.reshape(*y.shape[:-1], 2, 2), -2, -3)

    mask = jnp.tril(jnp.ones((5, 5), bool))
    mixed = attention(*(heads(x @ p[n]) for n in "qkv"), mask)
    return mse(jnp.moveaxis(mixed, -3, -2).reshape(3, 5, 4) @ p["o"])


@architecture(ATTENTION, {}, data=(3, 5, 6))
def rotary_attention(p, x):
    angle = jnp.arange(5.0)[:, None] * jnp.array([1.0, 0.1])

    def rotate(y):
        a, b = jnp.split(y, 2, axis=-1)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    return mse(attention(rotate(x @ p["q"]), rotate(x @ p["k"]), x @ p["v"]) @ p["o"])


@architecture({"q": (6, 8), "k": (6, 4), "v": (6, 4), "o": (8, 6)}, {}, data=(3, 5, 6))
def grouped_query_attention(p, x):
    q = (x @ p["q"]).reshape(3, 5, 2, 2, 2)
    k, v = ((x @ p[n]).reshape(3, 5, 2, 2) for n in "kv")
    scores = jax.nn.softmax(jnp.einsum("btgrd,bsgd->bgrts", q, k))
    mixed = jnp.einsum("bgrts,bsgd->btgrd", scores, v)
    return mse(mixed.reshape(3, 5, 8) @ p["o"])


@architecture(
    {"e": (7, 6), "q": (6, 4), "k": (6, 4), "v": (6, 4), "o": (4, 6), "w": (6, 8), "u": (8, 6),
     "head": (6, 7)},
    {}, data=(3, 5),
)  # fmt: skip
def pre_layer_norm_transformer(p, x):
    tokens = jnp.abs(x * 10).astype(int) % 7
    h = p["e"][tokens]
    y = layer_norm(h)
    h = h + attention(y @ p["q"], y @ p["k"], y @ p["v"]) @ p["o"]
    h = h + jax.nn.relu(layer_norm(h) @ p["w"]) @ p["u"]
    return cross_entropy((layer_norm(h) @ p["head"]).reshape(-1, 7))


@architecture({"e": (7, 6), "w": (6, 8), "u": (8, 6)}, {}, data=(3, 5))
def tied_embeddings(p, x):
    h = p["e"][jnp.abs(x * 10).astype(int) % 7]
    h = h + jax.nn.gelu(rms_norm(h) @ p["w"]) @ p["u"]
    return cross_entropy((rms_norm(h) @ p["e"].T).reshape(-1, 7))


@architecture({"w": (6, 4), "v": (4, 4), "head": (4, 3)}, {"w": (), "v": ()})
def post_layer_norm_without_residual(p, x):
    h = layer_norm(x @ p["w"])
    return cross_entropy(layer_norm(jax.nn.relu(h) @ p["v"]) @ p["head"])


@architecture({"w": (6, 6), "v": (6, 6), "head": (6, 3)}, {"w": ()})
def residual_stream_with_final_norm(p, x):
    h = x @ p["w"]
    h = h + h @ p["v"]
    return cross_entropy(rms_norm(h) @ p["head"])


@architecture({"w": (3, 6, 6), "head": (6, 3)}, {"w": (0, 2)})
def scanned_batch_norm_layers(p, x):
    h, _ = jax.lax.scan(lambda h, w: (jnp.tanh(batch_norm(h @ w)), None), x, p["w"])
    return cross_entropy(h @ p["head"])


@architecture({"w": (3, 6, 6), "head": (6, 3)}, {"w": (0,)})
def scanned_layer_norm_layers_with_remat(p, x):
    block = jax.checkpoint(lambda h, w: (jax.nn.relu(layer_norm(h @ w)), h.sum()))
    h, _ = jax.lax.scan(block, x, p["w"])
    return cross_entropy(h @ p["head"])


@architecture({"w": (2, 3, 6, 6), "v": (3, 6, 6), "head": (6, 3)}, {"w": (0, 1), "v": (0,)})
def nested_scans(p, x):
    def outer(h, layers):
        def inner(h, pair):
            return jnp.tanh(rms_norm(h @ pair[0]) + rms_norm(h @ pair[1])), None

        return jax.lax.scan(inner, h, (layers, p["v"]))[0], None

    h, _ = jax.lax.scan(outer, x, p["w"])
    return cross_entropy(h @ p["head"])


@architecture({"w": (3, 6, 6), "v": (3, 6, 6), "head": (6, 3)}, {})
def scanned_pairs(p, x):
    def layer(h, pair):
        return jnp.tanh(jax.nn.relu(h @ pair["w"]) @ pair["v"]), None

    h, _ = jax.lax.scan(layer, x, {"w": p["w"], "v": p["v"]})
    return cross_entropy(h @ p["head"])


@architecture({"w": (2, 6, 4), "v": (3, 4, 6), "head": (6, 3)}, {})
def scan_within_a_scan_of_another_leaf(p, x):
    def outer(h, w):
        def inner(h, v):
            return jnp.tanh(jax.nn.relu(h @ w) @ v), None

        return jax.lax.scan(inner, h, p["v"])[0], None

    h, _ = jax.lax.scan(outer, x, p["w"])
    return cross_entropy(h @ p["head"])


@architecture({"w": (3, 6, 6), "head": (6, 3)}, {"w": ()})
def carry_from_the_layer_before(p, x):
    def layer(h, w):
        return x @ w, jnp.tanh(h / jnp.linalg.norm(w)).mean()

    h, sums = jax.lax.scan(layer, jnp.zeros((16, 6)), p["w"])
    return cross_entropy(rms_norm(h) @ p["head"]) + sums.sum()


@jax.custom_vjp
def clipped_gradient(y):
    return jnp.abs(y)


clipped_gradient.defvjp(lambda y: (jnp.abs(y), y), lambda y, g: (jnp.sign(y) * g,))


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def custom_gradient(p, x):
    return cross_entropy(rms_norm(clipped_gradient(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def vmapped_examples(p, x):
    one = jax.jit(lambda row: jnp.tanh(rms_norm(row @ p["w"])) @ p["head"])
    return cross_entropy(jax.vmap(one)(x))


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": (1,)})
def branches(p, x):
    def norm(y):
        return jax.lax.cond(x.sum() > 0, batch_norm, lambda y: 2 * batch_norm(y), y)

    return cross_entropy(jax.nn.relu(norm(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def while_loop(p, x):
    h = rms_norm(x @ p["w"])
    h = jax.lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h) + h, h)
    return cross_entropy(h @ p["head"])


@architecture({"w": (6, 4), "v": (6, 4)}, {"w": (), "v": ()})
def contrastive(p, x):
    def clamped(y):
        return y / jnp.maximum(jnp.linalg.norm(y, axis=-1, keepdims=True), EPS)

    a, b = (clamped(x @ p[n]) for n in "wv")
    logits = a @ b.T / 0.1
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(len(x))))


@architecture({"w": (6, 4), "g": (4,), "head": (4, 3)}, {"w": (), "head": ()})
def normalised_head(p, x):
    return cross_entropy(rms_norm(x @ p["w"]) * p["g"] @ l2_normalised(p["head"]))


@architecture({"w": (6, 8), "head": (4, 3)}, {"w": ()})
def maxout(p, x):
    y = (x @ p["w"]).reshape(-1, 4, 2).max(-1)
    return cross_entropy(layer_norm(y) @ p["head"])


@architecture({"w": (6, 8), "u": (6, 8), "d": (8, 6), "head": (6, 3)}, {})
def gated_linear_unit(p, x):
    return cross_entropy(((x @ p["u"]) * jax.nn.silu(x @ p["w"])) @ p["d"] @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": ()})
def dropout_with_fixed_key(p, x):
    keep = jax.random.bernoulli(jax.random.key(0), 0.8, (16, 4))
    y = jnp.where(keep, (x @ p["w"]) / 0.8, 0)
    return cross_entropy(layer_norm(y) @ p["head"])


@architecture({"w": (6, 4), "unused": (3,), "head": (4, 3)}, {"w": (1,)})
def unused_leaf(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"])) @ p["head"])


@architecture({"w": (6, 4), "head": (4, 3)}, {"w": (1,)})
def auxiliary_output(p, x):
    y = x @ p["w"]
    return cross_entropy(jax.nn.relu(batch_norm(y)) @ p["head"]), jnp.sum(y**2)


@architecture({"w": (6, 4), "head": (4, 3)}, {})
def penalised(p, x):
    return cross_entropy(layer_norm(x @ p["w"]) @ p["head"]) + 0.1 * jnp.sum(p["w"] ** 2)


def of_linen(model, images, train=True):
    def build(rng):
        loss, params = zoo.network(model, train=train)
        params = jax.tree.map(lambda leaf: normal(rng, *leaf.shape), params)
        return loss, params, (normal(rng, *images), np.arange(images[0]) % 10)

    return build


KERNELS = [f"Conv_{i}/kernel" for i in range(10)]
ZOO["linen_batch_norm_resnet"] = (
    of_linen(ResNet(depth=8, epsilon=EPS, param_dtype=jnp.float64), (6, 8, 8, 1)),
    dict.fromkeys(KERNELS, (3,)),
)
ZOO["linen_layer_norm_mlp"] = (
    of_linen(MLP((5, 4), 3, "layer", EPS, jnp.float64), (6, 8, 8, 1)),
    {"Dense_0/kernel": (), "Dense_1/kernel": ()},
)
ZOO["linen_batch_norm_in_eval_mode"] = (
    of_linen(MLP((5, 4), 3, "batch", EPS, jnp.float64), (6, 8, 8, 1), train=False),
    {},
)


class NNXNet(nnx.Module):
    """A linear layer, a batch norm and a head."""

    def __init__(self, rngs):
        settings = {"rngs": rngs, "param_dtype": jnp.float64}
        self.hidden = nnx.Linear(6, 4, use_bias=False, **settings)
        self.norm = nnx.BatchNorm(4, epsilon=EPS, **settings)
        self.head = nnx.Linear(4, 3, **settings)

    def __call__(self, x):
        return self.head(jax.nn.relu(self.norm(self.hidden(x))))


def build_nnx(rng):
    graph, state, rest = nnx.split(NNXNet(nnx.Rngs(0)), nnx.Param, ...)
    rest = jax.tree.map(lambda leaf: leaf.astype(float), rest)
    params = jax.tree.map(lambda leaf: normal(rng, *leaf.shape), state)
    return (
        (lambda p, x: cross_entropy(nnx.merge(graph, p, rest, copy=True)(x))),
        params,
        (normal(rng, *X),),
    )


ZOO["nnx_batch_norm"] = (build_nnx, {"hidden/kernel": (1,)})
