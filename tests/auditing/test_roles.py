"""Which weights belong together, and what decay is for them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import symmetry, trees
from wdjax.auditing import probe
from wdjax.auditing.roles import parts, remarks, role


def normalised(y, axis):
    return y / jnp.sqrt(jnp.mean(y**2, axis, keepdims=True))


def loss(params, x):
    y = normalised(x @ params["invariant"], 0)
    y = jax.nn.relu(normalised(y @ params["joint_kernel"] + params["joint_bias"], 1))
    y = jax.nn.relu(y @ params["up"]) @ params["down"] + params["seen"]
    y = y - jnp.mean(y, 0) + (params["dead"] - params["dead"])
    return jnp.mean(jnp.tanh(y))


RNG = np.random.default_rng(0)
SHAPES = {
    "invariant": (4, 6),
    "joint_kernel": (6, 6),
    "joint_bias": (6,),
    "up": (6, 8),
    "down": (8, 3),
    "seen": (3, 3),
    "dead": (3,),
    "unused": (5,),
}
PARAMS = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
X = RNG.normal(size=(3, 4))
FOUND = parts(symmetry.find(loss, PARAMS, X), PARAMS)
BY_LEAF = {leaf: part for part in FOUND for leaf in part.leaves}


@pytest.fixture(scope="module")
def seen():
    return probe(optax.adamw(1e-2, weight_decay=0.1), PARAMS, steps=4)


def changed(seen, **fields):
    """The same probe with something else found of all leaves."""
    leaves = {n: dataclasses.replace(leaf, **fields) for n, leaf in seen.leaves.items()}
    return dataclasses.replace(seen, leaves=leaves)


def roles(seen):
    return {part.leaves[0]: role(part, seen) for part in FOUND}


def words(name, seen, rates=None):
    part = BY_LEAF[name]
    return list(remarks(part, seen, dict.fromkeys(part.leaves, 0.1) | (rates or {})))


def test_leaves_are_sorted_by_what_the_loss_sees():
    assert {part.leaves: part.sort for part in FOUND} == {
        ("dead",): "dead",
        ("down", "up"): "rescaling",
        ("invariant",): "invariant",
        ("joint_bias", "joint_kernel"): "joint",
        ("seen",): "seen",
        ("unused",): "unused",
    }
    assert BY_LEAF["invariant"].axes == (1,)
    assert BY_LEAF["joint_bias"].name == "joint_bias + joint_kernel"
    assert BY_LEAF["up"].name in ("up against down", "down against up")


def test_the_role_of_a_decay(seen):
    assert roles(seen) == {
        "invariant": "learning_rate",
        "joint_bias": "learning_rate",
        "down": "balancer",
        "seen": "regulariser",
        "dead": "nothing",
        "unused": "nothing",
    }
    assert "the loss does not depend on it" in words("dead", seen)
    assert "the loss does not read it" in words("unused", seen)


@pytest.mark.parametrize(
    ("fields", "what", "note"),
    [
        ({"kind": "initial"}, "regulariser", "drawn to its initial values"),
        ({"kind": "average"}, "regulariser", "drawn to its own average"),
        ({"kind": "none"}, "not_decayed", ""),
        ({"kind": "sphere"}, "not_decayed", "steps keep its norm"),
        ({"kind": "frozen"}, "not_decayed", "no gradient moves it"),
        ({"kind": "unknown", "note": "what it saw"}, "unknown", "what it saw"),
        ({"kind": "cautious"}, "learning_rate", "half of the entries"),
        ({"kind": "coupled_l1"}, "learning_rate", "turns the direction"),
        ({"stuck": np.ones(4)}, "nothing", "lost in rounding"),
        ({"stuck": np.ones(4), "doubtful": True}, "learning_rate", ""),
        ({"stuck": np.array([1, 1, 0.5, 1])}, "learning_rate", ""),
    ],
)
def test_other_things_that_an_optimiser_does(seen, fields, what, note):
    other = changed(seen, **fields)
    assert roles(other)["invariant"] == what
    assert note in "; ".join(words("invariant", other))
    assert bool(note) == bool(words("invariant", other))


def test_leaves_that_do_not_decay_alike_say_so(seen):
    (note,) = words("joint_bias", seen, {"joint_bias": 0.0})
    assert "joint_bias without decay" in note
    assert "changes the function; no equilibrium is claimed: what does not decay may grow" in note
    assert "from 0.1 to 0.2 per step" in words("up", seen, {"up": 0.2})[0]
    assert "scale moves" in words("up", seen, {"up": 0.0})[0]
    assert not words("up", seen)


def with_kinds(seen, **kinds):
    leaves = {n: dataclasses.replace(seen[n], kind=kind) for n, kind in kinds.items()}
    return dataclasses.replace(seen, leaves=seen.leaves | leaves)


@pytest.mark.parametrize("name", ["up", "joint_kernel"])
def test_beside_what_is_frozen_decay_regularises(seen, name):
    other = with_kinds(seen, **{name: "frozen"})
    part = BY_LEAF[name]
    assert role(part, other) == "regulariser"
    (note,) = words(name, other, {name: 0.0})
    assert f"{name} does not move, so that the loss sees the scale" in note


def test_one_leaf_that_is_not_understood_makes_its_part_unknown(seen):
    assert role(BY_LEAF["up"], with_kinds(seen, up="unknown")) == "unknown"


def test_a_decay_that_steps_carry_is_not_lost_in_rounding(seen):
    part, other = BY_LEAF["invariant"], changed(seen, stuck=np.ones(4), dtype="bfloat16")
    assert role(part, other) == "nothing"
    assert role(part, other, {"invariant"}) == "learning_rate"
    (note,) = remarks(part, other, {"invariant": 0.1}, {"invariant"})
    assert "in bfloat16 the decay alone would round to nothing: it acts on average" in note


def test_rates_that_no_equilibrium_goes_with(seen):
    assert "overshoots zero" in words("invariant", seen, {"invariant": 1.0})[0]
    assert "diverges" in words("invariant", seen, {"invariant": 2.0})[0]
    coupled = changed(seen, kind="coupled_l2")
    assert "overshoots zero" in words("invariant", coupled, {"invariant": 2.0})[0]
    assert "wrong sign" in words("invariant", seen, {"invariant": -0.1})[0]
    assert not words("invariant", seen, {"invariant": 0.9})


def test_no_leaf_is_lost():
    # A leaf may scale with some leaves and against others.
    def residual(params, x):
        stream = x @ params["embed"]
        stream = stream + jax.nn.relu(normalised(stream, 1) @ params["in"]) @ params["out"]
        return jnp.mean(jnp.tanh(normalised(stream, 1)))

    shapes = {"embed": (4, 6), "in": (6, 5), "out": (5, 6)}
    params = {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    found = parts(symmetry.find(residual, params, X), trees.named_leaves(params))
    assert {leaf for part in found for leaf in part.leaves} == set(shapes)
