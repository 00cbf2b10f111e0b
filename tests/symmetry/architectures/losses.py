"""Losses that are more than a cross entropy at the end: penalties, pairs, several heads."""

import jax
import jax.numpy as jnp
import optax

from tests.symmetry.architectures.parts import (
    EPS,
    architecture,
    batch_norm,
    cross_entropy,
    l2_normalised,
    layer_norm,
    mse,
)

LAYER = {"w": (6, 4), "head": (4, 3)}


@architecture({"w": (6, 4), "v": (6, 4)}, {"w": (), "v": ()})
def contrastive(p, x):
    def clamped(y):
        return y / jnp.maximum(jnp.linalg.norm(y, axis=-1, keepdims=True), EPS)

    a, b = (clamped(x @ p[n]) for n in "wv")
    logits = a @ b.T / 0.1
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(len(x))))


@architecture(LAYER, {"w": (), "head": (1,)})
def cosine_classifier(p, x):
    features = l2_normalised(x @ p["w"], -1)
    return cross_entropy(10 * features @ l2_normalised(p["head"], 0))


@architecture(LAYER | {"unused": (3,)}, {"w": (1,)}, unused=("unused",))
def unused_leaf(p, x):
    return cross_entropy(jax.nn.relu(batch_norm(x @ p["w"])) @ p["head"])


@architecture(LAYER, {"w": (1,)})
def auxiliary_output(p, x):
    y = x @ p["w"]
    return cross_entropy(jax.nn.relu(batch_norm(y)) @ p["head"]), jnp.sum(y**2)


@architecture(LAYER, {})
def penalised(p, x):
    return cross_entropy(layer_norm(x @ p["w"]) @ p["head"]) + 0.1 * jnp.sum(p["w"] ** 2)


@architecture(LAYER, {})
def penalty_on_product_of_norms(p, x):
    """What each neuron may do against its successors, only whole layers may here."""
    penalty = jnp.sum(p["w"] ** 2) * jnp.sum(p["head"] ** 2)
    return cross_entropy(jax.nn.relu(x @ p["w"]) @ p["head"]) + 0.1 * penalty


@architecture(LAYER, {})
def path_norm_penalty(p, x):
    penalty = jnp.sum(p["w"] ** 2 @ p["head"] ** 2)
    return cross_entropy(jax.nn.relu(x @ p["w"]) @ p["head"]) + 0.1 * penalty


@architecture(LAYER | {"other": (4, 2)}, {})
def two_heads(p, x):
    h = jax.nn.relu(x @ p["w"])
    return cross_entropy(h @ p["head"]) + mse(h @ p["other"])


@architecture(LAYER | {"other": (4, 2)}, {"w": (), "other": ()})
def two_heads_behind_a_norm(p, x):
    h = layer_norm(x @ p["w"])
    return cross_entropy(h @ p["head"]) + jnp.abs(l2_normalised(h @ p["other"])).sum()


@architecture({"w": (6, 4), "v": (6, 4)}, {"w": (0, 1), "v": ()})
def signs_and_ratios(p, x):
    """Signs see no scale at all, a quotient of sums not that of both."""
    y = x @ p["v"]
    return mse((x @ jnp.sign(p["w"])).mean()) + jnp.max(y) / jnp.sum(jnp.abs(y))
