"""Scans over layers and over time, loops, branches, and transformed functions."""

import jax
import jax.numpy as jnp

from tests.symmetry.architectures.parts import (
    architecture,
    batch_norm,
    cross_entropy,
    l2_normalised,
    layer_norm,
    mse,
    rms_norm,
)

LAYER = {"w": (6, 4), "head": (4, 3)}
STACK = {"w": (3, 6, 6), "head": (6, 3)}
TIME = (4, 5, 6)


@architecture(STACK, {"w": (0, 2)})
def scanned_batch_norm_layers(p, x):
    h, _ = jax.lax.scan(lambda h, w: (jnp.tanh(batch_norm(h @ w)), None), x, p["w"])
    return cross_entropy(h @ p["head"])


@architecture(STACK | {"b": (3, 6)}, {"w": (0, 2)}, dead=("b",))
def scanned_batch_norm_layers_with_biases(p, x):
    def layer(h, wb):
        return jnp.tanh(batch_norm(h @ wb[0] + wb[1])), None

    h, _ = jax.lax.scan(layer, x, (p["w"], p["b"]))
    return cross_entropy(h @ p["head"])


@architecture(STACK, {"w": (0,)})
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


@architecture(STACK, {"w": ()})
def carry_from_the_layer_before(p, x):
    def layer(h, w):
        return x @ w, jnp.tanh(h / jnp.linalg.norm(w)).mean()

    h, sums = jax.lax.scan(layer, jnp.zeros((16, 6)), p["w"])
    return cross_entropy(rms_norm(h) @ p["head"]) + sums.sum()


@architecture(STACK, {"w": (0,)})
def growing_scan(p, x):
    """Layers that are homogeneous, and a norm behind the last."""
    h, _ = jax.lax.scan(lambda h, w: (jax.nn.relu(h @ w), None), x, p["w"])
    return cross_entropy(rms_norm(h) @ p["head"])


@architecture(STACK | {"g": (3, 6)}, {"w": (0,), "g": (0,)})
def growing_scan_with_gains(p, x):
    def layer(h, wg):
        return jax.nn.relu(h @ wg[0]) * jnp.abs(wg[1]), None

    h, _ = jax.lax.scan(layer, x, (p["w"], p["g"]))
    return cross_entropy(rms_norm(h) @ p["head"])


@architecture({"w": (2, 2, 6, 6), "head": (6, 3)}, {"w": (0, 1)})
def nested_growing_scans(p, x):
    def outer(h, layers):
        return jax.lax.scan(lambda h, w: (jax.nn.relu(h @ w), None), h, layers)[0], None

    h, _ = jax.lax.scan(outer, x, p["w"])
    return cross_entropy(layer_norm(h) @ p["head"])


@architecture({"w": (6, 6), "head": (6, 3)}, {"w": ()})
def growing_scan_of_one_layer(p, x):
    """The same weights in every iteration, and two parts of the carry that grow together."""

    def layer(carry, _):
        first, second = (jax.nn.relu(h @ p["w"]) for h in carry)
        return (first, first + jnp.abs(second)), None

    (first, second), _ = jax.lax.scan(layer, (x, jnp.flip(x, -1)), None, length=3)
    return cross_entropy((rms_norm(first) + rms_norm(second)) @ p["head"])


@architecture({"w": (3, 6, 4), "v": (3, 4, 6), "head": (6, 3)}, {"w": (0,), "v": (0,)})
def carry_through_layers_with_outputs(p, x):
    def block(h, pair):
        hidden = jax.nn.relu(rms_norm(h) @ pair["w"])
        h = rms_norm(hidden @ pair["v"])
        return h, h.mean(0)

    h, means = jax.lax.scan(block, x, {"w": p["w"], "v": p["v"]})
    return cross_entropy(h @ p["head"]) + mse(means)


@architecture(STACK | {"g": (3, 6)}, {"w": (0,)})
def reverse_scan(p, x):
    def layer(h, wg):
        return jnp.tanh(layer_norm(h @ wg[0]) * wg[1]), h[0]

    h, rows = jax.lax.scan(layer, x, (p["w"], p["g"]), reverse=True)
    return cross_entropy(h @ p["head"]) + mse(rows)


@architecture(STACK, {"w": (0,)})
def loop_that_takes_its_layer_by_index(p, x):
    h = jax.lax.fori_loop(0, 3, lambda i, h: jnp.tanh(rms_norm(h @ p["w"][i])), x)
    return cross_entropy(h @ p["head"])


