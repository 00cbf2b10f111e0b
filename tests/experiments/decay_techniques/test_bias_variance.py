"""Rules of `bias-variance` on ideal and spoilt arrays; ridge and the parts of the error."""

import dataclasses

import numpy as np
import pytest

from tests.experiments.decay_techniques import ideal
from wdjax.experiments.decay_techniques.bias_variance import claims, models, problem, run
from wdjax.experiments.decay_techniques.bias_variance.config import QUICK, Config, validate
from wdjax.training import Outcome

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


@pytest.fixture
def arrays():
    return ideal.bias_variance()


def test_all_holds_where_the_article_is_right(arrays):
    outcomes = {claim.__name__: claim(arrays).outcome for claim in claims.CLAIMS}
    assert set(outcomes.values()) == {HOLDS}, outcomes


def put(name, value, where=np.s_[...]):
    def spoil(arrays):
        arrays[name] = np.array(arrays[name], float)
        arrays[name][where] = value

    return spoil


def no_gain(arrays):
    """The risk only rises, where there is little noise; chosen λ are as good as the best."""
    rising = 1 + 0.1 * np.arange(9)
    arrays["risk"][:, 0] = rising + 1e-4 * np.arange(8)[:, None]
    arrays["held_error"] = arrays["risk"]


def only_rises(arrays):
    arrays["risk"] = np.broadcast_to(1 + 0.1 * np.arange(9), arrays["risk"].shape)
    arrays["held_error"] = -arrays["risk"]


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        (claims.trade_off, put("variance", 1.0, 0), PART),
        (claims.trade_off, put("bias", 1.0), FAILS),
        (claims.sweet_spot, no_gain, PART),
        (claims.sweet_spot, only_rises, FAILS),
        (claims.underfits, put("error", 1.0, 0), PART),
        (claims.underfits, put("error", 1.0), FAILS),
        (claims.noisy, put("risk", 1.0, 0), PART),
        (claims.noisy, only_rises, FAILS),
        (claims.robust, put("output", 1e-6, np.s_[..., 1:]), PART),
        (claims.robust, put("shaken", 1.0), FAILS),
        (claims.simpler, put("freedom", 30.0, np.s_[:, :5]), PART),
        (claims.simpler, put("freedom", 31.0, np.s_[:, 8]), PART),
        (claims.simpler, put("freedom", 30.0), FAILS),
        (claims.spreads_alike, put("spread_alike", 1.0, 0), PART),
        (claims.spreads_alike, put("spread_alike", 1.0), FAILS),
        (claims.many_features, put("spread", 1.0, 0), PART),
        (claims.many_features, put("spread", 1.0), FAILS),
        (claims.selects, put("irrelevant", 0.9, np.s_[..., 1:]), PART),
        (claims.selects, put("irrelevant", 1.0), FAILS),
        (claims.irrelevant_pays, put("many_risk", 0.01, np.s_[1, :, 1]), PART),
        (claims.irrelevant_pays, put("many_risk", 0.5, np.s_[:, :, 0]), FAILS),
        (claims.shrinks, put("norm", 1.1, np.s_[..., 1]), PART),
        (claims.shrinks, put("norm", 2.0, np.s_[..., 1:]), FAILS),
    ],
)
def test_each_rule_can_come_out_otherwise(arrays, claim, spoil, outcome):
    spoil(arrays)
    found = claim(arrays)
    assert found.outcome == outcome, found.measured


@pytest.fixture(scope="module")
def sets():
    return problem.draw(QUICK, QUICK.irrelevant)


def test_ridge_minimises_its_objective(sets):
    """Against least squares on the data with √(nλ) rows added, intercept and all."""
    decays, shake = np.array([0.0, 0.3]), 0.1 * np.ones_like(sets.test_x)
    fits = models.ridge(sets, decays, shake)
    count, size = sets.x.shape[1:]
    for s, q, k in ((0, 0, 0), (1, 1, 1), (5, 0, 1)):
        rows = np.hstack([sets.x[s], np.ones((count, 1))])
        penalty = np.hstack([np.sqrt(count * decays[k]) * np.eye(size), np.zeros((size, 1))])
        solution, *_ = np.linalg.lstsq(
            np.vstack([rows, penalty]), np.append(sets.y[q, s], np.zeros(size)), rcond=None
        )
        expected = np.hstack([sets.test_x, np.ones((len(sets.test_x), 1))]) @ solution
        np.testing.assert_allclose(fits.test[s, q, k], expected, rtol=1e-8, atol=1e-9)
        residual = rows @ solution - sets.y[q, s]
        np.testing.assert_allclose(fits.error[s, q, k], np.mean(residual**2), rtol=1e-8)
        np.testing.assert_allclose(fits.norm[s, q, k], np.sum(solution[:-1] ** 2), rtol=1e-8)
        moved = np.mean((shake @ solution[:-1]) ** 2)
        np.testing.assert_allclose(fits.shaken[s, q, k], moved, rtol=1e-8)


