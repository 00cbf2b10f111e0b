import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.symmetry import zoo
from wdjax import groups, symmetry

ASSERTIONS = [
    symmetry.assert_gradient_orthogonal,
    symmetry.assert_inverse_scaling,
    symmetry.assert_scale_invariant,
    symmetry.assert_hessian_identity,
]


def chexified(assertion, loss, **settings):
    """The assertion inside a jitted function, made to run there by chex."""

    @jax.jit
    def step(params):
        assertion(loss, params, **settings)
        return loss(params)

    return chex.chexify(step, async_check=False)


def eager(assertion, loss, **settings):
    return lambda params: assertion(loss, params, **settings)


@pytest.mark.parametrize("how", [eager, chexified])
@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_they_pass_for_kernels_behind_a_norm(assertion, how):
    loss, params = zoo.network(zoo.mlp())
    chosen = groups.per_leaf(zoo.normalised(params))
    how(assertion, loss, groups=chosen, tolerance=1e-12)(params)


@pytest.mark.parametrize("how", [eager, chexified])
@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_the_failure_names_assertion_group_leaf_and_residual(assertion, how):
    loss, params = zoo.network(zoo.mlp())
    chosen = groups.joint("the head", zoo.head(params))
    with pytest.raises(AssertionError) as failure:
        how(assertion, loss, groups=chosen)(params)
    message = str(failure.value)
    assert assertion.__name__ in message
    assert "'the head'" in message
    assert "Dense_2/kernel" in message
    assert "residual 0." in message or "residual 1." in message or "residual 2." in message


@pytest.mark.parametrize("assertion", ASSERTIONS)
def test_they_fail_for_batch_norm_in_eval_mode(assertion):
    loss, params = zoo.network(zoo.mlp("batch"), train=False)
    with pytest.raises(AssertionError):
        assertion(loss, params, groups=groups.per_leaf(zoo.normalised(params)))


@pytest.mark.parametrize("how", [eager, chexified])
def test_a_zero_weight_fails_and_says_so(how):
    with pytest.raises(AssertionError, match="norm zero"):
        how(symmetry.assert_gradient_orthogonal, lambda w: jnp.sum(w**2))(jnp.zeros(3))


def test_braces_in_a_name_do_not_break_the_message():
    with pytest.raises(AssertionError, match=r"'\{w\}'"):
        symmetry.assert_gradient_orthogonal(
            lambda w: jnp.sum(w["{w}"]), {"{w}": jnp.ones(2)}, groups=groups.per_leaf()
        )


def test_without_chexify_jit_explains_itself():
    run = jax.jit(lambda w: symmetry.assert_gradient_orthogonal(jnp.sum, w))
    with pytest.raises(ValueError, match="functionaliz"):
        run(jnp.ones(3))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_default_tolerance_suits_the_dtype(dtype):
    w = jnp.linspace(1, 2, 100, dtype=dtype)
    for assertion in ASSERTIONS:
        assertion(lambda w: w[0] / jnp.linalg.norm(w), w)


def test_a_large_weight_that_is_not_invariant_does_not_pass_by_its_size():
    rng = np.random.default_rng(0)
    w, a = rng.normal(size=(2, 1_000_000)).astype(np.float32)
    with pytest.raises(AssertionError, match="residual"):
        symmetry.assert_gradient_orthogonal(lambda w: jnp.sum(a * w), w)


@pytest.mark.parametrize("seed", range(5))
def test_half_precision_is_given_the_room_that_it_needs(seed):
    w, a = np.random.default_rng(seed).normal(size=(2, 32))
    w, a = jnp.asarray(w, jnp.bfloat16), jnp.asarray(a, jnp.float32)

    def blind(w):
        wide = w.astype(jnp.float32)
        return jnp.sum(a * wide) / jnp.linalg.norm(wide)

    symmetry.assert_scale_invariant(blind, w)
    symmetry.assert_inverse_scaling(blind, w)


def test_a_loss_that_is_nan_is_named_as_a_cause():
    with pytest.raises(AssertionError, match="or a loss that is nan"):
        symmetry.assert_scale_invariant(lambda w: jnp.log(-jnp.sum(w**2)), jnp.ones(3))
