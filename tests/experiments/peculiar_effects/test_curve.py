import dataclasses

import numpy as np
import pytest
from scipy import stats

from tests.experiments.peculiar_effects.ideal import curve_arrays, spoilt
from wdjax.experiments.peculiar_effects.curve import claims, plots
from wdjax.experiments.peculiar_effects.curve import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def test_claims_hold_on_ideal_measurements_but_for_the_name_of_the_norm():
    outcomes = {v.of: v.outcome for v in claims.check(curve_arrays())}
    assert outcomes.pop("norm-is-sum-of-squares") == FAILS
    assert outcomes.pop("simple-interpolations") == PART  # simplicity is not measured
    assert set(outcomes.values()) == {HOLDS}


def test_the_fit_is_the_first_epoch_above_the_articles_accuracy():
    arrays = curve_arrays()
    assert set(arrays["step"][claims.fitted(arrays)]) == {78 * 47}  # 3,665, counted from 0
    arrays["train_accuracy"][1] = 0.999
    assert claims.fitted(arrays)[1] == -1


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 50), rng.integers(0, 9, 50)
    expected = stats.spearmanr(x, y).statistic
    assert claims.rank_correlation(x, y) == pytest.approx(expected, abs=1e-12)
    assert claims.rank_correlation(x, np.ones(50)) == 0


def never_fits(arrays):
    return spoilt(arrays, train_accuracy=np.full_like(arrays["train_accuracy"], 0.9))


def generalises_at_once(arrays):
    return spoilt(arrays, test_accuracy=np.ones_like(arrays["test_accuracy"]))


def keeps_its_norm(arrays):
    flat = np.linspace(110, 111, 385) * np.ones((4, 1))
    return spoilt(arrays, norm_sum=flat, squared_norm=flat**2)


def halves_its_norm_too_late(arrays):
    return spoilt(arrays, norm_sum=117 - 10 * arrays["step"] / 3e4 * np.ones((4, 1)))


def squares_are_117(arrays):
    return spoilt(arrays, squared_norm=arrays["norm_sum"])


def squares_start_at_117(arrays):
    return spoilt(arrays, squared_norm=arrays["norm_sum"] ** 2 / 117)


def generalises_a_little_better(arrays):
    test = arrays["test_accuracy"].copy()
    test[1::2] = test[::2] - 0.2
    return spoilt(arrays, test_accuracy=test)


def larger_with_decay(arrays):
    norm = arrays["norm_sum"].copy()
    norm[::2] *= 3
    return spoilt(arrays, norm_sum=norm)


def generalises_without(arrays):
    test = arrays["test_accuracy"].copy()
    test[1::2] = test[::2]
    return spoilt(arrays, test_accuracy=test)


def losses(value):
    return lambda arrays: spoilt(arrays, loss=np.full_like(arrays["loss"], value))


@pytest.mark.parametrize(
    ("rule", "spoil", "outcome"),
    [
        (claims.memorised, never_fits, FAILS),
        (claims.memorised, generalises_at_once, PART),
        (claims.almost_zero_loss, losses(5e-3), PART),
        (claims.almost_zero_loss, losses(0.05), FAILS),
        (claims.norm_falls, keeps_its_norm, FAILS),
        (claims.norm_falls, halves_its_norm_too_late, PART),
        (claims.norms_match, squares_are_117, HOLDS),
        (claims.norms_match, squares_start_at_117, PART),
        (claims.norms_match, lambda arrays: arrays, FAILS),
        (claims.norms_match, keeps_its_norm, FAILS),
        (claims.correlated, generalises_without, PART),
        (claims.correlated, keeps_its_norm, FAILS),
        (claims.simpler, generalises_without, FAILS),
        (claims.simpler, never_fits, FAILS),
        (claims.simpler, generalises_a_little_better, FAILS),
        (claims.simpler, larger_with_decay, FAILS),
    ],
)
def test_each_claim_falls_on_spoilt_measurements(rule, spoil, outcome):
    assert rule(spoil(curve_arrays())).outcome == outcome


@pytest.mark.parametrize("change", [{"weight_decay": 0.0}, {"seeds": ()}])
def test_settings_that_cannot_be_judged_are_refused(change):
    with pytest.raises(ValueError, match="expected a positive λ and a seed"):
        running.measure(dataclasses.replace(running.Config(), **change), Session())


def test_figures_are_made_from_the_record_alone():
    record = RunRecord("addition-curve", "", {}, {}, "", 1.0, (), curve_arrays())
    (plot,) = plots(record)
    assert len(png(plot.figure)) > 5_000
