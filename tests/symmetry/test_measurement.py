import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.symmetry.architectures import ZOO
from wdjax.symmetry import check, find, register_rule
from wdjax.symmetry.proof import RULES
from wdjax.symmetry.prover.values import WHOLE

SOME = ["batch_norm_cnn", "qk_normed_attention", "pre_layer_norm_transformer", "auxiliary_output",
        "scanned_batch_norm_layers", "relu_mlp", "linen_batch_norm_resnet"]  # fmt: skip


@pytest.mark.parametrize("name", SOME)
def test_what_is_proved_is_not_refuted(name):
    loss, params, args = ZOO[name][0](np.random.default_rng(3))
    found = find(loss, params, *args)
    checked = check(found, loss, params, *args)
    families = [family.exponents for family in found.along_axes]
    assert [c.scaling for c in checked] == [*found.basis, *families]
    for one in checked:
        assert not one.refuted, one
        assert one.loss_change < 1e-9
        assert one.alignment < 1e-9


def test_a_wrong_rule_for_an_axis_is_found_out():
    right = RULES["reduce_sum"]
    try:

        @register_rule("reduce_sum")
        def anything(walk, eqn, value):
            kept = [axis for i, axis in enumerate(value.axes) if i not in eqn.params["axes"]]
            return value._replace(
                parts=value.parts and {WHOLE: value.parts[WHOLE]}, axes=tuple(kept)
            )

        def loss(params):
            return params["w"][0] / jnp.sqrt(jnp.sum(params["w"] ** 2) * jnp.sum(params["v"] ** 2))

        params = {"w": jnp.array([1.0, 2.0]), "v": jnp.array([3.0, 1.0])}
        found = find(loss, params)
        assert any(one.refuted for one in check(found, loss, params))
    finally:
        RULES["reduce_sum"] = right


def test_a_gradient_of_nothing_but_rounding_is_zero():
    def loss(params):  # only the signs of g matter
        y = params["x"] * params["g"]
        return jnp.mean(jnp.tanh((y - y.mean(0)) / y.std(0)) @ params["v"])

    rng = np.random.default_rng(0)
    shapes = {"x": (8, 3), "g": (3,), "v": (3,)}
    params = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
    found = find(loss, params)
    assert found.invariant["g"] == (0,)
    assert not any(one.refuted for one in check(found, loss, params))


def test_a_wrong_rule_is_found_out():
    right = RULES["tanh"]
    try:
        register_rule("tanh")(lambda walk, eqn, value: value)

        def loss(params):
            return jnp.tanh(params["w"][0]) / jnp.linalg.norm(params["w"])

        params = {"w": jnp.array([1.0, 2.0])}
        found = find(loss, params)
        assert found.invariant == {"w": ()}
        assert check(found, loss, params)[0].refuted
    finally:
        RULES["tanh"] = right


def test_a_rule_for_a_primitive_without_one():
    def loss(params):
        return lax.digamma(params["w"][0] / jnp.linalg.norm(params["w"]))

    assert find(loss, {"w": jnp.ones(2)}).invariant == {"w": ()}
    right = RULES.pop("digamma")
    try:
        found = find(lambda params: lax.digamma(params["w"][0]), {"w": jnp.ones(2)})
        assert found.unknown[0][0] == "digamma"
        assert "no rule for the primitive 'digamma'" in found.blockers["w"].why
    finally:
        RULES["digamma"] = right


def test_an_epsilon_that_is_not_small_beside_the_values_is_found_out():
    def loss(params):
        return params["w"][0] / jnp.sqrt(jnp.sum(params["w"] ** 2) + 1e-3)

    small, large = {"w": jnp.array([0.01, 0.02])}, {"w": jnp.array([1e3, 2e3])}
    found = find(loss, small)
    assert found.assumptions[0].value == pytest.approx(1e-3)
    assert "test_measurement.py" in found.assumptions[0].line
    assert check(found, loss, small)[0].refuted
    assert not check(found, loss, large)[0].refuted


def test_a_leaf_of_another_model_is_refused():
    found = find(lambda params: jnp.sum(params["w"]), {"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="the leaves differ, in v, w"):
        check(found, lambda params: jnp.sum(params["v"]), {"v": jnp.ones(2)})


@pytest.mark.parametrize("factor", [0.0, 1.0, np.nan])
def test_a_factor_that_shows_nothing_is_refused(factor):
    found = find(lambda params: jnp.sum(params["w"]), {"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="factor is"):
        check(found, lambda params: jnp.sum(params["w"]), {"w": jnp.ones(2)}, factor=factor)


def test_the_smaller_of_a_value_and_a_small_constant_is_no_epsilon():
    found = find(lambda params: jnp.minimum(params["w"][0] ** 2, 1e-4), {"w": jnp.ones(2)})
    assert not found.invariant
    assert not found.assumptions
    clipped = find(
        lambda p: jnp.tanh(jnp.clip(p["w"][0], 1e-6, 1e-4) / jnp.linalg.norm(p["w"])),
        {"w": jnp.ones(2)},
    )
    assert not clipped.invariant
