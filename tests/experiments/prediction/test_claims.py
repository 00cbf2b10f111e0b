"""Each claim holds on ideal runs, and each falls when the runs do not bear it out."""

import numpy as np
import pytest

from tests.experiments.prediction.ideal import ideal_arrays
from wdjax.experiments.prediction import claims
from wdjax.training import Outcome

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}
FIRST_GROUP = np.s_[6:12:3]  # of ResNet under AdamW, in both seeds
ONE_MODEL = np.s_[6:12]
EVERY = np.s_[:]


@pytest.fixture
def arrays():
    return ideal_arrays()


def test_all_claims_hold_on_ideal_runs(arrays):
    verdicts = claims.check(arrays)
    assert [verdict.outcome for verdict in verdicts] == [Outcome.HOLDS] * 8
    assert all(verdict.because == "" for verdict in verdicts)
    assert [verdict.claim.split(":")[0] for verdict in verdicts] == ["heavy-ball", "AdamW"] * 4


def times(name, factor, where):
    def spoil(arrays):
        arrays[name][where] *= factor

    return spoil


def slower(factor, *names, where=EVERY):
    """Deviations that take longer to decay."""

    def spoil(arrays):
        for name in names:
            curve = arrays[name][where]
            arrays[name][where] = curve[:, :1] * (curve / curve[:, :1]) ** (1 / factor)

    return spoil


def course(error, share, where):
    def spoil(arrays):
        arrays["course_error"][where] = error
        arrays["course_within"][where] = share

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("angle", times("angle", 1.014, EVERY), Outcome.HOLDS),
        ("angle", times("angle", 1.03, FIRST_GROUP), Outcome.IN_PART),
        ("angle", times("angle", 0.97, FIRST_GROUP), Outcome.IN_PART),
        ("angle", times("angle", 1.02, ONE_MODEL), Outcome.FAILS),
        ("angle", times("angle", 0.98, ONE_MODEL), Outcome.FAILS),
        ("norm", times("norm", 1.029, EVERY), Outcome.HOLDS),
        ("norm", times("norm", 0.95, FIRST_GROUP), Outcome.IN_PART),
        ("norm", times("norm", 0.95, ONE_MODEL), Outcome.FAILS),
        ("relaxation", slower(1.08, "relaxation"), Outcome.HOLDS),
        ("relaxation", slower(0.85, "relaxation"), Outcome.FAILS),
        ("relaxation", slower(1.2, "relaxation", where=ONE_MODEL), Outcome.FAILS),
        ("relaxation", slower(1.2, "relaxation", "relaxation_given_moment"), Outcome.IN_PART),
        ("course", course(0.049, 1.0, EVERY), Outcome.HOLDS),
        ("course", course(0.2, 0.8, FIRST_GROUP), Outcome.IN_PART),
        ("course", course(0.2, 0.8, ONE_MODEL), Outcome.FAILS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays, "AdamW")
    assert verdict.outcome == outcome, verdict.measured


def test_the_claims_about_one_optimiser_do_not_see_the_others(arrays):
    for name in ("angle", "norm", "course_error"):
        arrays[name][ONE_MODEL] *= 100
    slower(3.0, "relaxation", where=ONE_MODEL)(arrays)
    for claim in claims.CLAIMS:
        assert claim(arrays, "heavy-ball").outcome == Outcome.HOLDS


def test_the_spread_is_that_of_the_seeds(arrays):
    arrays["norm"][[6, 7, 8]] *= 1.02  # the first seed of ResNet under AdamW
    cell, other = claims.cells(arrays, "AdamW", "norm", "predicted_norm")
    assert (cell.mean, cell.spread) == pytest.approx((1.01, 0.01))
    assert (cell.lowest, cell.highest) == pytest.approx((1.01, 1.01))
    assert (other.mean, other.spread) == pytest.approx((1.0, 0.0))
    assert str(cell) == "ResNet 1.010 ± 0.010 (groups 1.010 to 1.010)"


def test_times_of_curves_are_not_mistaken_for_rows_where_there_are_as_many(arrays):
    cut = {n: v[:, :24] if v.ndim == 2 else v for n, v in arrays.items()}
    cut |= {name: arrays[name][:24] * 4 for name in ("relaxation_time", "course_step")}
    assert len(cut["relaxation_time"]) == len(cut["model"])
    _, rows = next(claims.rows_of(cut, "AdamW"))
    assert len(rows["relaxation_time"]) == 24


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_decay_time_is_recovered(noise):
    time = np.arange(0, 800, 4)
    wobble = noise * np.random.default_rng(0).normal(size=len(time))
    found = claims.decay_time(time, 0.7 * np.exp(-time / 130) + wobble, expected=100.0)
    assert found == pytest.approx(130, rel=0.05 if noise else 1e-3)


def test_the_numbers_are_plain_and_finite(arrays):
    for verdict in claims.check(arrays):
        assert all(type(value) is float for value in verdict.numbers.values())
        assert np.all(np.isfinite(list(verdict.numbers.values())))


def test_what_does_not_hold_has_a_reason_with_what_was_measured(arrays):
    arrays["norm"] *= 1.2
    because = [verdict.because for verdict in claims.check(arrays) if verdict.because]
    assert len(because) == 2
    assert all("-0.020 (ResNet), -0.020 (transformer)" in reason for reason in because)
