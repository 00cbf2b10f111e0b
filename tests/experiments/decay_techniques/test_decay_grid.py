"""Rules of `decay-grid` on ideal and spoilt maps, and how the maps are read."""

import dataclasses

import numpy as np
import pytest

from tests.experiments.decay_techniques import ideal
from wdjax.experiments.decay_techniques.decay_grid import claims, maps
from wdjax.experiments.decay_techniques.decay_grid.config import QUICK, Config, axis, validate
from wdjax.training import Outcome

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def test_all_holds_where_the_article_is_right():
    arrays = ideal.decay_grid()
    outcomes = {claim.__name__: claim(arrays).outcome for claim in claims.CLAIMS}
    assert set(outcomes.values()) == {HOLDS}, outcomes


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5])
def test_the_slope_of_a_planted_ridge_is_found(power):
    arrays = ideal.decay_grid(power)
    for network, optimiser in ((0, 1), (1, 2)):
        slope = maps.tilt(arrays, network, optimiser)
        assert slope.slope == pytest.approx(power, abs=0.06)
        assert slope.error < 0.05


def scaled(name, value, where):
    def spoil(arrays):
        arrays[name] = np.array(arrays[name])
        arrays[name][where] = value
        return arrays

    return spoil


def shifted(optimiser, amount, network=np.s_[:]):
    """Accuracies of one optimiser's decay are lower."""

    def spoil(arrays):
        for name in ("test", "validation"):
            arrays[name] = np.array(arrays[name])
            arrays[name][network, optimiser, :, :, 1:] -= amount
        return arrays

    return spoil


def like(one, other, network=np.s_[:]):
    """One optimiser gets the maps of another."""

    def spoil(arrays):
        for name in ("test", "validation"):
            arrays[name][network, one] = arrays[name][network, other]
        return arrays

    return spoil


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        (claims.decay_helps, shifted(np.s_[:], 0.2, 0), PART),
        (claims.decay_helps, shifted(np.s_[:], 0.2), FAILS),
        (claims.shrinks, scaled("norms", 1.9, np.s_[0, 0, :, 5, :]), PART),
        (claims.shrinks, scaled("norms", 2.0, np.s_[1]), FAILS),
        (claims.explodes, scaled("norms", 1.0, np.s_[0, 0, :, 0, :]), PART),
        (claims.explodes, scaled("norms", 1.0, np.s_[:, :, :, 0, :]), FAILS),
        (claims.memorises, scaled("memorised", 0.5, np.s_[0, :, :, :, 0]), PART),
        (claims.memorises, scaled("memorised", 0.99, np.s_[0, :, :, 4]), PART),
        (claims.memorises, scaled("memorised", 0.98, ...), FAILS),
        (claims.coupled_worse, shifted(1, 0.04, 0), PART),
        (claims.coupled_worse, shifted(1, 0.04), FAILS),
        (claims.swapped, like(0, 1, 0), PART),
        (claims.swapped, scaled("test", 0.76, np.s_[:, 1, :, 2, 5]), PART),
        (claims.swapped, scaled("test", 0.88, np.s_[:, 1, :, 0, 9]), PART),
        (claims.swapped, scaled("loss", 1.0, ...), FAILS),
        (claims.swapped, like(0, 1), FAILS),
        (claims.underfits, scaled("train", 1.0, np.s_[0]), PART),
        (claims.underfits, scaled("train", 1.0, ...), FAILS),
    ],
)
def test_each_rule_can_come_out_otherwise(claim, spoil, outcome):
    found = claim(spoil(ideal.decay_grid()))
    assert found.outcome == outcome, found.measured


def test_the_best_decay_follows_the_rate_or_not():
    assert claims.predictable(ideal.decay_grid(-1.0)).outcome == FAILS
    assert claims.predictable(ideal.decay_grid(0.5)).outcome == FAILS
    assert claims.predictable(ideal.decay_grid(0.2)).outcome == HOLDS


def with_validation(network, values):
    """The ideal maps, but for AdamW's validation accuracies in one network."""
    arrays = ideal.decay_grid()
    arrays["validation"][network, 1] = values(arrays["validation"][network, 1])
    return arrays


