"""The oracle of dead leaves: other values of one give the same loss, and no gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from wdjax.symmetry.dead.leaves import dead_leaves
from wdjax.trees import named_leaves


def traced(loss, params, *args):
    """The names of the dead leaves, and the numbers that were taken for −∞."""
    jaxpr = jax.make_jaxpr(loss)(params, *args)
    names = list(named_leaves(params))
    dead, assumed = dead_leaves(jaxpr.jaxpr, jaxpr.consts, len(names))
    return {names[i] for i in dead}, [number for number, _ in assumed]


@functools.lru_cache(maxsize=1)  # one loss is asked about each of its leaves
def measured(loss):
    return jax.jit(jax.value_and_grad(loss), compiler_options={"xla_backend_optimization_level": 0})


def agree(loss, params, args, names, tolerance=1e-12):
    """Says whether the loss and its gradient do not depend on some leaves."""
    value, gradient = measured(loss)(params, *args)
    if not np.isfinite(value):
        return None
    leaves, tree = jax.tree.flatten(params)
    order = list(named_leaves(params))
    rng = np.random.default_rng(0)
    other = [
        leaf + 2 * rng.normal(size=leaf.shape) if name in names else leaf
        for name, leaf in zip(order, leaves, strict=True)
    ]
    changed, _ = measured(loss)(jax.tree.unflatten(tree, other), *args)
    slopes = [np.abs(leaf).max() for n, leaf in named_leaves(gradient).items() if n in names]
    size = 1 + max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient))
    return abs(changed - value) <= tolerance * (1 + abs(value)) and all(
        slope <= 10 * tolerance * size for slope in slopes
    )


def assert_dead(loss, params, *args, dead):
    assert traced(loss, params, *args)[0] == set(dead)
    assert agree(loss, params, args, dead) is not False
    for name in set(named_leaves(params)) - set(dead):
        assert not agree(loss, params, args, {name}, 1e-9), f"{name} is dead as well"


def normal(*shape, seed=0):
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def readout(y):
    """Sees everything in y: its entries, and in which place they are."""
    return jnp.sum(jnp.tanh(y + 0.1) * normal(*y.shape, seed=9))


def standardised(y, axis=0):
    centred = y - y.mean(axis, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis, keepdims=True) + 1e-3)


def fast(y, axis=0, count=None, other=None):
    """Normalised by E(y²) − E(y)²; the count and the axis of the second mean may be wrong."""
    other = axis if other is None else other
    count = count or y.shape[other]
    mean = y.sum(other, keepdims=True) / count
    var = jnp.maximum(0, jnp.mean(jnp.square(y), axis, keepdims=True) - jnp.square(mean))
    return (y - y.mean(axis, keepdims=True)) / jnp.sqrt(var + 1e-3)