def test_sgd_with_decay_converges_to_ridge(sets):
    x, y, lam = sets.x[0], sets.y[0, 0], 0.3
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(4000):
        error = x @ w + b - y
        w, b = (1 - 0.1 * lam) * w - 0.1 * x.T @ error / len(x), b - 0.1 * error.mean()
    fits = models.ridge(sets, np.array([lam]), np.zeros_like(sets.test_x))
    np.testing.assert_allclose(fits.test[0, 0, 0], sets.test_x @ w + b, rtol=1e-6, atol=1e-8)


def test_the_risk_is_bias_and_variance(sets):
    fits = models.ridge(sets, np.array([0.01, 1.0]), np.zeros_like(sets.test_x))
    found = run.taken_apart(fits, sets, relevant=5, informative=15)
    total = found["bias"] + found["variance"]
    np.testing.assert_allclose(found["risk"].mean(axis=1), total, rtol=1e-10)
    assert found["bias_left_out"].shape == (6, 2, 2)


def test_weights_are_compared_within_the_copies_of_an_input(sets):
    fits = models.ridge(sets, np.array([0.01]), np.zeros_like(sets.test_x))
    features = np.zeros_like(fits.features)
    features[..., [0, 5, 10]] = 2.0  # an input and its copies
    features[..., [1, 2, 3, 4]] = 1.0  # inputs without theirs
    found = run.taken_apart(fits._replace(features=features), sets, relevant=5, informative=15)
    np.testing.assert_allclose(found["spread_alike"], (3 + 4 * 1) / 5)


def test_degrees_of_freedom_are_the_trace_from_targets_to_outputs(sets):
    x = sets.x[1] - sets.x[1].mean(axis=0)
    count, size = x.shape
    hat = x @ np.linalg.solve(x.T @ x / count + 0.3 * np.eye(size), x.T) / count
    freedom = models.degrees_of_freedom(sets, np.array([0.0, 0.3]))
    np.testing.assert_allclose(freedom[1], [size, np.trace(hat)], rtol=1e-8)


def test_the_effective_number_counts_equal_weights():
    values = np.array([[1.0, -1.0, 1.0, 0.0], [0.0, 3.0, 0.0, 0.0]])
    np.testing.assert_allclose(run._effective_number(np.abs(values)), [3.0, 1.0])


def test_the_problem_has_a_truth_of_variance_one_and_its_noise():
    config = dataclasses.replace(
        QUICK, test_inputs=20_000, examples=2000, training_sets=4, held_out=1, noises=(0.5, 2.0)
    )
    sets = problem.draw(config, 3)
    assert sets.truth.mean() == pytest.approx(0, abs=0.05)
    assert sets.truth.var() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(sets.test_x.var(axis=0), 1, atol=0.05)
    assert np.corrcoef(sets.test_x[:, 0], sets.test_x[:, 5])[0, 1] == pytest.approx(0.894, abs=0.02)
    spread = (sets.y[1] - sets.y[0]).std()  # the same draw, 2 − 0.5 deviations apart
    assert spread == pytest.approx(1.5, rel=0.05)


def test_sets_do_not_depend_on_how_many_are_drawn():
    more = problem.draw(QUICK, 5)
    later = problem.draw(dataclasses.replace(QUICK, first_set=2, training_sets=4), 5)
    np.testing.assert_array_equal(more.x[2:], later.x)
    np.testing.assert_array_equal(more.y[:, 2:], later.y)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"noises": (1.0, 0.5)}, "ascending"),
        ({"many_irrelevant": (5,)}, "two or more"),
        ({"decays": (1.0,)}, "as many values"),
        ({"training_sets": 3}, "training_sets is 3"),
        ({"steps": 150}, "multiple of 100"),
        ({"batch_size": 41}, "no more than examples"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_bad_settings_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        validate(dataclasses.replace(QUICK, **change))
    validate(QUICK)
    validate(Config())
