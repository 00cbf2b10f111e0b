"""Rules of `adam-l2` on ideal and spoilt arrays; its measurements against transcriptions."""

import dataclasses

import numpy as np
import pytest

from tests.experiments.decay_techniques import ideal
from wdjax.experiments.decay_techniques.adam_l2 import claims, networks, quadratics, sgd
from wdjax.experiments.decay_techniques.adam_l2.config import QUICK, Config, validate
from wdjax.training import Outcome, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


@pytest.fixture
def arrays():
    return ideal.adam_l2()


def test_theory_holds_where_the_article_agrees_with_it(arrays):
    outcomes = {claim.__name__: claim(arrays).outcome for claim in claims.CLAIMS}
    assert outcomes.pop("coupled_place") == FAILS
    assert outcomes.pop("decoupled_place") == PART
    assert set(outcomes.values()) == {HOLDS}


def scaled_places(arrays):
    """As if Adam+L2 settled at the optimum of the penalty λ/s."""
    scales = arrays["scales"]
    h = np.stack([np.ones_like(scales), scales])
    arrays["place"][0] = h / (h + arrays["weight_decay"] / arrays["gradient_size"][0])


def even_places(arrays):
    arrays["place"][1] = 0.9


def uneven_loss(arrays):
    arrays["place"][1, 1] = np.linspace(0.1, 0.9, 5)


def rate_as(power, optimiser):
    def spoil(arrays):
        eta, lam = arrays["rate_learning_rate"], arrays["weight_decay"]
        rate = eta * lam * arrays["scales"] ** power
        arrays["left"][optimiser] = np.exp(-rate[:, None] * arrays["left_time"])

    return spoil


def fraction_as(power, optimiser, factor=1.0):
    def spoil(arrays):
        lam = arrays[("network_coupled", "network_decoupled")[optimiser]][1]
        arrays["fraction"][optimiser] = factor * 1e-3 * lam * arrays["root"][optimiser] ** power

    return spoil


def put(name, value, where=np.s_[...]):
    def spoil(arrays):
        arrays[name] = np.array(arrays[name], float)
        arrays[name][where] = value

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        (claims.sgd_equal, put("sgd_plain", 1e-6, -1), FAILS),
        (claims.sgd_equal, put("sgd_without", 1e-14), FAILS),
        (claims.coupled_rate, rate_as(-0.92, 0), PART),
        (claims.coupled_rate, rate_as(-0.5, 0), FAILS),
        (claims.coupled_place, scaled_places, HOLDS),
        (claims.decoupled_rate, rate_as(0.01, 1), PART),
        (claims.decoupled_rate, rate_as(-1.0, 1), FAILS),
        (claims.decoupled_place, even_places, HOLDS),
        (claims.decoupled_place, uneven_loss, FAILS),
        (claims.network_coupled, fraction_as(-0.8, 0), PART),
        (claims.network_coupled, fraction_as(-1.0, 0, 1.2), PART),
        (claims.network_coupled, fraction_as(0.0, 0), FAILS),
        (claims.network_decoupled, fraction_as(0.0, 1, 0.9), PART),
        (claims.network_decoupled, fraction_as(-1.0, 1), FAILS),
        (claims.unused, put("unused", 1.0), FAILS),
        (claims.unused, put("unused", 0.99, np.s_[0, 0, 0, 1:3]), PART),
        (claims.unused_speed, put("unused", 1.0, np.s_[0, 1, :, 2:5]), PART),
        (claims.cube_root, put("coupled_norm", 1.0), PART),
        (claims.cube_root, put("coupled_norm", ideal.adam_l2()["coupled_decay"] ** -0.5), FAILS),
    ],
)
def test_each_rule_can_come_out_otherwise(arrays, claim, spoil, outcome):
    spoil(arrays)
    assert claim(arrays).outcome == outcome


def test_decay_rates_are_recovered_where_little_and_where_much_decays(arrays):
    lam = arrays["rate_learning_rate"] * arrays["weight_decay"]
    expected = np.stack([lam / arrays["scales"], np.full(5, lam)])
    np.testing.assert_allclose(claims.decay_rates(arrays), expected, rtol=1e-9)


def test_decay_through_momentum_lags_as_a_literal_run_does():
    rates = np.array([1e-4, 1e-3, 1e-2])
    w, m, norms = np.ones(3), np.zeros(3), []
    for _ in range(500):
        m = 0.9 * m + 0.1 * w
        w = w - rates * m
        norms.append(w)
    found = np.log(norms[299] / norms[499]) / 200
    np.testing.assert_allclose(claims.lagging_rates(rates), found, rtol=1e-6)


@pytest.mark.parametrize("name", quadratics.OPTIMISERS)
def test_the_optimisers_are_the_ones_of_the_article(name):
    """Literal Adam with λw in the gradient, and Adam with decay beside it."""
    gradients = np.random.default_rng(0).normal(size=(30, 4))
    eta, lam, w, m, v = 0.02, 0.3, np.ones(4), np.zeros(4), np.zeros(4)
    tx = quadratics.optimiser(name, eta, lam)
    moved, state = np.ones(4), tx.init(np.ones(4))
    for t, g in enumerate(gradients, 1):
        inside = g + lam * w if name == "Adam+L2" else g
        m, v = 0.9 * m + 0.1 * inside, 0.999 * v + 0.001 * inside**2
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        w = w - eta * step - (0 if name == "Adam+L2" else eta * lam * w)
        updates, state = tx.update(g, state, moved)
        moved = moved + updates
    np.testing.assert_allclose(moved, w, rtol=1e-12)


def test_the_schedule_rises_and_drops():
    config = Config(sgd_steps=100, sgd_learning_rate=0.5)
    rates = np.array([sgd.schedule(config)(step) for step in range(100)])
    np.testing.assert_allclose(rates[[0, 9, 69, 70, 99]], [0.05, 0.5, 0.5, 0.05, 0.05])


def test_what_is_left_on_pure_noise_falls_as_theory_says():
    config = dataclasses.replace(QUICK, scales=(0.5, 2.0), rate_walkers=8, rate_steps=100)
    found = quadratics.decay_rates(config, Session())
    rates = claims.decay_rates(found) / (config.rate_learning_rate * config.weight_decay)
    np.testing.assert_allclose(rates[0] * found["left_size"][0], 1, rtol=0.03)
    np.testing.assert_allclose(rates[1], 1, rtol=1e-3)


def test_weights_on_noisy_quadratics_rest_where_theory_says():
    config = dataclasses.replace(
        QUICK, scales=(0.5, 1.0), walkers=64, burn_in=1000, steps=1000, seed=100
    )
    found = quadratics.resting_places(config, Session())
    scales, lam = np.array(config.scales), config.weight_decay
    h = np.stack([np.ones(2), scales])
    np.testing.assert_allclose(found["place"][0], h / (h + lam), atol=0.02)
    size = np.stack([scales, scales])
    np.testing.assert_allclose(found["place"][1], h / (h + lam * size), atol=0.02)


def test_decay_through_momentum_counts_what_has_come_through():
    literal = sum(1 - 0.9**j for j in range(1, 31))
    assert networks._counted(30, coupled=True) == pytest.approx(literal)
    assert networks._counted(30, coupled=False) == 30


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"scales": (1.0,)}, "two or more"),
        ({"scales": (1.0, float("nan"))}, "positive"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "different"),
        ({"network_steps": 30}, "multiple of 20"),
        ({"replay": 5}, "replay is 5"),
    ],
)
def test_bad_settings_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        validate(dataclasses.replace(QUICK, **change))
    validate(QUICK)
    validate(Config())
