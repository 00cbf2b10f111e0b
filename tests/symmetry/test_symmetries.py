import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import wdjax
from tests.symmetry.architectures import ZOO, batch_norm, cross_entropy
from wdjax.symmetry import find


@pytest.fixture
def network():
    return ZOO["affine_between_batch_norms"][0](np.random.default_rng(0))


def test_masks_axes_and_labels_have_the_parameters_structure(network):
    loss, params, args = network
    found = find(loss, params, *args)
    assert found.mask(params) == {"w": True, "g": False, "b": False, "v": True, "head": False}
    assert found.axes(params)["w"] == (1,)
    assert found.axes(params)["head"] is None
    assert found.labels(params)["g"] == "rest"
    assert found.labels(params)["v"] == "invariant"


def test_it_is_given_as_groups_and_as_mask(network):
    loss, params, args = network
    found = find(loss, params, *args)
    tx = wdjax.tracked(wdjax.transforms.sgd_l2(0.1, 0.01, mask=found.mask), found)
    _, state = tx.update(jax.grad(loss)(params, *args), tx.init(params), params)
    measures = wdjax.metrics(state)
    assert set(measures) == {"w", "v", "b + g"}
    assert measures["w"].cosine.shape == (4,)
    for group in measures.values():
        assert np.abs(group.cosine).max() < 1e-10
    assert wdjax.symmetry.assert_gradient_orthogonal(loss, params, *args, groups=found) is None


def test_its_labels_partition_the_optimisers(network):
    loss, params, args = network
    found = find(loss, params, *args)
    tx = optax.partition(
        {"invariant": wdjax.transforms.spherical_sgd(0.1), "rest": optax.sgd(0.1)}, found.labels
    )
    updates, _ = tx.update(jax.grad(loss)(params, *args), tx.init(params), params)
    after = optax.apply_updates(params, updates)
    assert jnp.linalg.norm(after["w"]) == pytest.approx(float(jnp.linalg.norm(params["w"])))


def test_it_reads_as_a_table_and_as_json(network):
    loss, params, args = network
    found = find(loss, params, *args)
    text = str(found)
    assert "w     invariant, each index of axes (1,) by itself" in text
    assert "together: b: 1, g: 1" in text
    assert "not invariant: values that scale differently are added" in text
    assert "norms.py" in text
    assert "assumed: 1e-30 is zero" in text
    assert json.loads(json.dumps(found.to_dict()))["dimension"] == found.dimension
    assert "<table" in found._repr_html_()


def test_shapes_are_enough(network):
    loss, params, args = network
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (params, args))
    assert find(loss, shapes[0], *shapes[1]).to_dict() == find(loss, params, *args).to_dict()


def test_exact_takes_no_epsilon(network):
    loss, params, args = network
    exact = find(loss, params, *args, exact=True)
    assert not exact.invariant
    assert not exact.assumptions


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_the_epsilon_of_keras_is_small_in_every_precision(dtype):
    def loss(w):
        return w[0] / jnp.sqrt(jnp.sum(w**2) + jnp.asarray(1e-3, dtype))

    assert find(loss, jax.ShapeDtypeStruct((3,), dtype)).invariant == {"": ()}


def test_unused_and_fixed_leaves_are_named():
    def loss(params, x):
        return cross_entropy(batch_norm(x @ params["w"]) * params["n"])

    params = {"w": jnp.ones((6, 4)), "n": jnp.array(2), "idle": jnp.ones(3)}
    found = find(loss, params, jnp.ones((5, 6)))
    assert found.unused == ("idle",)
    assert found.invariant == {"w": (1,)}
    assert "n     held fixed" in str(found)
    assert "idle  not used by the loss" in str(found)


def test_dead_leaves_are_named():
    loss, params, args = ZOO["bias_before_batch_norm"].build(np.random.default_rng(0))
    found = find(loss, params, *args)
    assert found.dead == ("b",)
    assert "b     dead: what it adds is taken away again" in str(found)
    assert found.to_dict()["dead"] == ["b"]
    assert found.mask(params) == {"w": True, "b": False, "head": False}


