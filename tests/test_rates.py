import math

import optax
import pytest

from wdjax import rates

WARM_UP = optax.warmup_cosine_decay_schedule(0.0, 0.4, 5, 50)


def test_each_convention_multiplies_by_what_its_name_says():
    for step in range(50):
        eta = float(WARM_UP(step))
        assert rates.lr_coupled(0.1, WARM_UP)(step) == pytest.approx(0.1 * eta)
        assert rates.scheduled(0.1, WARM_UP, peak=0.4)(step) == pytest.approx(0.1 * eta / 0.4)
        assert rates.independent(0.1) == 0.1


def test_numbers_give_numbers():
    assert rates.lr_coupled(0.1, 0.5) == pytest.approx(0.05)
    assert rates.scheduled(0.1, 0.5) == 0.1
    assert rates.scheduled(0.1, 0.5, peak=2.0) == pytest.approx(0.025)


def test_decay_may_have_a_schedule_beside_the_learning_rate_s():
    both = rates.lr_coupled(lambda step: 0.1 / (1 + step), WARM_UP)
    assert both(3) == pytest.approx(0.1 / 4 * float(WARM_UP(3)))
    assert rates.lr_coupled(lambda step: 0.1 / (1 + step), 0.5)(1) == pytest.approx(0.025)


def test_an_independent_rate_may_have_a_schedule_of_its_own():
    assert rates.independent(WARM_UP) is WARM_UP


@pytest.mark.parametrize("constructor", [rates.lr_coupled, rates.scheduled])
@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ((-0.1, 0.1), "weight_decay"),
        ((math.nan, 0.1), "weight_decay"),
        ((0.1, -1), "learning_rate"),
    ],
)
def test_bad_numbers_are_refused(constructor, bad, name):
    with pytest.raises(ValueError, match=f"{name} is"):
        constructor(*bad)


def test_the_peak_of_a_schedule_must_be_given_and_positive():
    with pytest.raises(ValueError, match="peak="):
        rates.scheduled(0.1, WARM_UP)
    with pytest.raises(ValueError, match="peak is 0"):
        rates.scheduled(0.1, WARM_UP, peak=0.0)
