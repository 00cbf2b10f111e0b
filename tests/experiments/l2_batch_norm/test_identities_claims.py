"""Each identity's claim holds on ideal measurements, and falls on spoilt ones."""

import numpy as np
import pytest

from tests.experiments.l2_batch_norm.ideal import identities
from wdjax.experiments.l2_batch_norm.article import ARTICLE
from wdjax.experiments.l2_batch_norm.identities import claims
from wdjax.training import Outcome

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}
HOLDS, IN_PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
USUAL, ZERO = np.s_[:, 0], np.s_[:, 1]


@pytest.fixture
def arrays():
    return identities()


def test_all_claims_hold_on_ideal_measurements(arrays):
    verdicts = claims.check(arrays)
    assert [verdict.outcome for verdict in verdicts] == [HOLDS] * len(claims.CLAIMS)
    assert all(verdict.because == "" for verdict in verdicts)


def test_each_verdict_answers_a_claim_of_the_article(arrays):
    tested = {claim.key for claim in ARTICLE.claims if not claim.untested}
    assert {verdict.of for verdict in claims.check(arrays)} <= tested


@pytest.mark.parametrize(
    ("claim", "name", "where", "value", "outcome"),
    [
        ("invariance", "layer output", np.s_[0, 0, 0], 1e-9, FAILS),
        ("invariance", "layer statistics", np.s_[0, 0, 0], 1e-9, FAILS),
        ("invariance", "network logits", ZERO, 1e-6, FAILS),
        ("invariance", "network logits", np.s_[0], 0.05, HOLDS),
        ("invariance", "network logits", USUAL, 0.05, IN_PART),
        ("invariance", "network logits", USUAL, 0.5, FAILS),
        ("batch_size", "network logits", np.s_[0, 0], 0.5, HOLDS),
        ("batch_size", "network logits", np.s_[1, 0], 0.5, IN_PART),
        ("batch_size", "network logits", np.s_[0, 1], 1e-6, FAILS),
        ("no_restoring_force", "network radial", USUAL, 0.02, IN_PART),
        ("no_restoring_force", "network radial", ZERO, 0.02, FAILS),
        ("gains_and_biases", "network gradient", ZERO, 1e-7, IN_PART),
        ("gains_and_biases", "network logits", ZERO, 1e-7, FAILS),
        ("direction", "network direction", np.s_[0], 0.06, HOLDS),
        ("direction", "network direction", USUAL, 0.06, IN_PART),
        ("direction", "network direction", ZERO, 1e-7, FAILS),
        ("gradient_scale", "network gradient", USUAL, 0.06, IN_PART),
        ("gradient_scale", "network gradient", ZERO, 1e-7, FAILS),
        ("relative_step", "network step", USUAL, 0.06, IN_PART),
        ("relative_step", "network step", ZERO, 1e-7, FAILS),
        ("outward", "run outward", np.s_[0, 3], 0.9, IN_PART),
        ("outward", "run growth", np.s_[0, 3], -1e-4, FAILS),
        ("momentum", "run rescaled", np.s_[:, 1], 1e-3, IN_PART),
        ("momentum", "run rescaled", np.s_[:, 0], 1e-3, FAILS),
        ("weight_decay", "run sgd_decay", np.s_[0], 1e-3, FAILS),
        ("adam_step", "network adam_step", np.s_[1, 0, 0], 0.3, IN_PART),
        ("adam_step", "network adam_step", ZERO, 1e-7, FAILS),
        ("adam", "run adam_decay", np.s_[0], 0.1, FAILS),
        ("head", "network head_radial", np.s_[:], 1e-9, IN_PART),
        ("head", "network head", np.s_[0, 0, 0], 1e-3, FAILS),
        ("window", "network statistics", np.s_[0, 0, 0], 1e-18, FAILS),
        ("initial_sum", "initial sum", np.s_[:2], 793.0, IN_PART),
        ("initial_sum", "initial sum", np.s_[:], 784.0, FAILS),
        ("without_batch_norm", "plain_scaled", np.s_[0, :, 1], -0.1, IN_PART),
        ("without_batch_norm", "plain_squares", np.s_[0, 1, 7], 4.0, FAILS),
        ("without_batch_norm", "plain_squares", np.s_[1, 1, 7], 400.0, HOLDS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, name, where, value, outcome):
    arrays[name][where] = value
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured
    assert (verdict.because == "") == (outcome == HOLDS)


def test_the_numbers_are_plain_and_finite(arrays):
    for verdict in claims.check(arrays):
        assert all(type(value) is float for value in verdict.numbers.values())
        assert np.all(np.isfinite(list(verdict.numbers.values())))
