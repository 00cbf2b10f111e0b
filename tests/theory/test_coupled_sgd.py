import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.theory import sgd_walks
from tests.theory.sgd_walks import MOMENT, grid, require_equilibrium
from wdjax import theory
from wdjax.theory import coupled_sgd

ETA = 0.1
PRODUCTS = [1e-4, 1e-3, 1e-2, 1e-1]  # ηλ
MOMENTA = [0.0, 0.5, 0.9]


def second_moments(eta, lam, mu, nesterov):
    """E‖w‖², E⟨w, m⟩ and E‖m‖² per E‖∇L‖², solved as the linear equations of stationarity.

    Returns E‖w‖² and E‖Δw‖².
    """
    ahead, behind = (1 + mu, mu**2) if nesterov else (1.0, mu)
    # w, m and the noise γ, uncorrelated with both, as rows of coefficients.
    w, m, noise = np.eye(3)
    g = noise + lam * w
    buffer = mu * m + g
    step = eta * (ahead * g + behind * m)

    def product(a, b):
        """E⟨a, b⟩ as coefficients of E‖w‖², E⟨w, m⟩, E‖m‖² and E‖γ‖²."""
        return np.array([a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[1] * b[1], a[2] * b[2]])

    moved = w - step
    after = np.array([product(moved, moved), product(moved, buffer), product(buffer, buffer)])
    stationary = np.linalg.solve(np.eye(3) - after[:, :3], after[:, 3])
    return stationary[0], product(step, step) @ np.append(stationary, 1.0)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("mu", MOMENTA)
@pytest.mark.parametrize("product", PRODUCTS)
def test_norm_and_angle_solve_the_stationarity_of_all_second_moments(product, mu, nesterov):
    eta, lam = 0.3, product / 0.3
    square, moved = second_moments(eta, lam, mu, nesterov)
    settled = theory.sgd(eta, lam, mu, nesterov=nesterov)
    # E‖w‖² is `square` times E‖∇L‖² = G/‖w‖².
    assert settled.squared_norm(gradient_moment=MOMENT) == pytest.approx(np.sqrt(MOMENT * square))
    assert 2 - 2 * np.cos(settled.angle) == pytest.approx(moved / square, rel=1e-9)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_null_model_settles_where_theory_says(nesterov):
    product, kind = grid(PRODUCTS, range(3 if nesterov else 4))
    mu, dampening = np.array([[0.0, 0.0], [0.5, 0.0], [0.9, 0.0], [0.9, 0.7]])[kind.astype(int)].T
    settled = theory.sgd(ETA, product / ETA, mu, nesterov=nesterov, dampening=dampening)
    walk = sgd_walks.walks(
        lambda **setting: sgd_walks.sgd(ETA, nesterov=nesterov, **setting),
        {"coupled": product / ETA, "mu": mu, "tau": dampening},
        settled.norm(gradient_moment=MOMENT),
        steps=2000,
        discard=1000,
    )
    require_equilibrium(walk, settled)


def test_leading_orders():
    settled = theory.sgd(0.1, 5e-4, 0.9)
    assert settled.angle == pytest.approx(np.sqrt(1e-4 / 1.9), rel=1e-4)
    assert settled.relaxation_steps == pytest.approx(0.1 / (4 * 5e-5))
    assert settled.memory_steps == pytest.approx(2000)
    ahead = theory.sgd(0.1, 5e-4, 0.9, nesterov=True)
    assert ahead.angle / settled.angle == pytest.approx(np.sqrt(2.8 - 2 * 0.9**3), rel=1e-3)
    for kind in (settled, ahead):
        norm, law = kind.norm(gradient_moment=4.0), kind.balance(gradient_moment=4.0)
        assert norm == pytest.approx(float(law.norm), rel=1e-3)
        assert law.relaxation_steps == pytest.approx(500)


