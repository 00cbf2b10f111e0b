"""Dense layers with and without normalisations, of activations and of weights."""

import jax
import jax.numpy as jnp

from tests.symmetry.architectures.parts import (
    EPS,
    architecture,
    batch_norm,
    cross_entropy,
    group_norm,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
    tokens_of,
)

LAYER = {"w": (6, 4), "head": (4, 3)}
WIDE = {"w": (6, 8), "head": (8, 3)}
BIASED = LAYER | {"b": (4,)}
GAINED = LAYER | {"g": (4,)}


@architecture(LAYER, {})
def linear_network(p, x):
    return mse(x @ p["w"] @ p["head"])


@architecture(BIASED, {})
def relu_mlp(p, x):
    return cross_entropy(jax.nn.relu(x @ p["w"] + p["b"]) @ p["head"])


@architecture({"w": (6, 4), "v": (4, 4), "head": (4, 3)}, {})
def gelu_mlp(p, x):
    return cross_entropy(jax.nn.gelu(jax.nn.gelu(x @ p["w"]) @ p["v"]) @ p["head"])


@architecture({"w": (6, 4), "v": (4, 5), "head": (5, 3)}, {})
def leaky_relu_mlp(p, x):
    leaky = jax.nn.leaky_relu
    return cross_entropy(leaky(leaky(x @ p["w"]) @ p["v"]) @ p["head"])


@architecture(LAYER, {})
def squared_relu(p, x):
    return cross_entropy(jax.nn.relu(x @ p["w"]) ** 2 @ p["head"])


@architecture(LAYER, {"w": (1,)})
def batch_norm_mlp(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"])) @ p["head"])


@architecture(LAYER, {"w": (1,)})
def batch_norm_with_fast_variance(p, x):
    """The variance as Flax computes it: E(y²) − E(y)²."""
    y = x @ p["w"]
    variance = jnp.maximum(0.0, jnp.mean(y**2, 0) - jnp.mean(y, 0) ** 2)
    return cross_entropy(jnp.tanh((y - y.mean(0)) * jax.lax.rsqrt(variance + EPS)) @ p["head"])


@architecture(BIASED, {}, dead=("b",))
def mean_only_batch_norm(p, x):
    y = x @ p["w"] + p["b"]
    return cross_entropy(jax.nn.relu(y - y.mean(0)) @ p["head"])


@architecture(LAYER, {"w": ()})
def layer_norm_mlp(p, x):
    return cross_entropy(jnp.tanh(layer_norm(x @ p["w"])) @ p["head"])


@architecture(LAYER, {"w": ()})
def rms_norm_mlp(p, x):
    return cross_entropy(jax.nn.silu(rms_norm(x @ p["w"])) @ p["head"])


@architecture(WIDE, {"w": ()})
def group_norm_mlp(p, x):
    """Each of the two groups of channels may be scaled alone, which is no axis."""
    return cross_entropy(jax.nn.gelu(group_norm(x @ p["w"], 2)) @ p["head"])


@architecture(WIDE | {"b": (8,)}, {})
def bias_before_group_norm(p, x):
    return cross_entropy(jnp.tanh(group_norm(x @ p["w"] + p["b"], 2)) @ p["head"])


@architecture(BIASED, {})
def bias_before_layer_norm(p, x):
    return cross_entropy(jnp.tanh(layer_norm(x @ p["w"] + p["b"])) @ p["head"])


@architecture(BIASED, {"w": (1,)}, dead=("b",))
def bias_before_batch_norm(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"] + p["b"])) @ p["head"])


@architecture(GAINED, {"w": (1,), "g": (0,)})
def gain_before_batch_norm(p, x):
    return cross_entropy(jnp.tanh(batch_norm(x @ p["w"] * p["g"])) @ p["head"])


@architecture(
    {"w": (6, 4), "g": (4,), "b": (4,), "v": (4, 5), "head": (5, 3)}, {"w": (1,), "v": (1,)}
)
def affine_between_batch_norms(p, x):
    y = jax.nn.relu(batch_norm(x @ p["w"]) * p["g"] + p["b"])
    return cross_entropy(batch_norm(y @ p["v"]) @ p["head"])


@architecture(GAINED, {"w": (1,)})
def weight_norm(p, x):
    return cross_entropy(jax.nn.relu(x @ (l2_normalised(p["w"], 0) * p["g"])) @ p["head"])


@architecture(LAYER, {"w": (1,)})
def weight_standardisation(p, x):
    w = (p["w"] - p["w"].mean(0)) / jnp.sqrt(p["w"].var(0) + EPS)
    return cross_entropy(jax.nn.relu(x @ w) @ p["head"])


@architecture(LAYER, {"w": ()})
def spectral_norm(p, x):
    u = jnp.ones(6)
    for _ in range(2):
        v = l2_normalised(u @ p["w"])
        u = l2_normalised(p["w"] @ v)
    return cross_entropy(jax.nn.relu(x @ (p["w"] / (u @ p["w"] @ v))) @ p["head"])


@architecture(LAYER, {"w": (0,)})
def sinkhorn(p, x):
    """Rows and columns in turn, stopped early: only what came first is gone altogether."""
    w = jnp.abs(p["w"])
    for _ in range(2):
        w = w / w.sum(1, keepdims=True)
        w = w / w.sum(0)
    return cross_entropy(jnp.tanh(x @ w) @ p["head"])


@architecture({"w": (4, 4), "head": (4, 3)}, {"w": (0,)}, data=(16, 4))
def rows_and_columns_normalised(p, x):
    """Factors of the rows and of the columns are not seen, those of single entries are."""
    w = jnp.abs(p["w"]) ** 0.25
    w = p["w"] / (w.prod(1, keepdims=True) * w.prod(0)) * jnp.abs(p["w"].prod()) ** (1 / 16)
    return cross_entropy(jnp.tanh(x @ w) @ p["head"])


@architecture({"w": (6, 4), "v": (4, 4), "head": (4, 3)}, {"w": (), "v": ()})
def post_layer_norm_without_residual(p, x):
    h = layer_norm(x @ p["w"])
    return cross_entropy(layer_norm(jax.nn.relu(h) @ p["v"]) @ p["head"])


@architecture({"w": (6, 6), "v": (6, 6), "head": (6, 3)}, {"w": ()})
def residual_stream_with_final_norm(p, x):
    h = x @ p["w"]
    h = h + h @ p["v"]
    return cross_entropy(rms_norm(h) @ p["head"])


@architecture(GAINED, {"w": (), "head": ()})
def normalised_head(p, x):
    return cross_entropy(rms_norm(x @ p["w"]) * p["g"] @ l2_normalised(p["head"]))


@architecture({"e": (7, 6), "head": (6, 7)}, {"e": (0,)}, data=(3, 5))
def normalised_embedding_table(p, x):
    h = l2_normalised(p["e"], 1)[tokens_of(x)]
    return cross_entropy((jnp.tanh(h) @ p["head"]).reshape(-1, 7))


@architecture({"e": (7, 6), "head": (6, 7)}, {"e": (0,)}, data=(3, 5))
def norm_behind_an_embedding(p, x):
    h = rms_norm(p["e"][tokens_of(x)])
    return cross_entropy((jnp.tanh(h) @ p["head"]).reshape(-1, 7))


@architecture(LAYER, {"w": ()})
def dropout_with_fixed_key(p, x):
    keep = jax.random.bernoulli(jax.random.key(0), 0.8, (16, 4))
    y = jnp.where(keep, (x @ p["w"]) / 0.8, 0)
    return cross_entropy(layer_norm(y) @ p["head"])
