"""Random small networks, by seed: layers, normalisations, activations, residual streams."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.symmetry.architectures import (
    batch_norm,
    cross_entropy,
    group_norm,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
)

ACTIVATIONS = (jax.nn.relu, jax.nn.gelu, jnp.tanh, jax.nn.leaky_relu, lambda y: y, jnp.abs)
NORMS = (
    batch_norm, layer_norm, rms_norm, lambda y: group_norm(y, 2), lambda y: y, lambda y: y,
    lambda y: l2_normalised(y, -1),
)  # fmt: skip
LOSSES = (cross_entropy, mse)
WIDTHS = (8, 16)
ROWS, INPUTS = 12, 6


def random_network(seed):
    """Returns (loss, params, args): up to four layers, each drawn by itself."""
    rng = np.random.default_rng(seed)
    params, layers, width = {}, [], INPUTS
    for number in range(rng.integers(1, 5)):
        new = int(rng.choice(WIDTHS))
        names = [f"{name}{number}" for name in ("w", "b", "g")]
        params[names[0]] = jnp.asarray(rng.normal(size=(width, new)))
        bias, gain = rng.random() < 0.4, rng.random() < 0.4
        if bias:
            params[names[1]] = jnp.asarray(rng.normal(size=new))
        if gain:
            params[names[2]] = jnp.asarray(rng.normal(size=new))
        choice = tuple(int(rng.integers(n)) for n in (len(NORMS), len(ACTIVATIONS)))
        layers.append((names, bias, gain, choice, width == new and rng.random() < 0.5))
        width = new
    params["head"] = jnp.asarray(rng.normal(size=(width, 3)))
    last = LOSSES[int(rng.integers(len(LOSSES)))]

    def loss(params, x):
        h = x
        for (w, b, g), bias, gain, (norm, activation), residual in layers:
            y = h @ params[w]
            y = y + params[b] if bias else y
            y = NORMS[norm](y)
            y = y * params[g] if gain else y
            y = ACTIVATIONS[activation](y)
            h = h + y if residual else y
        return last(h @ params["head"])

    return loss, params, (jnp.asarray(rng.normal(size=(ROWS, INPUTS))),)