def test_the_exact_norm_without_momentum_is_the_fixed_point_of_the_norm_recursion():
    eta, lam, moment = 0.3, 0.5, 2.0
    squared = coupled_sgd.squared_norm(eta, lam, gradient_moment=moment)
    after = (1 - eta * lam) ** 2 * squared + eta**2 * moment / squared
    assert after == pytest.approx(float(squared), rel=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("mu", MOMENTA)
def test_direction_and_norm_are_forgotten_at_the_slow_rate_of_the_mean_map(mu, nesterov):
    product = 1e-4
    ahead, behind = (1 + mu, mu**2) if nesterov else (1.0, mu)
    # (w, ηm) without noise: E⟨w_t, w_{t+k}⟩ obeys this map, as the noise is new in every step.
    mean = np.array([[1 - ahead * product, -behind], [product, mu]])
    slow = np.max(np.abs(np.linalg.eigvals(mean)))
    settled = theory.sgd(0.1, product / 0.1, mu, nesterov=nesterov)
    leading = product / (1 - mu) ** 2
    assert settled.memory_steps == pytest.approx(-1 / np.log(slow), rel=leading)
    assert settled.memory_steps == 4 * settled.relaxation_steps


def test_the_null_model_forgets_its_direction_in_that_time():
    product, mu = np.array([1e-2, 5e-3, 5e-4]), np.array([0.0, 0.5, 0.9])
    settled = theory.sgd(ETA, product / ETA, mu)
    walk = sgd_walks.walks(
        lambda **setting: sgd_walks.sgd(ETA, **setting),
        {"coupled": product / ETA, "mu": mu},
        settled.norm(gradient_moment=MOMENT),
        steps=221, discard=100, dimension=512, walkers=32,
    )  # fmt: skip
    assert np.allclose(settled.memory_steps, [100, 100, 200])
    cosine = np.stack([walk.cosine[i, int(t)] for i, t in enumerate(settled.memory_steps)])
    error = cosine.std(axis=1, ddof=1) / np.sqrt(32)
    # A leading order in ηλ/(1−μ)², here 0.05 at most.
    tolerance = 4 * error + np.exp(-1) * product / (1 - mu) ** 2
    assert np.all(error < 0.015)
    np.testing.assert_array_less(np.abs(cosine.mean(axis=1) - np.exp(-1)), tolerance)


def test_the_effective_learning_rate_is_eta_over_the_squared_norm():
    settled = theory.sgd(jnp.array([0.1, 0.2]), 0.01, 0.9)
    effective = settled.learning_rate / settled.norm(gradient_moment=3.0) ** 2
    np.testing.assert_allclose(settled.effective_lr(gradient_moment=3.0), effective, rtol=1e-12)
    leading = np.sqrt(2 * np.array([1e-3, 2e-3]) * 0.1 / 3)
    np.testing.assert_allclose(effective, leading, rtol=1e-3)


def test_settings_may_be_arrays():
    settled = theory.sgd(jnp.array([0.1, 0.2]), jnp.array([[0.1], [0.2], [0.3]]), dampening=0.5)
    assert settled.angle.shape == (3, 2)
    assert settled.norm(gradient_moment=jnp.ones((4, 1, 1))).shape == (4, 3, 2)


def test_without_decay_nothing_settles():
    settled = theory.sgd(0.1, 0.0)
    assert settled.angle == 0
    assert settled.relaxation_steps == np.inf
    assert settled.norm(gradient_moment=1.0) == np.inf


FORMULAS = {
    "angle": coupled_sgd.angle_per_step,
    "norm": lambda *settings: coupled_sgd.squared_norm(*settings, gradient_moment=1.0),
    "time": coupled_sgd.relaxation_steps,
    "memory": coupled_sgd.memory_steps,
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


def test_dampening_and_nesterov_are_checked():
    with pytest.raises(ValueError, match=r"dampening is 0\.5 with nesterov"):
        theory.sgd(0.1, 0.1, 0.5, nesterov=True, dampening=0.5)
    with pytest.raises(ValueError, match="dampening is 2"):
        theory.sgd(0.1, 0.1, 0.5, dampening=2.0)
    with pytest.raises(ValueError, match=r"2\(1 \+ momentum\)/\(1 \+ 2 momentum\)"):
        theory.sgd(1.0, 1.5, 0.5, nesterov=True)
    with pytest.raises(ValueError, match="depends on gradient_moment"):
        theory.sgd(0.1, 0.1).norm()
    with pytest.raises(ValueError, match="gradient_moment is -1"):
        coupled_sgd.growth_without_decay(0.1, gradient_moment=-1.0)


@pytest.mark.parametrize("nesterov", [False, True])
def test_it_passes_through_transformations(nesterov):
    rates = jnp.array([0.1, 0.2])
    settled = theory.sgd(rates, 5e-4, 0.9, nesterov=nesterov)
    angles = jax.jit(lambda settled: settled.angle)(settled)
    np.testing.assert_allclose(angles, settled.angle, rtol=1e-12)
    one_by_one = jax.vmap(
        lambda lr: theory.sgd(lr, 5e-4, 0.9, nesterov=nesterov).norm(gradient_moment=1.0)
    )
    np.testing.assert_allclose(one_by_one(rates), settled.norm(gradient_moment=1.0), rtol=1e-12)
    slope = jax.grad(lambda lr: jnp.log(theory.sgd(lr, 5e-4, nesterov=nesterov).angle))(0.1)
    assert slope == pytest.approx(0.5 / 0.1, rel=1e-3)