@architecture(LAYER, {"w": ()})
def for_loop(p, x):
    h = rms_norm(x @ p["w"])
    h = jax.lax.fori_loop(0, 3, lambda i, h: jnp.tanh(h) + h, h)
    return cross_entropy(h @ p["head"])


@architecture(LAYER, {"w": ()})
def while_loop(p, x):
    """Spectral norm by power iteration until it stands, as far as gradients do not look."""
    w = jax.lax.stop_gradient(p["w"])

    def goes_on(state):
        step, u, before = state
        return (step < 50) & (jnp.sum((u - before) ** 2) > 1e-4)

    def iterate(state):
        step, u, _ = state
        return step + 1, l2_normalised(w @ l2_normalised(u @ w)), u

    _, u, _ = jax.lax.while_loop(goes_on, iterate, (0, jnp.ones(6), jnp.zeros(6)))
    w = p["w"] / (u @ p["w"] @ l2_normalised(u @ w))
    return cross_entropy(jax.nn.relu(x @ w) @ p["head"])


@architecture({"w": (6, 12), "u": (4, 12), "b": (12,), "head": (4, 3)}, {}, data=TIME)
def gated_recurrent_unit(p, x):
    def step(h, now):
        reset, update, candidate = jnp.split(now @ p["w"] + p["b"], 3, axis=-1)
        from_reset, from_update, memory = jnp.split(h @ p["u"], 3, axis=-1)
        keep = jax.nn.sigmoid(update + from_update)
        new = jnp.tanh(candidate + jax.nn.sigmoid(reset + from_reset) * memory)
        return keep * h + (1 - keep) * new, None

    h, _ = jax.lax.scan(step, jnp.zeros((4, 4)), x.swapaxes(0, 1))
    return cross_entropy(h @ p["head"])


def lstm(p, x, norm=lambda y: y):
    """The hidden states of a fused LSTM, with a norm of what comes in and of what comes back."""

    def step(carry, now):
        h, c = carry
        gates = norm(now @ p["w"]) + norm(h @ p["u"]) + p["b"]
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.ones((4, 3)), jnp.zeros((4, 3))
    return jax.lax.scan(step, start, x.swapaxes(0, 1))[1]


LSTM = {"w": (6, 12), "u": (3, 12), "b": (12,), "head": (3, 3)}


@architecture(LSTM, {}, data=TIME)
def long_short_term_memory(p, x):
    return cross_entropy((lstm(p, x) @ p["head"]).reshape(-1, 3))


@architecture(LSTM, {"w": (), "u": ()}, data=TIME)
def normalised_long_short_term_memory(p, x):
    return cross_entropy((lstm(p, x, layer_norm) @ p["head"]).reshape(-1, 3))


@architecture({"w": (6, 4), "u": (4, 4), "head": (4, 3)}, {"w": (), "u": ()}, data=TIME)
def normalised_recurrence(p, x):
    def step(h, now):
        return rms_norm(now @ p["w"]) + rms_norm(jnp.tanh(h) @ p["u"]), None

    h, _ = jax.lax.scan(step, jnp.ones((4, 4)), x.swapaxes(0, 1))
    return cross_entropy(h @ p["head"])


@architecture({"w": (6, 4), "a": (4,), "head": (4, 3)}, {}, data=TIME)
def diagonal_state_space(p, x):
    """A linear recurrence: each state may be scaled, but for its decay."""

    def step(h, now):
        return h * jax.nn.sigmoid(p["a"]) + now @ p["w"], None

    h, _ = jax.lax.scan(step, jnp.zeros((4, 4)), x.swapaxes(0, 1))
    return cross_entropy(h @ p["head"])


@jax.custom_vjp
def clipped_gradient(y):
    return jnp.abs(y)


clipped_gradient.defvjp(lambda y: (jnp.abs(y), y), lambda y, g: (jnp.sign(y) * g,))


@architecture(LAYER, {"w": ()})
def custom_gradient(p, x):
    return cross_entropy(rms_norm(clipped_gradient(x @ p["w"])) @ p["head"])


@architecture(LAYER, {"w": ()})
def vmapped_examples(p, x):
    one = jax.jit(lambda row: jnp.tanh(rms_norm(row @ p["w"])) @ p["head"])
    return cross_entropy(jax.vmap(one)(x))


@architecture(LAYER, {"w": (1,)})
def branches(p, x):
    def norm(y):
        return jax.lax.cond(x.sum() > 0, batch_norm, lambda y: 2 * batch_norm(y), y)

    return cross_entropy(jax.nn.relu(norm(x @ p["w"])) @ p["head"])
