"""Weights used together: products, gates, ties, ensembles, experts, concatenations."""

import jax
import jax.numpy as jnp

from tests.symmetry.architectures.parts import (
    architecture,
    batch_norm,
    cross_entropy,
    layer_norm,
    mse,
    rms_norm,
)

LAYER = {"w": (6, 4), "head": (4, 3)}
PAIR = {"w": (6, 4), "v": (6, 4), "head": (4, 3)}
MEMBERS = {"w": (3, 6, 4), "head": (3, 4, 3)}


@architecture({"w": (6, 8), "head": (4, 3)}, {"w": ()})
def maxout(p, x):
    y = (x @ p["w"]).reshape(-1, 4, 2).max(-1)
    return cross_entropy(layer_norm(y) @ p["head"])


@architecture({"w": (6, 8), "u": (6, 8), "d": (8, 6), "head": (6, 3)}, {})
def gated_linear_unit(p, x):
    return cross_entropy(((x @ p["u"]) * jax.nn.silu(x @ p["w"])) @ p["d"] @ p["head"])


@architecture({"w": (6, 16), "d": (8, 6), "head": (6, 3)}, {"d": ()})
def fused_swiglu(p, x):
    gate, up = jnp.split(x @ p["w"], 2, axis=-1)
    return cross_entropy(rms_norm((jax.nn.silu(gate) * up) @ p["d"]) @ p["head"])


@architecture(PAIR, {"w": (), "v": ()})
def product_of_branches(p, x):
    return cross_entropy(rms_norm((x @ p["w"]) * (x @ p["v"])) @ p["head"])


@architecture(PAIR, {"w": (1,), "v": (1,)})
def product_before_batch_norm(p, x):
    return cross_entropy(jnp.tanh(batch_norm((x @ p["w"]) * (x @ p["v"]))) @ p["head"])


@architecture(PAIR, {})
def sum_of_branches(p, x):
    return cross_entropy(jnp.tanh(layer_norm(x @ p["w"] + jnp.abs(x @ p["v"]))) @ p["head"])


@architecture({"w": (6, 4), "v": (6, 4), "head": (8, 3)}, {"w": ()})
def concatenated_branches(p, x):
    y = jnp.concatenate([rms_norm(x @ p["w"]), jax.nn.relu(x @ p["v"])], -1)
    return cross_entropy(y @ p["head"])


@architecture({"w": (6, 4), "v": (6, 4), "head": (8, 3)}, {"w": (1,), "v": (1,)})
def batch_norm_of_a_concatenation(p, x):
    y = jnp.concatenate([x @ p["w"], jax.nn.relu(x @ p["v"])], -1)
    return cross_entropy(jnp.tanh(batch_norm(y)) @ p["head"])


@architecture({"w": (6, 4), "v": (6, 5), "head": (9, 3)}, {})
def layer_norm_of_a_concatenation(p, x):
    y = jnp.concatenate([x @ p["w"], jax.nn.relu(x @ p["v"])], -1)
    return cross_entropy(jnp.tanh(layer_norm(y)) @ p["head"])


@architecture({"w": (6, 4), "v": (6, 4), "u": (8, 5), "head": (9, 3)}, {"v": (), "u": ()})
def skip_by_concatenation(p, x):
    """A dense U: what is coded first comes back beside what went the long way."""
    skip = jax.nn.relu(x @ p["w"])
    deep = rms_norm(x @ p["v"])
    y = layer_norm(jnp.concatenate([deep, l1_normalised(skip)], -1) @ p["u"])
    return cross_entropy(jnp.concatenate([y, skip], -1) @ p["head"])


def l1_normalised(y):
    return y / (jnp.sum(jnp.abs(y), -1, keepdims=True) + 1e-30)


@architecture({"w": (6, 4), "head": (6, 3)}, {"w": ()})
def tied_with_its_transpose(p, x):
    h = jax.nn.relu(x @ p["w"])
    return cross_entropy(rms_norm(h @ p["w"].T) @ p["head"])


@architecture({"w": (6, 4)}, {})
def tied_autoencoder(p, x):
    return mse(jnp.tanh(x @ p["w"]) @ p["w"].T - x)


@architecture(MEMBERS, {"w": (0, 2)})
def batch_norm_ensemble(p, x):
    def member(w, head):
        return cross_entropy(jax.nn.relu(batch_norm(x @ w)) @ head)

    return jax.vmap(member)(p["w"], p["head"]).mean()


@architecture(MEMBERS | {"b": (3, 4)}, {"w": (0, 2)}, dead=("b",))
def batch_norm_ensemble_with_biases(p, x):
    y = jnp.einsum("ni,eio->eno", x, p["w"]) + p["b"][:, None]
    y = (y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)
    return cross_entropy(jnp.einsum("eno,eok->nk", jax.nn.relu(y), p["head"]))


@architecture(MEMBERS, {"w": (0,)})
def layer_norm_ensemble(p, x):
    def member(p):
        return jnp.tanh(layer_norm(x @ p["w"])) @ p["head"]

    return cross_entropy(jax.vmap(member)(p).mean(0))


@architecture({"r": (6, 3), "w": (3, 6, 4), "head": (4, 3)}, {"w": (0,)})
def routed_experts(p, x):
    """Each row goes to the expert of its largest logit, times the probability of that."""
    gates = jax.nn.softmax(x @ p["r"])
    y = jnp.einsum("bi,bio->bo", x, p["w"][gates.argmax(-1)])
    return cross_entropy(jax.nn.relu(rms_norm(y)) * gates.max(-1, keepdims=True) @ p["head"])


@architecture({"r": (6, 3), "w": (3, 6, 4), "v": (3, 4, 3)}, {})
def soft_experts(p, x):
    hidden = jax.nn.relu(jnp.einsum("bi,eio->ebo", x, p["w"]))
    outputs = jnp.einsum("ebo,eok->ebk", hidden, p["v"])
    return cross_entropy(jnp.einsum("be,ebk->bk", jax.nn.softmax(x @ p["r"]), outputs))


@architecture({"a": (6, 2), "b": (2, 4), "head": (4, 3)}, {"a": (), "b": (1,)})
def low_rank_before_batch_norm(p, x):
    return cross_entropy(jnp.tanh(batch_norm(x @ (p["a"] @ p["b"]))) @ p["head"])


@architecture({"w": (6, 4), "d": (3, 6), "head": (4, 3)}, {})
def generated_weights(p, x):
    """A hypernetwork: the weights of a layer are another's output."""
    w = jnp.einsum("io,ci->cio", p["w"], jax.nn.relu(p["d"])).mean(0)
    return cross_entropy(jax.nn.relu(x @ w) @ p["head"])
