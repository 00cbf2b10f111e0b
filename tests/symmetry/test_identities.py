import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.symmetry import zoo
from tests.symmetry.oracle import SMALL
from wdjax import groups, symmetry

RESIDUALS = {
    "orthogonality": symmetry.orthogonality_residual,
    "inverse scaling": symmetry.inverse_scaling_residual,
    "scale invariance": symmetry.scale_invariance_residual,
    "hessian": symmetry.hessian_residual,
}


def together(mask):
    return groups.joint("all kernels", mask)


HOLD = {
    "batch ResNet, per output channel": (zoo.resnet("batch"), groups.per_axis),
    "batch ResNet, per kernel": (zoo.resnet("batch"), groups.per_leaf),
    "batch ResNet, all kernels together": (zoo.resnet("batch"), together),
    "layer ResNet, per kernel": (zoo.resnet("layer"), groups.per_leaf),
    "layer ResNet, all kernels together": (zoo.resnet("layer"), together),
    "layer MLP, per kernel": (zoo.mlp("layer"), groups.per_leaf),
    "batch MLP, per output channel": (zoo.mlp("batch"), groups.per_axis),
}


def largest(residuals):
    return max(float(jnp.max(residual)) for residual in residuals.values())


def smallest(residuals):
    return min(float(jnp.max(residual)) for residual in residuals.values())


def one_kernel_of(resnet):
    """A scaled gradient per kernel compiles slowly, so one stands for all where it takes that."""
    chosen = jax.tree.map(lambda _: False, resnet)
    chosen["Conv_1"]["kernel"] = True
    return chosen


@pytest.mark.parametrize("case", HOLD)
@pytest.mark.parametrize("identity", RESIDUALS)
def test_the_identities_hold_to_rounding(case, identity):
    model, per = HOLD[case]
    loss, params = zoo.network(model)
    mask = zoo.normalised(params)
    if "ResNet" in case and per is not together and identity != "orthogonality":
        mask = one_kernel_of(params)
    residuals = jax.jit(
        lambda params: RESIDUALS[identity](loss, params, groups=per(mask=mask)),
        compiler_options=SMALL,
    )
    assert largest(residuals(params)) < 1e-12


@pytest.mark.parametrize("identity", RESIDUALS)
def test_they_fail_for_the_head(identity):
    loss, params = zoo.network(zoo.mlp())
    residuals = RESIDUALS[identity](loss, params, groups=groups.per_leaf(zoo.head(params)))
    assert largest(residuals) > 1e-3


@pytest.mark.parametrize("model", [zoo.mlp("batch"), zoo.resnet("batch")], ids=["MLP", "ResNet"])
@pytest.mark.parametrize("identity", RESIDUALS)
def test_they_fail_for_batch_norm_in_eval_mode(model, identity):
    loss, params = zoo.network(model, train=False)
    mask = zoo.normalised(params)
    if "Conv_1" in params and identity != "orthogonality":
        mask = one_kernel_of(params)
    residuals = RESIDUALS[identity](loss, params, groups=groups.per_leaf(mask))
    assert smallest(residuals) > 1e-4


@pytest.mark.parametrize("identity", RESIDUALS)
def test_layer_norm_sees_the_ratio_of_output_channels(identity):
    loss, params = zoo.network(zoo.mlp("layer"))
    residuals = RESIDUALS[identity](
        loss, params, groups=groups.per_axis(-1, zoo.normalised(params))
    )
    assert largest(residuals) > 1e-3


def test_epsilon_costs_as_much_as_it_is_large_against_the_variance():
    sizes = []
    for epsilon in (1e-6, 1e-4, 1e-2):
        loss, params = zoo.network(zoo.mlp("batch", epsilon, widths=(16,)))
        chosen = groups.per_leaf(zoo.normalised(params))
        sizes.append(largest(symmetry.orthogonality_residual(loss, params, groups=chosen)))
    np.testing.assert_allclose(np.diff(np.log10(sizes)), 2, atol=0.1)


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.1, 10).filter(lambda c: c != 1))
def test_they_hold_for_a_random_blind_function_at_any_factor(seed, factor):
    with jax.enable_x64(True):
        w, a = np.random.default_rng(seed).normal(size=(2, 5))

        def blind(w):
            return jnp.sum(jnp.sin(a * w / jnp.linalg.norm(w))) + 3.0

        assert largest(symmetry.inverse_scaling_residual(blind, w, factor=factor)) < 1e-10
        assert largest(symmetry.scale_invariance_residual(blind, w, factor=factor)) < 1e-13
        assert largest(symmetry.orthogonality_residual(blind, w)) < 1e-12
        assert largest(symmetry.hessian_residual(blind, w)) < 1e-10


@pytest.mark.parametrize(
    "loss", [lambda w: jnp.sum(w[:, 1] ** 2), lambda w: jnp.prod(jnp.linalg.norm(w, axis=0))]
)
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("identity", RESIDUALS)
def test_no_channel_and_no_product_of_channels_is_overlooked(identity, channels, loss):
    w = jnp.asarray(np.random.default_rng(0).normal(size=(4, channels)))
    assert largest(RESIDUALS[identity](loss, w, groups=groups.per_axis(-1))) > 0.1


def test_a_joint_group_is_scaled_together():
    def loss(params):
        return params["scale"] / params["bias"]

    params = {"scale": jnp.array(2.0), "bias": jnp.array(3.0)}
    for residual in RESIDUALS.values():
        assert largest(residual(loss, params, groups=groups.joint("affine"))) < 1e-12
        assert largest(residual(loss, params)) > 0.1


def test_a_group_of_norm_zero_has_no_direction():
    for residual in RESIDUALS.values():
        assert jnp.isnan(residual(lambda w: jnp.sum(w**2), jnp.zeros(3))[""])


def test_integer_leaves_are_held_fixed():
    def loss(params):
        return params["w"][0] / jnp.linalg.norm(params["w"]) * params["n"]

    params = {"w": jnp.array([3.0, 4.0]), "n": jnp.array(2)}
    for residual in RESIDUALS.values():
        assert largest(residual(loss, params)) < 1e-12


@pytest.mark.parametrize("identity", RESIDUALS)
def test_a_loss_that_is_not_a_scalar_is_refused(identity):
    with pytest.raises(ValueError, match=r"expected a scalar.*\[0\]"):
        RESIDUALS[identity](lambda w: (jnp.sum(w), w), jnp.ones(3))


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.0, np.inf, np.nan])
def test_a_factor_that_shows_nothing_is_refused(factor):
    with pytest.raises(ValueError, match="factor is"):
        symmetry.inverse_scaling_residual(jnp.sum, jnp.ones(3), factor=factor)


def test_an_empty_tree_has_no_residuals():
    for residual in RESIDUALS.values():
        assert residual(lambda params: jnp.array(1.0), {}) == {}