def test_a_mask_that_a_dead_leaf_rests_on_is_assumed():
    def loss(params, x):
        scores = x @ params["k"] + params["b"]
        masked = jnp.where(jnp.tril(jnp.ones((4, 4), bool)), scores, -1e30)
        return jnp.mean(jax.nn.softmax(masked) ** 2)

    params = {"k": jnp.ones((3, 4)), "b": jnp.ones((4, 1))}
    found = find(loss, params, jnp.ones((4, 3)))
    assert found.dead == ("b",)
    assert "assumed: -1e+30 is infinite at" in str(found)
    assert not find(loss, params, jnp.ones((4, 3)), exact=True).dead


def test_factors_along_axes_are_told_in_words():
    heads = find(*unpacked("grouped_query_attention")).along_axes
    assert heads[0].exponents == {"k": 1, "q": -1}
    assert heads[0].along == {"k": "axis 1", "q": "axis 1 as [2]×2×[2]"}
    assert heads[0].count == 3
    fused = find(*unpacked("fused_heads_by_split"))
    assert "qkv (part 2 of axis 1 as [3]×2×2): -1 (axis 1)" in str(fused)
    groups = find(*unpacked("group_norm_mlp"))
    assert groups.invariant == {"w": ()}
    assert "by itself, with factors of their own: w: 1 (axis 1 as [2]×4)" in str(groups)


def test_a_constant_in_place_of_a_zero_is_assumed_not_to_be_used():
    def loss(params):
        norm = jnp.linalg.norm(params["w"])
        return jnp.tanh(params["w"][0] / jnp.where(norm == 0, 1.0, norm))

    found = find(loss, {"w": jnp.ones(2)})
    assert found.invariant == {"w": ()}
    assert "1 is never used, in place of a zero, at" in str(found)
    assert not find(loss, {"w": jnp.ones(2)}, exact=True).invariant


def test_a_stopped_gradient_is_no_symmetry_of_the_gradient():
    def loss(params, stop):
        norm = jnp.linalg.norm(params["w"])
        return jnp.tanh(params["w"][0] / (jax.lax.stop_gradient(norm) if stop else norm))

    params = {"w": jnp.array([3.0, 4.0])}
    assert find(lambda p: loss(p, False), params).invariant == {"w": ()}
    assert not find(lambda p: loss(p, True), params).invariant


def test_a_scanned_leaf_has_an_answer_per_layer():
    found = find(*unpacked("scanned_layer_norm_layers_with_remat"))
    assert found.invariant == {"w": (0,)}


def unpacked(name):
    loss, params, args = ZOO[name][0](np.random.default_rng(0))
    return loss, params, *args


def test_rescalings_between_leaves():
    found = find(*unpacked("relu_mlp"))
    assert found.rescalings == ({"b": 1, "head": -1, "w": 1},)
    attention = find(*unpacked("plain_attention"))
    assert attention.rescalings == ({"k": 1, "q": -1}, {"o": 1, "v": -1})
    stream = find(*unpacked("pre_layer_norm_transformer"))
    assert any({"e", "o", "u"} <= set(group) for group in stream.joint)


@pytest.mark.parametrize(
    ("loss", "params", "message"),
    [
        (lambda p: p["w"], {"w": jnp.ones(2)}, "expected a scalar"),
        (lambda p: "text", {"w": jnp.ones(2)}, "expected a scalar"),
        (lambda p: jnp.array(1.0), {}, "no floating-point leaf"),
        (lambda p: p["n"] * 1.0, {"n": jnp.array(1)}, "no floating-point leaf"),
        (lambda p: 1.0 if p["w"] > 0 else 2.0, {"w": jnp.array(1.0)}, "branches in Python"),
    ],
)
def test_bad_losses_are_explained(loss, params, message):
    with pytest.raises(ValueError, match=message):
        find(loss, params)


def test_what_a_loss_prints_does_not_matter():
    def loss(params):
        jax.debug.print("norm {}", jnp.exp(params["w"]).sum())
        return params["w"][0] / jnp.linalg.norm(params["w"])

    assert find(loss, {"w": jnp.ones(2)}).invariant == {"w": ()}


def test_complex_leaves_are_held_fixed():
    def loss(params):
        return jnp.real(params["c"]) * params["w"][0] / jnp.linalg.norm(params["w"])

    found = find(loss, {"w": jnp.ones(2), "c": jnp.array(1j)})
    assert found.invariant == {"w": ()}


def test_a_loss_of_nan_constants_has_an_answer():
    found = find(lambda p: jnp.where(p["w"][0] > 0, jnp.nan, p["w"][0]), {"w": jnp.ones(2)})
    assert not found.invariant
