import jax
import numpy as np
import pytest

from wdjax import theory

SETTINGS = [(0.1, 0.05, 0.0), (0.1, 0.2, 0.0), (0.05, 0.02, 0.5), (0.02, 0.02, 0.9)]


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def stationary(request):
    """A setting, and a walk of the null model that starts from the predicted norm."""
    eta, lam, mu = request.param
    with jax.enable_x64(True):
        settled = theory.sgd(eta, lam, mu)
        start = settled.norm(gradient_moment=4.0)
        walk = theory.simulate(
            jax.random.key(0), eta, lam, mu,
            gradient_moment=4.0, norm=start, dimension=512, steps=6000, walkers=8,
        )  # fmt: skip
        return settled, jax.tree.map(lambda x: np.asarray(x)[1500:], walk)


def test_the_norm_settles_where_theory_says_to_one_percent(stationary):
    settled, walk = stationary
    predicted = settled.norm(gradient_moment=4.0) ** 2
    assert np.mean(walk.norm**2) == pytest.approx(float(predicted), rel=0.01)


def test_the_angle_per_step_has_no_fitted_constant_to_one_percent(stationary):
    settled, walk = stationary
    assert np.sqrt(np.mean(walk.angle**2)) == pytest.approx(float(settled.angle), rel=0.01)


def test_the_effective_learning_rate_turns_the_weight_to_one_percent(stationary):
    settled, walk = stationary
    if settled.momentum:
        pytest.skip("a step of the buffer is many gradients long")
    # The angle of a step is the effective learning rate times the gradient on the unit sphere.
    effective = np.sqrt(np.mean(walk.angle**2) / 4.0)
    assert effective == pytest.approx(float(settled.effective_lr(gradient_moment=4.0)), rel=0.01)


@pytest.mark.parametrize(("eta", "lam", "mu"), [(0.05, 0.01, 0.0), (0.004, 0.005, 0.9)])
def test_the_norm_relaxes_in_the_predicted_time_to_one_percent(eta, lam, mu):
    settled = theory.sgd(eta, lam, mu)
    target = float(settled.norm(gradient_moment=4.0)) ** 4
    horizon = int(3 * settled.relaxation_steps)
    walk = theory.simulate(
        jax.random.key(1), eta, lam, mu,
        gradient_moment=4.0, norm=(4 * target) ** 0.25, dimension=256, steps=horizon, walkers=64,
    )  # fmt: skip
    # ‖w‖⁴ approaches its equilibrium exponentially.
    excess = np.exp(-np.arange(horizon) / float(settled.relaxation_steps))
    expected = np.sqrt(target * (1 + 3 * excess))
    measured = np.mean(np.asarray(walk.norm) ** 2, axis=1)
    np.testing.assert_allclose(measured, expected, rtol=0.01)


@pytest.mark.parametrize(("eta", "mu"), [(0.1, 0.0), (0.02, 0.9)])
def test_without_decay_the_norm_grows_as_predicted_to_one_percent(eta, mu):
    walk = theory.simulate(
        jax.random.key(2), eta, 0.0, mu,
        gradient_moment=4.0, norm=2.0, dimension=256, steps=4000, walkers=64,
    )  # fmt: skip
    fourth = np.mean(np.asarray(walk.norm) ** 4, axis=1)
    rate = (fourth[-1] - fourth[1000]) / 2999
    predicted = theory.growth_without_decay(eta, mu, gradient_moment=4.0)
    assert rate == pytest.approx(float(predicted), rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"momentum": 1.0}, "momentum is"), ({"norm": -1.0}, "norm is"), ({"dimension": 1}, "is 1,")],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        theory.simulate(jax.random.key(0), 0.1, 0.1, **settings)


def test_the_walk_is_pure():
    walks = [theory.simulate(jax.random.key(0), 0.1, 0.1, steps=5, dimension=8) for _ in range(2)]
    np.testing.assert_array_equal(walks[0].angle, walks[1].angle)
