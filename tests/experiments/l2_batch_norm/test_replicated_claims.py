"""Each claim of the replication holds on ideal runs, and falls on spoilt ones."""

import numpy as np
import pytest

from tests.experiments.l2_batch_norm.ideal import identities, replicated
from wdjax.experiments.l2_batch_norm import EXPERIMENTS
from wdjax.experiments.l2_batch_norm.article import ARTICLE
from wdjax.experiments.l2_batch_norm.identities import claims as identity_claims
from wdjax.experiments.l2_batch_norm.replicated import claims
from wdjax.experiments.l2_batch_norm.replicated.arms import ARMS
from wdjax.training import Outcome

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}
HOLDS, IN_PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
L2, FREE, TWIN, SCALED = range(len(ARMS))


@pytest.fixture
def arrays():
    return replicated()


def test_all_claims_hold_on_ideal_runs(arrays):
    verdicts = claims.check(arrays)
    assert {v.of: v.outcome for v in verdicts if v.outcome != HOLDS} == {}
    assert all(verdict.because == "" for verdict in verdicts)


def test_every_claim_of_the_article_is_answered_or_excused(arrays):
    keys = [claim.key for claim in ARTICLE.claims]
    answered = {v.of for v in (*claims.check(arrays), *identity_claims.check(identities()))}
    excused = {claim.key for claim in ARTICLE.claims if claim.untested}
    assert len(keys) == len(set(keys))
    assert answered | excused == set(keys)
    assert not answered & excused


def times(name, where, factor):
    def spoil(arrays):
        arrays[name][where] *= factor

    return spoil


def plus(name, where, term):
    def spoil(arrays):
        arrays[name][where] += term

    return spoil


def uncertain(name, size):
    """In the last phase seeds without L2 differ by a size."""

    def spoil(arrays):
        part = arrays[name][FREE, :, 20:]
        noise = size * np.array([-1.0, 1.0, -1.0, 1.0])
        part += noise.reshape(-1, *[1] * (part.ndim - 1))

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("weights_grow", times("squared_norm", np.s_[FREE, :, 5], 0.5), IN_PART),
        ("weights_grow", times("squared_norm", np.s_[FREE], 0.1), FAILS),
        ("decaying_rate", times("relative_step", np.s_[FREE], 1.8), IN_PART),
        ("decaying_rate", times("relative_step", np.s_[FREE], 9), FAILS),
        ("equilibrium", times("squared_norm", np.s_[L2, :, 8:10], 1.2), IN_PART),
        ("equilibrium", times("relative_step", np.s_[L2, :, 8:10], 2), FAILS),
        ("piecewise_factor", times("knots", np.s_[:, 2], 1.3), IN_PART),
        ("piecewise_factor", times("knots", np.s_[:, 2], 3), FAILS),
        ("steps_replicated", times("angle", np.s_[SCALED, :, 20:], 1.3), IN_PART),
        ("steps_replicated", times("angle", np.s_[SCALED, :, 20:], 3), FAILS),
        ("exponential_growth", times("squared_norm", np.s_[SCALED, :, 8], 10), IN_PART),
        ("exponential_growth", times("squared_norm", np.s_[SCALED], 1e-4), FAILS),
        ("accuracy_gap", plus("accuracy", np.s_[FREE, :, 20:], 0.1), FAILS),
        ("accuracy_gap", uncertain("accuracy", 0.02), IN_PART),
        ("accuracy_gap", uncertain("accuracy", 0.2), FAILS),
        ("underfits", times("loss", np.s_[FREE], 0.1), FAILS),
        ("underfits", uncertain("loss", 0.3), IN_PART),
        ("overfits", times("test_loss", np.s_[FREE], 0.1), FAILS),
        ("overfits", uncertain("test_loss", 0.3), IN_PART),
        ("restored", plus("accuracy", np.s_[FREE, :, 20:], 0.1), IN_PART),
        ("restored", plus("accuracy", np.s_[SCALED, :, 20:], -0.02), FAILS),
        ("no_regularisation_lost", times("test_loss", np.s_[SCALED], 1.5), IN_PART),
        ("no_regularisation_lost", times("test_loss", np.s_[FREE], 0.5), IN_PART),
        ("no_regularisation_lost", times("test_loss", np.s_[[TWIN, SCALED]], 1.5), FAILS),
        ("headline", times("loss", np.s_[TWIN, :, 0], 1.1), FAILS),
        ("headline", times("loss", np.s_[TWIN, :, 10:], 1.05), IN_PART),
        ("headline", times("loss", np.s_[TWIN, :, 10:], 5), FAILS),
        ("early_accuracy", plus("accuracy", np.s_[SCALED, :, :10, 0], 0.19), IN_PART),
        ("early_accuracy", plus("accuracy", np.s_[SCALED, :, :10, 0], 0.3), FAILS),
        ("lagging_variances", times("lag", np.s_[SCALED, :, :10, 0], 1.4), IN_PART),
        ("lagging_variances", times("lag", np.s_[SCALED], 3), FAILS),
        ("inference_alone", plus("accuracy", np.s_[TWIN, :, :10, 2], -0.1), IN_PART),
        ("inference_alone", plus("accuracy", np.s_[TWIN, :, :10, 2], -0.3), FAILS),
        ("shorter_window", plus("accuracy", np.s_[SCALED, :, :10, 1], -0.12), IN_PART),
        ("shorter_window", plus("accuracy", np.s_[SCALED, :, :10, 1], -0.2), FAILS),
        ("overshoot", plus("accuracy", np.s_[L2, :, :10, 1], -0.1), IN_PART),
        ("overshoot", plus("accuracy", np.s_[SCALED, :, :10, 1], -0.1), FAILS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured
    assert (verdict.because == "") == (outcome == HOLDS)


def test_one_seed_is_never_sure(arrays):
    per_run = {"loss", "squared_norm", "relative_step", "angle", "lag", "accuracy", "test_loss"}
    one = {name: a[:, :1] if name in per_run else a for name, a in arrays.items()}
    one |= {name: arrays[name][:1] for name in ("initial", "knots", "seed")}
    outcomes = {verdict.of: verdict for verdict in claims.check(one)}
    assert outcomes["accuracy gap"].outcome == IN_PART
    assert "(one seed)" in outcomes["accuracy gap"].measured
    for verdict in outcomes.values():
        assert np.all(np.isfinite(list(verdict.numbers.values())))


def test_the_numbers_are_plain(arrays):
    for verdict in claims.check(arrays):
        assert all(type(value) is float for value in verdict.numbers.values())


def test_the_experiments_belong_to_the_article():
    assert {experiment.article for experiment in EXPERIMENTS} == {ARTICLE.key}
