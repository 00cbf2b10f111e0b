import jax
import numpy as np
import optax
import pytest

from tests.auditing import optimisers as local
from wdjax import groups, transforms
from wdjax.auditing import probe

RNG = np.random.default_rng(0)
PARAMS = {
    "kernel": RNG.normal(size=(3, 4)),
    "conv": RNG.normal(size=(2, 2, 3)),
    "bias": np.zeros(4),
}
KERNELS = {"kernel": True, "conv": True, "bias": False}


@pytest.mark.parametrize("inner", [optax.sgd(0.1, 0.9), optax.adam(1e-4), optax.adamw(1e-3)])
def test_one_norm_per_leaf(inner):
    tx = optax.chain(inner, transforms.retract(groups.per_leaf(KERNELS)))
    found = probe(tx, PARAMS, steps=5)
    assert found["kernel"].kind == found["conv"].kind == "sphere"
    assert found["kernel"].sphere == ("kernel",)
    assert found["kernel"].axes == ()
    assert found["bias"].kind in ("none", "rate")


@pytest.mark.parametrize("axes", [-1, 0, (0, 1)])
def test_one_norm_per_index_of_axes(axes):
    grouping = groups.per_axis(axes, {"kernel": False, "conv": True, "bias": False})
    found = probe(transforms.spherical_sgd(0.1, 0.9, groups=grouping), PARAMS, steps=5)
    expected = {-1: (2,), 0: (0,), (0, 1): (0, 1)}[axes]
    assert (found["conv"].kind, found["conv"].axes) == ("sphere", expected)
    assert found["kernel"].kind == "none"


def test_joint_norms_of_disjoint_sets():
    params = {name: RNG.normal(size=(3, 2)) for name in "abcdef"}
    pairs = groups.union(
        groups.joint("one", {n: n in "ab" for n in params}),
        groups.joint("two", {n: n in "cde" for n in params}),
    )
    found = probe(optax.chain(optax.adam(1e-2), transforms.retract(pairs)), params, steps=5)
    assert {n: leaf.sphere for n, leaf in found.leaves.items()} == {
        **dict.fromkeys("ab", ("a", "b")),
        **dict.fromkeys("cde", ("c", "d", "e")),
        "f": (),
    }
    assert found["f"].kind == "none"
    assert "the joint norm of a, b is kept" in str(found)


@pytest.mark.parametrize("rate", [1e-9, 1e-5, 1e-4])
def test_a_norm_that_shrinks_is_not_kept(rate):
    decay = transforms.decoupled_decay(rate)
    for keep in (local.keep_norm(), transforms.exponential_map(groups.per_leaf(KERNELS))):
        found = probe(optax.chain(optax.adam(0.05), keep, decay), PARAMS, steps=5)
        assert "sphere" not in found.kinds.values()
    joint = transforms.retract(groups.joint("both", KERNELS))
    found = probe(optax.chain(optax.adam(0.05), joint, decay), PARAMS, steps=5)
    assert "sphere" not in found.kinds.values()


def test_the_norm_of_weights_now():
    found = probe(optax.chain(optax.adam(0.05), local.keep_norm()), PARAMS, steps=5)
    assert found["kernel"].kind == found["conv"].kind == "sphere"


def test_copies_in_float32_on_a_sphere():
    low = {"w": jax.numpy.asarray(PARAMS["kernel"], jax.numpy.bfloat16)}
    tx = transforms.master_weights(optax.chain(optax.adam(0.05), transforms.retract()))
    assert probe(tx, low, steps=5)["w"].kind == "sphere"


def test_a_sphere_whose_radius_is_in_its_state():
    tx = transforms.twins.spherical_twin(transforms.sgdw(0.1, 0.01, 0.9))
    assert probe(tx, {"w": PARAMS["kernel"]}, steps=50)["w"].kind == "sphere"


def test_a_sphere_written_by_others():
    found = probe(local.hyperball(0.01), {"w": PARAMS["kernel"]}, steps=5)
    assert found["w"].kind == "sphere"


def test_a_tangent_step_is_not_yet_a_sphere():
    projected = transforms.project_tangent(groups.per_leaf(KERNELS))
    for learning_rate in (1e-5, 1e-3, 0.1):
        found = probe(optax.chain(projected, optax.sgd(learning_rate)), PARAMS, steps=5)
        assert found.kinds == dict.fromkeys(PARAMS, "none")


def test_a_leaf_without_learning_rate_is_frozen_and_on_no_sphere():
    tx = optax.partition(
        {"on": transforms.spherical_sgd(0.1), "off": optax.set_to_zero()},
        {"kernel": "on", "conv": "off", "bias": "off"},
    )
    assert probe(tx, PARAMS, steps=5).kinds == {
        "kernel": "sphere",
        "conv": "frozen",
        "bias": "frozen",
    }


def test_a_sphere_after_a_warm_up_from_zero():
    def schedule(step):
        return jax.numpy.minimum(step, 5) * 0.01

    tx = transforms.spherical_sgd(schedule, groups=groups.per_leaf(KERNELS))
    assert probe(tx, PARAMS, steps=[0, 10])["kernel"].kind == "sphere"
