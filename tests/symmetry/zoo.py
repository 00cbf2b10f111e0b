"""Small normalised networks with their losses, in float64 with a negligible ε."""

from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax.models import MLP, ResNet

EPSILON = 1e-30
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(8, 8, 8, 1))
LABELS = RNG.integers(0, 10, size=8)


@cache
def network(model: nn.Module, *, train: bool = True):
    """Returns (loss, params) of a model on random images, with batch norm in train or eval mode."""
    variables = model.init(jax.random.key(0), IMAGES, train=True)
    params = variables["params"]
    statistics = {name: values for name, values in variables.items() if name != "params"}
    statistics = jax.tree.map(lambda leaf: leaf + 0.1, statistics)

    def loss(params, images=IMAGES, labels=LABELS):
        logits, _ = model.apply(
            {"params": params, **statistics}, images, train=train, mutable=["batch_stats"]
        )
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    # Gains and biases away from one and zero, where they hide dependences.
    rng = np.random.default_rng(1)
    noisy = jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape), params)
    return loss, noisy


def resnet(norm="batch", epsilon=EPSILON):
    return ResNet(depth=8, norm=norm, epsilon=epsilon, param_dtype=jnp.float64)


def mlp(norm="layer", epsilon=EPSILON, widths=(16, 16)):
    return MLP(widths=widths, norm=norm, epsilon=epsilon, param_dtype=jnp.float64)


def head(params):
    """A mask of the last dense layer's kernel: the only one without a norm behind it."""
    last = max(name for name in params if name.startswith("Dense"))
    return jax.tree_util.tree_map_with_path(
        lambda path, _: path[0].key == last and path[1].key == "kernel", params
    )


def normalised(params):
    """A mask of the kernels with a norm behind them."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: path[1].key == "kernel" and not head(params)[path[0].key]["kernel"], params
    )
