"""Random small networks over sequences: each layer of a kind, with a norm, biases, and the like.

A network is made of choices. `random_network` draws them by a seed; `networks` is a strategy that
lets Hypothesis draw them, and make them simpler where a property fails.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from tests.symmetry.architectures import (
    batch_norm,
    cross_entropy,
    group_norm,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
)
from tests.symmetry.architectures.parts import params_of

BATCH, TIME, INPUTS = 4, 3, 6
WIDTHS = (8, 12)
# The first of each is the simplest: Hypothesis shrinks towards it.
ACTIVATIONS = {
    "linear": lambda y: y, "relu": jax.nn.relu, "tanh": jnp.tanh, "gelu": jax.nn.gelu,
    "leaky_relu": jax.nn.leaky_relu, "abs": jnp.abs,
}  # fmt: skip
NORMS = {
    "none": lambda y: y, "batch": batch_norm, "layer": layer_norm, "rms": rms_norm,
    "group": lambda y: group_norm(y, 2), "l2": lambda y: l2_normalised(y, -1),
}  # fmt: skip
LOSSES = {"mse": mse, "cross_entropy": cross_entropy}

Choose = Callable[[Sequence[Any]], Any]


class Layer(NamedTuple):
    """One layer.

    Attributes:
      shapes: Shapes of its parameters.
      forward: `forward(params, h)`, of (batch, time, width) to as much of another width.
      width: The width that comes out.
      made_of: What was chosen, in words.
    """

    shapes: dict[str, tuple[int, ...]]
    forward: Callable[[dict[str, jax.Array], jax.Array], jax.Array]
    width: int
    made_of: tuple[str, ...]


class RandomNetwork(NamedTuple):
    """A loss, its parameters and its arguments, and of what kinds its layers are."""

    loss: Callable
    params: dict[str, jax.Array]
    args: tuple
    made_of: tuple[str, ...]

    def __repr__(self):
        return f"RandomNetwork({'; '.join(self.made_of)})"


def product(h, w):
    """A product that keeps the size of what it is given, lest a softmax behind it saturate."""
    return h @ w / np.sqrt(w.shape[-2])


def switch(choose: Choose, *names: str) -> set[str]:
    """Some of these names."""
    return {name for name in names if choose((False, True))}


def dense(choose: Choose, width: int) -> Layer:
    """A matrix, perhaps with a bias, a norm, a gain, an activation, a residual connection."""
    new = choose(WIDTHS)
    norm, activation = choose(tuple(NORMS)), choose(tuple(ACTIVATIONS))
    extras = switch(choose, "bias", "gain", "residual")

    def forward(p, h):
        y = product(h, p["w"])
        y = NORMS[norm](y + p["b"] if "bias" in extras else y)
        y = ACTIVATIONS[activation](y * p["g"] if "gain" in extras else y)
        return h + y if "residual" in extras and width == new else y

    shapes: dict[str, tuple[int, ...]] = {"w": (width, new)}
    shapes |= {"b": (new,)} if "bias" in extras else {}
    shapes |= {"g": (new,)} if "gain" in extras else {}
    return Layer(shapes, forward, new, ("dense", norm, activation, *sorted(extras)))


def heads(choose: Choose, width: int) -> Layer:
    """Features in two heads with a norm each; the kernel has an axis for them, or has not."""
    new = choose(WIDTHS)
    norm, activation = choose(("rms", "layer", "l2", "batch")), choose(tuple(ACTIVATIONS))
    split = choose((False, True))

    def forward(p, h):
        y = product(h, p["w"].reshape(width, new)).reshape(*h.shape[:-1], 2, new // 2)
        return ACTIVATIONS[activation](NORMS[norm](y)).reshape(*h.shape[:-1], new)

    shape = (width, 2, new // 2) if split else (width, new)
    return Layer({"w": shape}, forward, new, ("heads", norm, activation))


def concatenation(choose: Choose, width: int) -> Layer:
    """New features beside those that are there."""
    norm, activation = choose(tuple(NORMS)), choose(tuple(ACTIVATIONS))

    def forward(p, h):
        return jnp.concatenate([h, ACTIVATIONS[activation](NORMS[norm](product(h, p["w"])))], -1)

    return Layer({"w": (width, 6)}, forward, width + 6, ("concatenation", norm, activation))


def gate(choose: Choose, width: int) -> Layer:
    """Two halves of one product, one of them the gate of the other."""
    new = choose(WIDTHS)
    norm, activation = choose(tuple(NORMS)), choose(tuple(ACTIVATIONS))

    def forward(p, h):
        a, b = jnp.split(product(h, p["w"]), 2, axis=-1)
        return NORMS[norm](a) * ACTIVATIONS[activation](b)

    return Layer({"w": (width, 2 * new)}, forward, new, ("gate", norm, activation))


def scan(choose: Choose, width: int) -> Layer:
    """Three layers of one kind, stacked and scanned."""
    norm, activation = choose(tuple(NORMS)), choose(tuple(ACTIVATIONS))
    extras = switch(choose, "bias", "residual")

    def forward(p, h):
        def layer(h, p):
            y = product(h, p["w"])
            y = ACTIVATIONS[activation](NORMS[norm](y + p["b"] if "bias" in extras else y))
            return (h + y if "residual" in extras else y), None

        return jax.lax.scan(layer, h, p)[0]

    shapes: dict[str, tuple[int, ...]] = {"w": (3, width, width)}
    shapes |= {"b": (3, width)} if "bias" in extras else {}
    return Layer(shapes, forward, width, ("scan", norm, activation, *sorted(extras)))


def attention(choose: Choose, width: int) -> Layer:
    """Two heads of causal attention with a residual connection; perhaps fused, biased, normed."""
    norm = choose(("none", "rms", "layer"))
    extras = switch(choose, "fused", "bias", "residual")
    size = 2 * 4

    def projections(p, h):
        if "fused" in extras:
            return jnp.split(product(h, p["qkv"]), 3, axis=-1)
        biased = "bias" in extras
        return [product(h, p[name]) + (p[f"b{name}"] if biased else 0.0) for name in "qkv"]

    def forward(p, h):
        q, k, v = (y.reshape(BATCH, TIME, 2, -1) for y in projections(p, h))
        scores = jnp.einsum("bqhd,bkhd->bhqk", NORMS[norm](q), NORMS[norm](k)) / 4
        scores = jnp.where(jnp.tril(jnp.ones((TIME, TIME), bool)), scores, -jnp.inf)
        y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
        y = product(y.reshape(BATCH, TIME, size), p["o"])
        return h + y if "residual" in extras else y

    shapes: dict[str, tuple[int, ...]] = {"o": (size, width)}
    if "fused" in extras:
        shapes |= {"qkv": (width, 3 * size)}
    else:
        shapes |= dict.fromkeys("qkv", (width, size))
        shapes |= {f"b{name}": (size,) for name in "qkv"} if "bias" in extras else {}
    return Layer(shapes, forward, width, ("attention", norm, *sorted(extras)))


def ensemble(choose: Choose, width: int) -> Layer:
    """Two members over the same features, side by side or averaged."""
    new = choose(WIDTHS)
    norm, activation = choose(tuple(NORMS)), choose(tuple(ACTIVATIONS))
    averaged = choose((False, True))

    def forward(p, h):
        def member(w):
            return ACTIVATIONS[activation](NORMS[norm](product(h, w)))

        y = jax.vmap(member)(p["w"])
        return y.mean(0) if averaged else jnp.moveaxis(y, 0, -2).reshape(BATCH, TIME, 2 * new)

    out = new if averaged else 2 * new
    return Layer({"w": (2, width, new)}, forward, out, ("ensemble", norm, activation))


KINDS = {
    kind.__name__: kind for kind in (dense, heads, concatenation, gate, scan, attention, ensemble)
}
FOLLOWED = frozenset(KINDS)
"""The kinds of which the prover misses no uniform scaling."""


def network(choose: Choose, rng: np.random.Generator) -> RandomNetwork:
    """Up to three layers and a head, by these choices."""
    layers: list[Layer] = []
    for _ in range(choose((1, 2, 3))):
        kind = KINDS[choose(tuple(KINDS))]
        layers.append(kind(choose, layers[-1].width if layers else INPUTS))
    last = choose(tuple(LOSSES))

    def loss(params, x):
        h = x
        for number, layer in enumerate(layers):
            h = layer.forward({name: params[f"{name}{number}"] for name in layer.shapes}, h)
        return LOSSES[last](product(h, params["head"]).reshape(BATCH * TIME, -1))

    shapes = {
        f"{name}{number}": shape
        for number, layer in enumerate(layers)
        for name, shape in layer.shapes.items()
    }
    params = params_of(rng, **shapes, head=(layers[-1].width, 3))
    x = jnp.asarray(rng.normal(size=(BATCH, TIME, INPUTS)))
    return RandomNetwork(loss, params, (x,), tuple(" ".join(one.made_of) for one in layers))


def random_network(seed: int) -> tuple[Callable, dict[str, jax.Array], tuple]:
    """Returns (loss, params, args), each choice drawn by itself."""
    rng = np.random.default_rng(seed)
    return network(lambda options: options[int(rng.integers(len(options)))], rng)[:3]


@st.composite
def networks(draw) -> RandomNetwork:
    """A strategy of random networks."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return network(lambda options: draw(st.sampled_from(options)), rng)
