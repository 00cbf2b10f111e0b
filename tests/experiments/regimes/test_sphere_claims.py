"""Each claim of the three regimes holds on ideal runs, and falls with its measurement."""

import numpy as np
import pytest

from tests.experiments.regimes.ideal import (
    CHAOS,
    CONVERGE,
    DROP,
    RATES,
    RECORDS,
    sphere_arrays,
)
from wdjax.experiments.regimes.article import ARTICLE
from wdjax.experiments.regimes.sphere import claims
from wdjax.experiments.regimes.sphere.measured import rank_correlation, regimes
from wdjax.training import Outcome

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}
SEEDS = 3
CONVERGENT, CHAOTIC = np.tile(CONVERGE, SEEDS), np.tile(CHAOS, SEEDS)
DIVERGENT = ~CONVERGENT & ~CHAOTIC
RATE = np.tile(RATES, SEEDS)
ABOVE = CONVERGENT & (RATE > DROP)
BELOW = RATE < DROP / 2
FALLING = 1 / (1.0 + np.arange(RECORDS))


def only(chosen, count):
    """The first few of the chosen runs."""
    return np.flatnonzero(chosen)[:count]


@pytest.fixture
def arrays():
    return sphere_arrays()


def test_all_claims_hold_on_ideal_runs(arrays):
    verdicts = claims.check(arrays)
    assert [(v.claim, v.measured) for v in verdicts if v.outcome != Outcome.HOLDS] == []
    assert all(verdict.because == "" for verdict in verdicts)
    assert {verdict.of for verdict in verdicts} <= {claim.key for claim in ARTICLE.claims}


def test_the_regimes_are_told_apart(arrays):
    found = regimes(arrays)
    assert set(found[CONVERGENT]) == {"convergent"}
    assert set(found[CHAOTIC]) == {"chaotic"}
    assert set(found[DIVERGENT]) == {"divergent"}


def put(name, value, where=np.s_[:]):
    def spoil(arrays):
        arrays[name][where] = value

    return spoil


def times(name, factor, where=np.s_[:]):
    def spoil(arrays):
        arrays[name] = np.asarray(arrays[name], float)
        arrays[name][where] *= factor

    return spoil


def never_chaotic(count):
    def spoil(arrays):
        arrays["own_loss"][arrays["seed"] < count] = np.where(
            CONVERGENT[arrays["seed"] < count, None],
            arrays["own_loss"][arrays["seed"] < count],
            4.0,
        )

    return spoil


def drifts(arrays):
    arrays["own_loss"][np.ix_(CHAOTIC, [6, 7])] *= 1.4


def drifts_and_falls(arrays):
    chosen = np.flatnonzero(CHAOTIC)
    arrays["own_loss"][chosen] = 3 - arrays["own_loss"][chosen]
    drifts(arrays)


def reversed_errors(arrays):
    arrays["own_test_error"][CONVERGENT] *= -1


def one_error_out_of_order(arrays):
    arrays["own_test_error"][RATES[1] == RATE] = 0.0
    arrays["own_test_error"][RATES[2] == RATE] = 0.2


def flat_only_by_depth(arrays):
    arrays["own_full_loss"][CONVERGENT] = arrays["own_sharpness"][CONVERGENT] / 10


def less_trained(stage, chosen, factor):
    """Neither sharpness over loss nor the test error changes."""

    def spoil(arrays):
        arrays[f"{stage}_full_loss"][chosen] *= factor
        arrays[f"{stage}_sharpness"][chosen] *= factor

    return spoil


def in_place(arrays):
    for name in ("sharpness", "full_loss", "test_error"):
        arrays[f"back_{name}"][BELOW] = arrays[f"drop_{name}"][BELOW]


