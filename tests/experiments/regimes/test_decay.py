"""The claims on decay hold on ideal runs and fall with their measurement; decay is what it says."""

import dataclasses

import jax
import numpy as np
import pytest

from tests.experiments.regimes.ideal import decay_arrays
from wdjax.experiments.regimes.article import ARTICLE
from wdjax.experiments.regimes.decay import claims
from wdjax.experiments.regimes.decay.config import QUICK, Config, runs, validate
from wdjax.experiments.regimes.decay.run import decaying, measure, settled_rate
from wdjax.experiments.regimes.sphere.run import optimiser
from wdjax.training import Hyperparameters, Outcome, Session

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}


@pytest.fixture
def arrays():
    return decay_arrays()


def test_all_claims_hold_on_ideal_runs(arrays):
    verdicts = claims.check(arrays)
    assert [(v.claim, v.measured) for v in verdicts if v.outcome != Outcome.HOLDS] == []
    assert {verdict.of for verdict in verdicts} <= {claim.key for claim in ARTICLE.claims}


def chaotic(arrays):
    return (arrays["product"] > 1e-2) & (arrays["product"] < 0.5)


def out_of_order(arrays):
    arrays["decay_loss"][0] = 4.0


def never_chaotic(arrays):
    arrays["decay_loss"][chaotic(arrays)] = 4.0


def out_of_order_with_momentum(arrays):
    arrays["momentum_loss"][0] = 4.0


def never_chaotic_with_momentum(arrays):
    arrays["momentum_loss"][chaotic(arrays)] = 4.0


def another_level(arrays):
    arrays["fixed_loss"][chaotic(arrays)] *= 0.7


def another_regime(arrays):
    arrays["fixed_loss"][chaotic(arrays)] = 1e-4


def one_rate_falls(arrays):
    arrays["decay_effective_rate"][0] = arrays["decay_effective_rate"][0][::-1]


def rates_fall(arrays):
    arrays["decay_effective_rate"] = arrays["decay_effective_rate"][:, ::-1]


def one_angle(arrays):
    arrays["decay_angle"][-1] *= 0.5


def angles(arrays):
    arrays["decay_angle"] *= 0.8


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("passes_through", out_of_order, Outcome.IN_PART),
        ("passes_through", never_chaotic, Outcome.FAILS),
        ("by_its_rate", another_level, Outcome.IN_PART),
        ("by_its_rate", another_regime, Outcome.FAILS),
        ("rises_to_the_edge", one_rate_falls, Outcome.IN_PART),
        ("rises_to_the_edge", rates_fall, Outcome.FAILS),
        ("angle", one_angle, Outcome.IN_PART),
        ("angle", angles, Outcome.FAILS),
        ("keeps_with_momentum", out_of_order_with_momentum, Outcome.IN_PART),
        ("keeps_with_momentum", never_chaotic_with_momentum, Outcome.FAILS),
        ("keeps_with_momentum", never_chaotic, Outcome.HOLDS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured
    assert verdict.because or outcome == Outcome.HOLDS
    assert np.all(np.isfinite(list(verdict.numbers.values())))


def test_where_all_runs_diverge_the_numbers_are_finite(arrays):
    arrays["decay_loss"][:] = 4.0
    arrays["momentum_loss"][:] = 4.0
    for verdict in claims.check(arrays):
        assert np.all(np.isfinite(list(verdict.numbers.values())))


def test_a_step_with_decay_turns_as_one_on_the_sphere():
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=(2, 6))
    g -= w * (g @ w) / (w @ w)
    eta, lam = 0.3, 0.5
    hyper = Hyperparameters(np.float64(eta), np.float64(lam), np.float64(0))
    with_decay = decaying(hyper)
    rate = eta / ((1 - eta * lam) * (w @ w))
    on_sphere = optimiser(np.float64(rate))

    def moved(tx):
        updates, _ = tx.update({"w": jax.numpy.asarray(g)}, tx.init({"w": w}), {"w": w})
        new = w + np.asarray(updates["w"])
        return new / np.linalg.norm(new)

    np.testing.assert_allclose(moved(with_decay), moved(on_sphere), rtol=1e-12)


def test_momentum_moves_the_weights_as_far_in_the_long_run():
    params, gradient = {"w": jax.numpy.array([1.0, 2.0])}, {"w": jax.numpy.array([2.0, -1.0])}
    moved = {}
    for name, eta, mu in (("plain", 0.3, 0.0), ("mu", 0.03, 0.9)):
        tx = decaying(Hyperparameters(np.float64(eta), np.float64(0.5), np.float64(mu)))
        state = tx.init(params)
        for _ in range(400):
            updates, state = tx.update(gradient, state, params)
        moved[name] = np.asarray(updates["w"])
    np.testing.assert_allclose(moved["mu"], moved["plain"], rtol=1e-9)


def test_the_settled_rate_is_a_geometric_mean():
    rates = np.array([[9.0, 9.0, 1.0, 4.0]])
    np.testing.assert_allclose(settled_rate({"decay_effective_rate": rates}), [2.0], rtol=1e-6)


def test_every_product_is_run_once_per_seed():
    for chosen in (Config().products, Config().momentum_products):
        products, seeds = runs(Config(), chosen)
        assert len(set(zip(products.tolist(), seeds.tolist(), strict=True))) == len(products) == 52
    validate(Config())
    validate(QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"products": (0.1, 0.2)}, "at least three"),
        ({"products": (0.1, 0.2, 1.0)}, "between 0 and 1"),
        ({"products": (0.1, 0.3, 0.2)}, "rising"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"momentum_products": (0.1, 1.0, 11.0)}, "momentum_products is .* between 0 and 10"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"seeds": ()}, "at least one"),
        ({"record": 70}, "multiple"),
        ({"steps": 3000}, "multiple of chunk"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        validate(dataclasses.replace(Config(), **change))


def test_runs_with_hardly_any_momentum_are_those_without():
    products = (1e-3, 0.1, 0.9)
    config = Config(
        products=products, momentum_products=products, momentum=1e-9, seeds=(0, 1),
        train_images=60, widths=(4,), steps=40, chunk=40, record=5, batch_size=20,
    )  # fmt: skip
    with jax.enable_x64(False):
        found = measure(config, Session()).arrays
    assert found["momentum_loss"].shape == (6, 8)
    # Rounding, which the chaotic ones of these runs amplify; one differs from another by more.
    np.testing.assert_allclose(found["momentum_loss"], found["decay_loss"], rtol=5e-3)
    rows = found["decay_loss"]
    apart = np.abs(rows[:, None] / rows - 1).max(axis=-1)
    assert apart[~np.eye(6, dtype=bool)].min() > 0.05
    np.testing.assert_array_equal(found["momentum_seed"], found["seed"])
