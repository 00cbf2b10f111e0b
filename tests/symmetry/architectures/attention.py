"""Attention in its variants: heads, fused kernels, rotations, norms; and transformer blocks."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.symmetry.architectures.parts import (
    architecture,
    cross_entropy,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
    tokens_of,
)

SEQUENCES = (3, 5, 6)
SINGLE = {"q": (6, 4), "k": (6, 4), "v": (6, 4), "o": (4, 6)}
WIDE = {"q": (6, 8), "k": (6, 8), "v": (6, 8), "o": (8, 6)}
"""Two heads of four."""
KERNELS = {"q": (6, 2, 3), "k": (6, 2, 3), "v": (6, 2, 3), "o": (2, 3, 6)}


def attention(q, k, v, mask=None):
    scores = jnp.einsum("...qd,...kd->...qk", q, k) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    return jnp.einsum("...qk,...kd->...qd", jax.nn.softmax(scores), v)


def heads(y, count=2):
    """(batch, time, width) as (batch, count, time, size)."""
    return jnp.moveaxis(y.reshape(*y.shape[:-1], count, -1), -2, -3)


def joined(y):
    """The heads beside each other again."""
    y = jnp.moveaxis(y, -3, -2)
    return y.reshape(*y.shape[:-2], -1)


def causal(length):
    return jnp.tril(jnp.ones((length, length), bool))


def angles(y):
    """Angles by time and by pair of entries."""
    return (jnp.arange(y.shape[-2]) + 1.0)[:, None] * 0.5 ** jnp.arange(y.shape[-1] // 2)


def rotate_half(y):
    """Rotary positions, with each entry of the first half paired with one of the second."""
    a, b = jnp.split(y, 2, axis=-1)
    cos, sin = jnp.cos(angles(y)), jnp.sin(angles(y))
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def rotate_interleaved(y):
    """Rotary positions, with neighbours paired."""
    a, b = y[..., ::2], y[..., 1::2]
    cos, sin = jnp.cos(angles(y)), jnp.sin(angles(y))
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(y.shape)


@architecture(SINGLE, {}, data=SEQUENCES)
def plain_attention(p, x):
    return mse(attention(x @ p["q"], x @ p["k"], x @ p["v"]) @ p["o"])


@architecture(SINGLE | {"bq": (4,), "bk": (4,), "bv": (4,)}, {}, data=SEQUENCES, dead=("bk",))
def attention_with_biases(p, x):
    q, k, v = (x @ p[name] + p[f"b{name}"] for name in "qkv")
    return mse(attention(q, k, v, causal(5)) @ p["o"])


@architecture(SINGLE, {"q": (), "k": ()}, data=SEQUENCES)
def qk_normed_attention(p, x):
    return mse(attention(rms_norm(x @ p["q"]), rms_norm(x @ p["k"]), x @ p["v"]) @ p["o"])


@architecture(SINGLE, {}, data=SEQUENCES)
def multi_head_causal_attention(p, x):
    q, k, v = (heads(x @ p[name]) for name in "qkv")
    return mse(joined(attention(q, k, v, causal(5))) @ p["o"])


@architecture({"qkv": (6, 12), "o": (4, 6)}, {}, data=SEQUENCES)
def fused_heads_by_split(p, x):
    q, k, v = map(heads, jnp.split(x @ p["qkv"], 3, axis=-1))
    return mse(joined(attention(q, k, v)) @ p["o"])


@architecture({"qkv": (6, 12), "o": (4, 6)}, {}, data=SEQUENCES)
def fused_heads_by_index(p, x):
    qkv = jnp.moveaxis((x @ p["qkv"]).reshape(3, 5, 3, 2, 2), -2, -4)
    q, k, v = (qkv[..., i, :] for i in range(3))
    return mse(joined(attention(q, k, v)) @ p["o"])


@architecture(WIDE, {"q": (), "k": ()}, data=SEQUENCES)
def norm_per_head_on_flat_kernels(p, x):
    q, k, v = (heads(x @ p[name]) for name in "qkv")
    return mse(joined(attention(rms_norm(q), rms_norm(k), v)) @ p["o"])


@architecture(KERNELS, {}, data=SEQUENCES)
def kernels_with_axes_for_heads(p, x):
    q, k, v = (jnp.einsum("btd,dhk->bhtk", x, p[name]) for name in "qkv")
    return mse(jnp.einsum("bhtk,hkd->btd", attention(q, k, v), p["o"]))


@architecture(KERNELS | {"g": (3,)}, {"q": (1,), "k": (1,)}, data=SEQUENCES)
def norm_per_head_on_kernels_with_axes(p, x):
    q, k, v = (jnp.einsum("btd,dhk->bhtk", x, p[name]) for name in "qkv")
    mixed = attention(rms_norm(q) * p["g"], layer_norm(k), v)
    return mse(jnp.einsum("bhtk,hkd->btd", mixed, p["o"]))


@architecture(SINGLE, {}, data=SEQUENCES)
def rotary_attention(p, x):
    q, k = (rotate_half(x @ p[name]) for name in "qk")
    return mse(attention(q, k, x @ p["v"]) @ p["o"])


@architecture(WIDE, {}, data=SEQUENCES)
def rotary_heads(p, x):
    q, k, v = (heads(x @ p[name]) for name in "qkv")
    return mse(joined(attention(rotate_half(q), rotate_half(k), v)) @ p["o"])


@architecture(WIDE, {}, data=SEQUENCES)
def interleaved_rotary_heads(p, x):
    q, k, v = (heads(x @ p[name]) for name in "qkv")
    mixed = attention(rotate_interleaved(q), rotate_interleaved(k), v, causal(5))
    return mse(joined(mixed) @ p["o"])


@architecture({"q": (6, 8), "k": (6, 4), "v": (6, 4), "o": (8, 6)}, {}, data=SEQUENCES)
def grouped_query_attention(p, x):
    q = (x @ p["q"]).reshape(3, 5, 2, 2, 2)
    k, v = ((x @ p[name]).reshape(3, 5, 2, 2) for name in "kv")
    scores = jax.nn.softmax(jnp.einsum("btgrd,bsgd->bgrts", q, k))
    mixed = jnp.einsum("bgrts,bsgd->btgrd", scores, v)
    return mse(mixed.reshape(3, 5, 8) @ p["o"])


@architecture({"q": (6, 4), "kv": (6, 8), "o": (4, 6)}, {}, data=(3, 9, 6))
def cross_attention(p, x):
    k, v = map(heads, jnp.split(x[:, 4:] @ p["kv"], 2, axis=-1))
    return mse(joined(attention(heads(x[:, :4] @ p["q"]), k, v)) @ p["o"])


@architecture(
    {"e": (7, 6), "q": (6, 4), "k": (6, 4), "v": (6, 4), "o": (4, 6), "w": (6, 8), "u": (8, 6),
     "head": (6, 7)},
    {}, data=(3, 5),
)  # fmt: skip
def pre_layer_norm_transformer(p, x):
    h = p["e"][tokens_of(x)]
    y = layer_norm(h)
    h = h + attention(y @ p["q"], y @ p["k"], y @ p["v"]) @ p["o"]
    h = h + jax.nn.relu(layer_norm(h) @ p["w"]) @ p["u"]
    return cross_entropy((layer_norm(h) @ p["head"]).reshape(-1, 7))


@architecture(
    {"e": (7, 6), "pe": (5, 6), "g1": (6,), "b1": (6,), "qkv": (6, 12), "bqkv": (12,), "o": (4, 6),
     "bo": (6,), "g2": (6,), "b2": (6,), "w": (6, 8), "bw": (8,), "u": (8, 6), "bu": (6,),
     "g3": (6,), "b3": (6,)},
    {}, data=(3, 5),
)  # fmt: skip
def gpt2(p, x):
    """One block with a fused kernel, all its biases, and embeddings that are tied.

    The key's part of the fused bias is dead; as parts of leaves are no leaf, none is labelled.
    """
    h = p["e"][tokens_of(x)] + p["pe"]
    y = (layer_norm(h) * p["g1"] + p["b1"]) @ p["qkv"] + p["bqkv"]
    q, k, v = map(heads, jnp.split(y, 3, axis=-1))
    h = h + joined(attention(q, k, v, causal(5))) @ p["o"] + p["bo"]
    y = jax.nn.gelu((layer_norm(h) * p["g2"] + p["b2"]) @ p["w"] + p["bw"])
    h = h + y @ p["u"] + p["bu"]
    h = layer_norm(h) * p["g3"] + p["b3"]
    return cross_entropy((h @ p["e"].T).reshape(-1, 7))


@architecture(
    {"g1": (6,), "b1": (6,), "q": (6, 4), "bq": (4,), "k": (6, 4), "bk": (4,), "v": (6, 4),
     "bv": (4,), "o": (4, 6), "bo": (6,), "g2": (6,), "b2": (6,), "w": (6, 8), "bw": (8,),
     "u": (8, 6), "bu": (6,), "head": (6, 3)},
    {}, data=(2, 4, 6), dead=("bk",),
)  # fmt: skip
def pre_layer_norm_block_with_biases(p, x):
    y = layer_norm(x) * p["g1"] + p["b1"]
    q, k, v = (heads(y @ p[name] + p[f"b{name}"]) for name in "qkv")
    h = x + joined(attention(q, k, v, causal(4))) @ p["o"] + p["bo"]
    y = jax.nn.gelu((layer_norm(h) * p["g2"] + p["b2"]) @ p["w"] + p["bw"])
    return cross_entropy(layer_norm(h + y @ p["u"] + p["bu"]).mean(1) @ p["head"])


@architecture(
    {"e": (7, 6), "g1": (6,), "q": (6, 8), "k": (6, 4), "v": (6, 4), "o": (8, 6), "g2": (6,),
     "gate": (6, 8), "up": (6, 8), "down": (8, 6), "g3": (6,), "head": (6, 7)},
    {}, data=(2, 4),
)  # fmt: skip
def llama(p, x):
    """One block: two heads share one of keys and values; rotations, gates, no bias."""
    h = p["e"][tokens_of(x)]
    y = rms_norm(h) * p["g1"]
    q = rotate_half(heads(y @ p["q"]))
    k, v = rotate_half(heads(y @ p["k"], 1)), heads(y @ p["v"], 1)
    h = h + joined(attention(q, k, v, causal(4))) @ p["o"]
    y = rms_norm(h) * p["g2"]
    h = h + (jax.nn.silu(y @ p["gate"]) * (y @ p["up"])) @ p["down"]
    return cross_entropy((rms_norm(h) * p["g3"] @ p["head"]).reshape(-1, 7))


@architecture({"e": (7, 6), "w": (6, 8), "u": (8, 6)}, {}, data=(3, 5))
def tied_embeddings(p, x):
    h = p["e"][tokens_of(x)]
    h = h + jax.nn.gelu(rms_norm(h) @ p["w"]) @ p["u"]
    return cross_entropy((rms_norm(h) @ p["e"].T).reshape(-1, 7))


@architecture(
    {"e": (7, 6), "q": (6, 4), "k": (6, 4), "v": (6, 4), "o": (4, 6), "w": (6, 8), "u": (8, 6),
     "head": (6, 7)},
    {"e": (0,), "q": (), "k": (), "v": (), "o": ()},
    data=(3, 5),
)  # fmt: skip
def normalised_stream(p, x):
    """As in nGPT: what is added to the stream is normalised first, and so is their sum."""
    h = l2_normalised(p["e"][tokens_of(x)], -1)
    q, k, v = (l2_normalised(heads(h @ p[name], 1), -1) for name in "qkv")
    h = l2_normalised(h + l2_normalised(joined(attention(10 * q, k, v)) @ p["o"], -1), -1)
    h = l2_normalised(h + jax.nn.silu(h @ p["w"]) @ p["u"], -1)
    return cross_entropy((h @ p["head"]).reshape(-1, 7))
