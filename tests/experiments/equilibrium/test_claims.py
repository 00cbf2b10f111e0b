"""Each claim holds on ideal runs, and each falls when the runs do not bear it out."""

import numpy as np
import pytest

from tests.experiments.equilibrium.ideal import ideal_arrays
from wdjax.experiments.equilibrium import claims
from wdjax.training import Outcome

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}


@pytest.fixture
def arrays():
    return ideal_arrays()


def test_all_claims_hold_on_ideal_runs(arrays):
    assert [verdict.outcome for verdict in claims.check(arrays)] == [Outcome.HOLDS] * 6


def product(arrays):
    return (arrays["learning_rate"] * arrays["weight_decay"])[:, None, None]


def scaled_norm(power):
    """A gradient moment that depends on ηλ: the norm goes as its power."""

    def spoil(arrays):
        decays = arrays["weight_decay"] > 0
        factor = np.where(decays[:, None, None], np.maximum(product(arrays), 1e-9) ** power, 1)
        arrays["squared_norm"] *= factor
        arrays["gradient_moment"] *= factor**2

    return spoil


def wrong_exponent(power):
    """A norm that goes as another power of η/λ."""

    def spoil(arrays):
        decays = arrays["weight_decay"] > 0
        ratio = arrays["learning_rate"] / np.where(decays, arrays["weight_decay"], 1)
        arrays["squared_norm"] *= np.where(decays, ratio**power, 1)[:, None, None]

    return spoil


def times(name, factor, where=np.s_[:]):
    def spoil(arrays):
        arrays[name][where] *= factor

    return spoil


def drifting(rate, where=np.s_[:]):
    def spoil(arrays):
        trend = np.exp(rate * np.arange(16))[None, :, None]
        arrays["squared_norm"][where] = (arrays["squared_norm"] * trend)[where]

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("orthogonality", times("cosine", 1e4, np.s_[3]), Outcome.FAILS),
        ("orthogonality", times("inverse_scaling_residual", 1e4, np.s_[3, 7]), Outcome.IN_PART),
        ("orthogonality", times("inverse_scaling_residual", 1e4), Outcome.FAILS),
        ("growth", drifting(0.1), Outcome.FAILS),
        ("growth", drifting(0.1, np.s_[:3]), Outcome.IN_PART),
        ("growth", times("squared_norm", 0.5, np.s_[9, 8:]), Outcome.FAILS),
        ("norm_scaling", scaled_norm(-0.1), Outcome.IN_PART),
        ("norm_scaling", wrong_exponent(0.06), Outcome.FAILS),
        ("norm_scaling", wrong_exponent(0.2), Outcome.FAILS),
        ("rate_scaling", scaled_norm(-0.08), Outcome.IN_PART),
        ("rate_scaling", scaled_norm(0.2), Outcome.FAILS),
        ("scale", scaled_norm(-0.1), Outcome.IN_PART),
        ("scale", times("squared_norm", 1.5), Outcome.FAILS),
        ("angle", times("angle", 1.03), Outcome.IN_PART),
        ("angle", times("angle", 1.08, np.s_[0, :, 1]), Outcome.IN_PART),
        ("angle", times("angle", 1.08), Outcome.FAILS),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured


def test_the_numbers_are_plain_and_finite(arrays):
    for verdict in claims.check(arrays):
        assert all(type(value) is float for value in verdict.numbers.values())
        assert np.all(np.isfinite(list(verdict.numbers.values())))


def test_what_holds_needs_no_reason_and_the_rest_has_one(arrays):
    assert all(verdict.because == "" for verdict in claims.check(arrays))
    times("inverse_scaling_residual", 1e4, np.s_[3, 7])(arrays)
    first = claims.check(arrays)[0]
    assert first.because.endswith("before the pilot run: holds in part.")
    times("inverse_scaling_residual", 1e2, np.s_[3, 7])(arrays)
    assert claims.check(arrays)[0].because.endswith("before the pilot run: does not hold.")


def test_growth_without_decay_is_compared_with_its_law(arrays):
    verdict = CHECKS["growth"](arrays)
    assert verdict.numbers["growth_over_law"] == pytest.approx(1, abs=1e-6)


def test_the_exponents_are_recovered(arrays):
    scaled_norm(-0.1)(arrays)
    assert CHECKS["rate_scaling"](arrays).numbers["slope"] == pytest.approx(0.6, abs=1e-3)
    assert CHECKS["norm_scaling"](arrays).numbers["slope"] == pytest.approx(0.5, abs=0.01)
