"""Decays that Optax does not have, written out for the tests of the probe."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class Count(NamedTuple):
    count: jax.Array


class Point(NamedTuple):
    point: object


def stateless(rule):
    """A transformation that maps (u, w) leaf by leaf."""
    return optax.stateless(lambda updates, params: jax.tree.map(rule, updates, params))


def cautious(rate, toward=True, strict=False):
    """Decay of the entries that the update brings nearer to zero (or, reversed, farther)."""

    def rule(u, w):
        product = u * w if toward else -u * w
        return u - rate * w * (product < 0 if strict else product <= 0)

    return stateless(rule)


def cautious_by_gradient(rate, inner):
    """Decay of the entries that the gradient's descent, and not the update, makes smaller."""

    def update(g, state, params):
        updates, state = inner.update(g, state, params)
        decayed = jax.tree.map(lambda u, g, w: u - rate * w * (g * w >= 0), updates, g, params)
        return decayed, state

    return optax.GradientTransformation(inner.init, update)


def coupled_l1(strength):
    return stateless(lambda g, w: g + strength * jnp.sign(w))


def amount(c):
    return stateless(lambda u, w: u - c * jnp.sign(w))


def while_small(rate):
    """Decay that fades beside a step: u − ρ w / (1 + u²/w²)."""
    return stateless(lambda u, w: u - rate * w / (1 + u**2 / (w**2 + 1e-30)))


def other_rates(rate):
    """Decay only where the update goes with the weight, at a rate that depends on its size."""
    return stateless(lambda u, w: u - rate * w * (1 + w**2) * (u * w > 0))


def to_initial(rate):
    def update(updates, state, params):
        pull = jax.tree.map(lambda u, w, a: u - rate * (w - a), updates, params, state.point)
        return pull, state

    return optax.GradientTransformation(Point, update)


def to_average(rate, decay):
    """Draws to the average before this step, which then takes the weights in."""

    def update(updates, state, params):
        pull = jax.tree.map(lambda u, w, a: u - rate * (w - a), updates, params, state.point)
        return pull, Point(
            jax.tree.map(lambda w, a: decay * a + (1 - decay) * w, params, state.point)
        )

    return optax.GradientTransformation(Point, update)


def to_slow_weights(rate):
    """Draws to a point that follows the updates, as in averages of iterates."""

    def update(updates, state, params):
        pull = jax.tree.map(lambda u, w, a: u - rate * (w - a), updates, params, state.point)
        return pull, Point(jax.tree.map(jnp.add, state.point, updates))

    return optax.GradientTransformation(Point, update)


def hyperball(learning_rate):
    """A step of fixed length, and back to the norm at init."""

    def init(params):
        return Point(jax.tree.map(jnp.linalg.norm, params))

    def update(g, state, params):
        def rule(g, w, radius):
            step = w - learning_rate * radius * g / (jnp.linalg.norm(g) + 1e-30)
            return radius * step / jnp.linalg.norm(step) - w

        return jax.tree.map(rule, g, params, state.point), state

    return optax.GradientTransformation(init, update)


def keep_norm():
    """The step so far, and back to the norm that the weights had before it."""

    def rule(u, w):
        size = jnp.linalg.norm(w)
        return (w + u) * size / (jnp.linalg.norm(w + u) + 1e-300) - w

    return stateless(rule)


def cubic():
    """A decay that is no fraction: u ← u − 0.01 w³."""
    return stateless(lambda u, w: u - 0.01 * w**3)


def normalised():
    """g / ‖g‖ without a guard: NaN at zero gradient."""
    return stateless(lambda g, w: g / jnp.linalg.norm(g))


def alternating(rate, strength):
    """Decoupled decay in even steps, a decay of another kind in odd ones."""

    def update(updates, state, params):
        even = state.count % 2 == 0
        decayed = jax.tree.map(
            lambda u, w: u - jnp.where(even, rate * w, strength * jnp.sign(w)), updates, params
        )
        return decayed, Count(state.count + 1)

    return optax.GradientTransformation(lambda params: Count(jnp.zeros((), int)), update)
