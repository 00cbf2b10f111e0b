"""What the architectures are made of: entries of the zoo, normalisations, losses, attention.

The ε of all normalisations is far below rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

EPS = 1e-30
X = (16, 6)


class Architecture(NamedTuple):
    """A loss, and what a person says of its scalings.

    Attributes:
      build: `build(rng)` returns (loss, params, args) with random values in float64.
      invariant: For each leaf whose scale by itself the loss does not see, the finest axes: each
        joint index along them may be scaled alone. Parts of an axis, such as groups of channels,
        are no axis, and axes of size one are left out.
      dead: Leaves that enter the loss and do not matter to it.
      unused: Leaves that the loss does not read.
    """

    build: Callable[[np.random.Generator], tuple[Callable, Any, tuple]]
    invariant: dict[str, tuple[int, ...]]
    dead: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


ZOO: dict[str, Architecture] = {}


def register(name, *entry, **fields):
    """Adds an entry to the zoo."""
    assert name not in ZOO, name
    ZOO[name] = Architecture(*entry, **fields)


def architecture(shapes, invariant, data=X, dead=(), unused=()):
    """Registers `forward(params, x) -> loss` with parameters of these shapes."""

    def add(forward):
        def build(rng):
            return forward, params_of(rng, **shapes), (normal(rng, *data),)

        register(forward.__name__, build, invariant, dead, unused)
        return forward

    return add


def normal(rng, *shape):
    return jnp.asarray(rng.normal(size=shape))


def params_of(rng, **shapes):
    return {name: normal(rng, *shape) for name, shape in shapes.items()}


def normal_like(rng, tree):
    """The tree with normal values in place of its floating-point leaves."""

    def drawn(leaf):
        floating = jnp.issubdtype(leaf.dtype, jnp.floating)
        return rng.normal(size=leaf.shape).astype(leaf.dtype) if floating else leaf

    return jax.tree.map(drawn, tree)


def batch_norm(y):
    axes = tuple(range(y.ndim - 1))
    return (y - y.mean(axes)) / jnp.sqrt(y.var(axes) + EPS)


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


def tokens_of(x, vocabulary=7):
    """Words made of real data."""
    return jnp.abs(x * 10).astype(int) % vocabulary


LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x, kernel, groups=1):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT, feature_group_count=groups
    )
