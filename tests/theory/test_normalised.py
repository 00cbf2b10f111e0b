import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax.theory import adam, cautious, coupled_adam, polar, sign
from wdjax.theory.normalised import rate_of

LINEAR = {
    "adamw": lambda rho, beta: adam.AdamW(0.1, rho, beta),
    "muon": lambda rho, beta: polar.muon(0.1, rho / 0.1, beta, nesterov=False, aspect=np.inf),
}


def second_moments(rho, beta):
    """E‖w‖², E‖Δw‖² and E‖u‖² in units of the noise's, for w = −Σ_k h_k g_{t−k}."""
    length = 500 + round(20 / rho)
    weights, w, h = (1 - beta) * beta ** np.arange(length), 0.0, np.zeros(length)
    for k in range(length):
        w = (1 - rho) * w + weights[k]
        h[k] = w
    return np.sum(h**2), np.sum(np.diff(h, prepend=0.0) ** 2), np.sum(weights**2)


@pytest.mark.parametrize("make", LINEAR)
def test_norm_and_angle_are_exact_for_a_moving_average(make):
    rho, beta = np.repeat([2e-3, 0.05, 0.5, 1.0], 3), np.tile([0.0, 0.5, 0.95], 4)
    settled = LINEAR[make](rho, beta)
    squared, moved, moment = np.array(list(map(second_moments, rho, beta))).T
    unit = settled.step_moment(size=1.0, rank=1.0) / moment
    np.testing.assert_allclose(settled.squared_norm(size=1.0, rank=1.0), squared * unit, rtol=1e-7)
    np.testing.assert_allclose(2 - 2 * np.cos(settled.angle), moved / squared, rtol=1e-7)


ALL = {
    "adamw": adam.adamw,
    "adamc": lambda lr, decay: adam.adamc(lr, decay, peak=0.1),
    "cautious": cautious.cautious_adamw,
    "adam_l2": lambda lr, decay: coupled_adam.adam_l2(lr, decay, gradient_moment=1.0, size=64),
    "sign": sign.sign_sgd,
    "signum": lambda lr, decay: sign.sign_sgd(lr, decay, 0.9),
    "lion": sign.lion,
    "muon": polar.muon,
}
STATISTICS = {"gradient_moment": 1.0, "size": 64, "rank": 8}


def answers(settled):
    balance = settled.balance(**STATISTICS)
    return {
        "angle": settled.angle,
        "memory": settled.memory_steps,
        "norm": settled.norm(**STATISTICS),
        "effective": settled.effective_lr(**STATISTICS),
        "relaxation": balance.relaxation_steps,
        "equilibrium": balance.norm,
    }


@pytest.mark.parametrize("name", ALL)
def test_every_answer_broadcasts_and_is_differentiated(name):
    lr, decay = jnp.array([0.02 - 1e-7, 0.02 + 1e-7, 0.05]), jnp.array([[0.1], [0.2]])

    @jax.jit
    def answer(lr):
        slopes = jax.jacfwd(lambda x: answers(ALL[name](x, decay)))(0.02)
        return answers(ALL[name](lr, decay)), slopes

    table, slopes = answer(lr)
    for key, values in table.items():
        assert values.shape == (2, 3), key
        numeric = (values[:, 1] - values[:, 0]) / 2e-7
        np.testing.assert_allclose(slopes[key][:, 0], numeric, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", ["cautious", "muon"])
def test_settings_pass_through_vmap(name):
    lr = jnp.array([0.01, 0.05])
    settled = jax.vmap(lambda lr: ALL[name](lr, 0.1))(lr)
    np.testing.assert_allclose(settled.angle, ALL[name](lr, 0.1).angle, rtol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_balance_leads_to_the_norm_to_leading_order(name):
    small = ALL[name](1e-3, 0.01)
    balance = small.balance(**STATISTICS)
    assert balance.norm == pytest.approx(float(small.norm(**STATISTICS)), rel=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_the_effective_learning_rate_is_eta_over_the_norm(name):
    settled = ALL[name](0.02, 0.1)
    assert settled.effective_lr(**STATISTICS) == pytest.approx(
        float(0.02 / settled.norm(**STATISTICS))
    )


@pytest.mark.parametrize("name", ALL)
def test_without_decay_nothing_settles_and_the_norm_grows(name):
    free = ALL[name](0.02, 0.0)
    assert free.angle == 0
    assert free.memory_steps == np.inf
    assert free.norm(**STATISTICS) == np.inf
    course = free.balance(**STATISTICS).course(1.0, 50)
    # Each step adds to ‖w‖² what all lags of the steps come to.
    added = np.diff(course**2)
    np.testing.assert_allclose(added, free.balance(**STATISTICS).growth, rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("bad", "message"),
    [((-0.1, 0.1), "l.*r.* is -0.1"), ((0.1, np.nan), "weight_decay.* is nan")],
)
def test_bad_settings_are_refused(name, bad, message):
    with pytest.raises(ValueError, match=message):
        ALL[name](*bad)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"adam_l2"}))
def test_decay_that_takes_more_than_all_is_refused(name):
    with pytest.raises(ValueError, match="expected at most 1"):
        ALL[name](0.1, 10.5)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"adam_l2"}))
def test_a_statistic_that_is_missing_is_named(name):
    with pytest.raises(ValueError, match="rank" if name == "muon" else "size"):
        ALL[name](0.1, 0.1).norm(gradient_moment=1.0)


def test_momenta_are_checked():
    for make in (adam.adamw, cautious.cautious_adamw, coupled_adam.adam_l2, sign.lion, polar.muon):
        with pytest.raises(ValueError, match=r"1\.0, but from 1 on"):
            make(0.1, 0.1, 1.0)
    with pytest.raises(ValueError, match=r"b2 is 1\.5"):
        sign.lion(0.1, 0.1, 0.9, 1.5)


def test_a_rate_is_a_product():
    np.testing.assert_allclose(rate_of(np.array([0.1, 0.2]), 0.5), [0.05, 0.1])
