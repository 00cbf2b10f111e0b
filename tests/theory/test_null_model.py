import jax
import jax.numpy as jnp
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


def test_the_effective_learning_rate_to_one_percent(stationary):
    settled, walk = stationary
    measured = settled.learning_rate / np.mean(walk.norm**2)
    assert measured == pytest.approx(float(settled.effective_lr(gradient_moment=4.0)), rel=0.01)


@pytest.mark.parametrize(("eta", "lam", "mu"), [(0.1, 0.02, 0.0), (0.01, 0.01, 0.9)])
def test_a_small_deviation_relaxes_in_the_predicted_time(eta, lam, mu):
    settled = theory.sgd(eta, lam, mu)
    target = settled.norm(gradient_moment=4.0) ** 2
    horizon = int(2 * settled.relaxation_steps)
    walk = theory.simulate(
        jax.random.key(1), eta, lam, mu,
        gradient_moment=4.0, norm=jnp.sqrt(1.2 * target), dimension=256, steps=horizon, walkers=64,
    )  # fmt: skip
    # ‖w‖⁴ approaches its equilibrium exponentially; the buffer needs 1/(1−μ) steps to fill.
    excess = np.mean(np.asarray(walk.norm) ** 4, axis=1) / float(target) ** 2 - 1
    start = int(10 / (1 - mu)) if mu else 0
    slope = np.polyfit(np.arange(start, horizon), np.log(excess[start:]), 1)[0]
    assert -1 / slope == pytest.approx(float(settled.relaxation_steps), rel=0.15)


def test_the_walk_is_pure():
    walks = [theory.simulate(jax.random.key(0), 0.1, 0.1, steps=5, dimension=8) for _ in range(2)]
    np.testing.assert_array_equal(walks[0].angle, walks[1].angle)