def one_regime_of_gradients(chosen, values):
    def spoil(arrays):
        arrays["own_effective_gradient"][chosen] = values

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("invariance", put("own_cosine", 1e-5), Outcome.IN_PART),
        ("invariance", put("proven", False, 1), Outcome.FAILS),
        ("invariance", times("own_effective_rate", 2), Outcome.IN_PART),
        ("three_regimes", never_chaotic(1), Outcome.IN_PART),
        ("three_regimes", never_chaotic(2), Outcome.FAILS),
        ("gradient_norm", one_regime_of_gradients(only(CONVERGENT, 1), 1.0), Outcome.IN_PART),
        ("gradient_norm", one_regime_of_gradients(CONVERGENT, 1.0), Outcome.FAILS),
        ("gradient_norm", one_regime_of_gradients(only(CHAOTIC, 1), FALLING), Outcome.IN_PART),
        ("gradient_norm", one_regime_of_gradients(~CONVERGENT, FALLING), Outcome.FAILS),
        ("flatter", flat_only_by_depth, Outcome.IN_PART),
        ("flatter", put("own_sharpness", 1.0), Outcome.FAILS),
        ("better", one_error_out_of_order, Outcome.IN_PART),
        ("better", reversed_errors, Outcome.FAILS),
        ("below_edge", put("own_sharpness", 1e9, (only(CONVERGENT, 1), 1)), Outcome.IN_PART),
        ("below_edge", put("own_sharpness", 1e9, np.s_[:, 0]), Outcome.HOLDS),
        ("below_edge", put("own_sharpness", 1e9, np.s_[:, 1]), Outcome.FAILS),
        ("below_edge", put("own_sharpness", 1e9), Outcome.FAILS),
        ("lowered", put("drop_barrier", 1.0, only(ABOVE, 1)), Outcome.IN_PART),
        ("lowered", put("drop_barrier", 1.0), Outcome.FAILS),
        ("lowered", times("drop_sharpness", 2), Outcome.FAILS),
        ("raised", put("back_barrier", 0.0, only(BELOW, 3)), Outcome.IN_PART),
        ("raised", put("back_barrier", 0.0), Outcome.FAILS),
        ("arrives", less_trained("back", BELOW, 1.6), Outcome.IN_PART),
        ("arrives", times("back_full_loss", 1 / 1.6, BELOW), Outcome.FAILS),
        ("arrives", times("back_test_error", 1.01, RATES[0] == RATE), Outcome.IN_PART),
        ("arrives", times("back_test_error", 1.4, RATES[0] == RATE), Outcome.FAILS),
        ("arrives", less_trained("back", BELOW, 50), Outcome.FAILS),
        ("arrives", in_place, Outcome.FAILS),
        ("level", drifts, Outcome.IN_PART),
        ("level", drifts_and_falls, Outcome.FAILS),
        ("level", never_chaotic(3), Outcome.FAILS),
        ("returns", times("back_loss", 1.5, RATES[6] == RATE), Outcome.IN_PART),
        ("returns", times("back_loss", 1.5), Outcome.FAILS),
        ("at_edge", times("own_sharpness", 10, RATES[6] == RATE), Outcome.IN_PART),
        ("at_edge", times("own_sharpness", 0.1), Outcome.FAILS),
        ("learns_anew", put("drop_loss", 1.0, only(CHAOTIC, 1)), Outcome.IN_PART),
        ("learns_anew", put("drop_loss", 1.0), Outcome.FAILS),
        ("learns_anew", never_chaotic(3), Outcome.FAILS),
        ("best_start", put("drop_test_error", 0.2, CHAOTIC), Outcome.FAILS),
        ("best_start", put("drop_test_error", 0.0, DIVERGENT), Outcome.FAILS),
        ("best_start", never_chaotic(3), Outcome.FAILS),
        ("flat_start", times("drop_sharpness", 30, CHAOTIC), Outcome.IN_PART),
        ("flat_start", less_trained("drop", CHAOTIC, 50), Outcome.IN_PART),
        ("flat_start", never_chaotic(3), Outcome.FAILS),
        ("flat_start", times("drop_sharpness", 500, CHAOTIC), Outcome.FAILS),
        ("random_walk", put("own_turn", 0.2, only(DIVERGENT, 1)), Outcome.IN_PART),
        ("random_walk", put("own_loss", 2.0, (only(DIVERGENT, 1), 0)), Outcome.FAILS),
        ("random_walk", times("random_loss", 0.7), Outcome.HOLDS),
        ("random_walk", times("random_loss", 9), Outcome.FAILS),
        ("random_level", put("own_loss", 5.0, only(DIVERGENT, 1)), Outcome.IN_PART),
        ("random_level", times("random_loss", 0.7), Outcome.FAILS),
        ("random_level", times("random_loss", 9), Outcome.FAILS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured
    assert verdict.because or outcome == Outcome.HOLDS


def test_a_gain_within_the_scatter_of_seeds_holds_in_part(arrays):
    for seed, error in ((0, 0.0), (1, 0.05), (2, 0.1)):
        arrays["drop_test_error"][CHAOTIC & (arrays["seed"] == seed)] = error
    assert CHECKS["best_start"](arrays).outcome == Outcome.IN_PART


def test_with_one_seed_no_test_error_is_said_to_be_alike():
    assert CHECKS["arrives"](sphere_arrays(seeds=(0,))).outcome == Outcome.IN_PART


def test_the_numbers_are_plain_and_finite(arrays):
    for spoil in (lambda _: None, never_chaotic(3), put("own_loss", 4.0), put("own_loss", 0.0)):
        spoil(arrays)
        for verdict in claims.check(arrays):
            assert all(type(value) is float for value in verdict.numbers.values())
            assert np.all(np.isfinite(list(verdict.numbers.values()))), verdict.claim


def test_ranks_are_what_counts():
    x = np.arange(5.0)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1)
    assert rank_correlation(x[:2], x[:2]) == 0
