import numpy as np
import pytest

from wdjax.experiments.peculiar_effects import blow_up
from wdjax.experiments.peculiar_effects.judging import because
from wdjax.training import Outcome

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def course(at_jumps, after=1e-3):
    """Three jumps, of these variances; what is before and after each."""
    jumps = np.array([5, 15, 25])
    variance = np.full(30, 1e-4)
    variance[jumps], variance[jumps + 2] = at_jumps, after
    return variance, jumps


@pytest.mark.parametrize(
    ("variance", "outputs", "outcome"),
    [
        (1e-6, (4.0,), HOLDS),
        (1e-6, (1.0,), PART),
        (1e-4, (4.0,), PART),
        (1e-4, (1.0, 4.0), PART),
        (1e-4, (1.0, 1.0), FAILS),
        ([1e-4, 1e-6, 1e-6], (1.0,), FAILS),
    ],
)
def test_variances_are_judged_where_the_loss_jumps(variance, outputs, outcome):
    found = blow_up.variance_near_zero([course(variance)] * 2, 1e-5, outputs, "m", "instead")
    assert found.outcome == outcome


@pytest.mark.parametrize(("after", "outcome"), [(4e-4, HOLDS), (2e-4, PART), (5e-5, FAILS)])
def test_a_variance_recovers_if_it_is_high_again(after, outcome):
    variance, jumps = course(1e-6, after)
    variance[np.add.outer(jumps, (1, 3))] = 0
    assert blow_up.variance_recovers([(variance, jumps)], "steps").outcome == outcome


def test_a_jump_at_an_end_has_nothing_to_recover_to():
    found = blow_up.variance_recovers([(np.ones(4), np.array([0, 3]))], "steps")
    assert found.outcome == FAILS and found.because


def test_gaps_are_compared_with_those_of_their_run():
    runs = [np.array([100, 110, 90]), np.array([10, 10, 10, 13]), np.zeros(0)]
    assert blow_up.regular(runs) == pytest.approx(6 / 7)
    assert blow_up.regular([np.zeros(0)]) == blow_up.regular([]) == 0
    assert "1 of 2" in blow_up.irregular([np.array([3.0, 2.0]), np.array([2.0, 3.0])])
    assert blow_up.irregular([np.zeros(0)])


def test_reasons_are_those_that_apply():
    assert because((1, "a."), (0, "b."), (True, "c.")) == "a. c."