def test_the_best_decay_is_constant_in_part_if_it_is_so_in_one_network():
    moved = ideal.decay_grid(0.5)["validation"][1, 1]
    assert claims.predictable(with_validation(1, lambda _: moved)).outcome == PART


def test_no_slope_is_known_where_decay_gains_at_one_rate_only():
    def one_rate(scores):
        flat = np.repeat(scores[..., :1], scores.shape[-1], axis=-1)
        flat[:, 2] = scores[:, 2]
        return flat

    arrays = with_validation(1, one_rate)
    found = maps.tilt(arrays, 1, 1)
    assert found.rates == 1 and not found.known
    assert claims.predictable(arrays).outcome == PART


def test_a_slope_that_hangs_on_a_seed_is_not_constant():
    def uncertain(scores):
        scores[1:] = ideal.decay_grid(0.25)["validation"][1, 1, 1:]
        scores[0] = ideal.decay_grid(-0.25)["validation"][1, 1, 0]
        return scores

    arrays = with_validation(1, uncertain)
    found = maps.tilt(arrays, 1, 1)
    assert abs(found.slope) <= claims.ALIGNED
    assert claims.predictable(arrays).outcome == PART


def test_a_slope_without_an_error_is_not_known():
    """All rates but one are good for the sake of one seed only."""

    def one_seed(scores):
        scores[1:, [0, 1, 3, 4]] -= 0.05
        scores[0, [0, 1, 3, 4]] += 0.16
        return scores

    found = maps.tilt(with_validation(1, one_seed), 1, 1)
    assert found.rates > 1 and np.isfinite(found.slope) and not found.known


def test_settings_of_one_rate_and_near_to_one():
    arrays = ideal.decay_grid()
    cell = maps.decayed(arrays, 0, 1, 3)
    assert (cell.rate, arrays["weight_decay"][cell.decay]) == (3, pytest.approx(0.1))
    eta, lam = maps.settings(arrays, maps.nearest(arrays, 0, 1, 1.2e-3, 0.008))
    assert (eta, lam) == (pytest.approx(1e-3), pytest.approx(0.01))


def test_one_decay_suits_two_optimisers_only_if_its_place_is_the_same():
    arrays = ideal.decay_grid()
    arrays["learning_rate"] = np.stack([arrays["learning_rate"][0]] * 3)
    moved = {name: np.array(arrays[name]) for name in ("test", "validation")}
    for values in moved.values():
        values[:, 2] = np.roll(values[:, 2], -4, axis=-1)
        values[:, 2, ..., 0] = 0.7
    assert claims.consistent(arrays | moved).outcome == FAILS
    rates = np.array(arrays["learning_rate"])
    rates[2] *= 100  # the same decay per step
    assert claims.consistent(arrays | moved | {"learning_rate": rates}).outcome == PART


def test_the_axis_is_even_and_reaches_its_ends():
    values = axis((1e-4, 3.2e-2), 2)
    np.testing.assert_allclose(np.diff(np.log10(values)), 0.5)
    assert len(values) == 6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"decays": (1.0, 1.0)}, "decays"),
        ({"noise": 0.0}, "noise is 0.0"),
        ({"noise": 1.0}, "noise is 1.0"),
        ({"seeds": (1,)}, "2 or more"),
        ({"steps": 90}, "multiple of chunk"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_settings_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        validate(dataclasses.replace(QUICK, **change))
    validate(QUICK)
    validate(Config())


def test_only_rates_at_which_decay_gains_say_which_is_best():
    decays = np.array([0.0, 0.1, 1.0])
    scores = np.array(
        [[0.90, 0.90, 0.90], [0.86, 0.88, 0.90], [0.80, 0.895, 0.86], [0.5, 0.6, 0.5]]
    )
    np.testing.assert_array_equal(maps.good_rates(scores, decays), [1, 2])
    np.testing.assert_array_equal(maps.good_rates(scores[[0, 1, 3]], decays), [1])
