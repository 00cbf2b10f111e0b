import numpy as np
import optax
import pytest

from tests.theory.normalised_walks import SIZE, deviation, require_equilibrium, walks
from wdjax.theory import sign

LR = 0.01


def test_lion_settles_where_theory_says():
    averages = np.array([(0.9, 0.9), (0.9, 0.99), (0.95, 0.98)])
    rates = np.repeat([2e-3, 1e-2, 1e-1], len(averages))
    b1, b2 = np.tile(averages, (3, 1)).T
    settled = sign.SignSteps(LR, rates, b1, b2)

    def optimiser(rate, b1, b2):
        return optax.lion(LR, b1=b1, b2=b2, weight_decay=rate / LR)

    settings = {"rate": rates, "b1": b1, "b2": b2}
    walk = walks(optimiser, settings, settled.norm(size=SIZE), steps=2500, discard=1500)
    require_equilibrium(walk, settled.squared_norm(size=SIZE), settled.angle)

    # Far from the leading order, which forgets that decay counts within Lion's memory.
    leading = 2 * rates / np.tile([13.28, 45.93, 58.08], 3)
    far = np.asarray(settled.angle) ** 2 / leading - 1
    assert far[1] > 0.1
    assert deviation(walk.angle**2, leading)[0][1] == pytest.approx(far[1], abs=0.03)


def test_the_docstring_of_lion_says_how_far_the_common_forms_are_off():
    now, leading = sign.lion(1e-3, 1.0), 1e-3 * 45.93
    assert now.squared_norm(size=2.0) / leading == pytest.approx(0.91, abs=0.005)
    assert now.angle / np.sqrt(2e-3 / 45.93) == pytest.approx(1.04, abs=0.005)
    b1, b2 = np.array([(0.9, 0.99), (0.95, 0.98), (0.9, 0.9)]).T
    linear = np.sqrt(np.pi * 1e-7 * ((1 - b1) ** 2 + b1**2 * (1 - b2) / (1 + b2)))
    ratio = linear / sign.lion(1e-3, 1e-4, b1, b2).angle
    np.testing.assert_allclose(ratio, [1.008, 1.029, 1.048], atol=0.005)


def test_signum_settles_where_theory_says():
    momenta, rates = np.array([0.0, 0.5, 0.9]), np.full(3, 0.01)
    settled = sign.sign_sgd(LR, rates / LR, momenta)

    def optimiser(rate, momentum):
        return optax.chain(
            optax.ema(momentum, debias=False),
            optax.scale_by_sign(),
            optax.add_decayed_weights(rate / LR),
            optax.scale_by_learning_rate(LR),
        )

    settings = {"rate": rates, "momentum": momenta}
    walk = walks(optimiser, settings, settled.norm(size=SIZE), steps=1500, discard=200)
    require_equilibrium(walk, settled.squared_norm(size=SIZE), settled.angle)


def test_without_momentum_it_is_sign_sgd_exactly():
    rho = 0.3
    settled = sign.sign_sgd(LR, rho / LR)
    assert settled.correlation == pytest.approx(1.0)
    assert settled.squared_norm(size=SIZE) == pytest.approx(LR**2 * SIZE / (1 - (1 - rho) ** 2))
    assert np.cos(settled.angle) == pytest.approx(1 - rho)
