import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax import theory


def test_the_angle_is_the_square_root_of_two_eta_lambda_over_one_plus_mu():
    assert theory.angle_per_step(0.1, 5e-4) == pytest.approx(np.sqrt(1e-4))
    assert theory.angle_per_step(0.1, 5e-4, 0.9) == pytest.approx(np.sqrt(1e-4 / 1.9))


def test_the_exact_norm_without_momentum_is_the_fixed_point_of_the_norm_recursion():
    eta, lam, moment = 0.3, 0.5, 2.0
    squared = theory.squared_norm(eta, lam, gradient_moment=moment)
    after = (1 - eta * lam) ** 2 * squared + eta**2 * moment / squared
    assert after == pytest.approx(float(squared), rel=1e-12)


def test_the_effective_learning_rate_is_eta_over_the_squared_norm():
    settled = theory.sgd(jnp.array([0.1, 0.2]), 0.01, 0.9)
    np.testing.assert_allclose(
        settled.effective_lr(3.0), settled.learning_rate / settled.norm(3.0) ** 2, rtol=1e-12
    )


def test_settings_may_be_arrays():
    settled = theory.sgd(jnp.array([0.1, 0.2]), jnp.array([[0.1], [0.2], [0.3]]))
    assert settled.angle.shape == (3, 2)


def test_without_decay_nothing_settles():
    settled = theory.sgd(0.1, 0.0)
    assert settled.angle == 0
    assert settled.relaxation_steps == np.inf
    assert settled.norm(1.0) == np.inf


FORMULAS = {
    "angle": theory.angle_per_step,
    "norm": lambda *settings: theory.squared_norm(*settings, gradient_moment=1.0),
    "rate": lambda *settings: theory.effective_learning_rate(*settings, gradient_moment=1.0),
    "time": theory.relaxation_steps,
    "all": theory.sgd,
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ((-0.1, 0.1, 0.0), "learning_rate is -0.1"),
        ((0.1, np.nan, 0.0), "weight_decay is nan"),
        ((0.1, 0.1, 1.0), "momentum is 1.0"),
        ((10.0, 0.5, 0.0), "no equilibrium"),
    ],
)
def test_bad_settings_are_refused(formula, bad, message):
    with pytest.raises(ValueError, match=message):
        FORMULAS[formula](*bad)


def test_the_formulas_work_under_jit_and_grad():
    angle = jax.jit(theory.angle_per_step)(0.1, 5e-4, 0.9)
    assert angle == pytest.approx(float(theory.angle_per_step(0.1, 5e-4, 0.9)), rel=1e-6)
    assert jax.grad(theory.angle_per_step)(0.1, 5e-4) > 0
