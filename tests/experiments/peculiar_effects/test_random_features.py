import dataclasses

import numpy as np
import pytest

from wdjax.experiments.peculiar_effects.random_features import claims, plots
from wdjax.experiments.peculiar_effects.random_features import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("features", [5, 40])
def test_solutions_are_those_of_the_normal_equations(features):
    known, new = RNG.normal(size=(20, features)), RNG.normal(size=(7, features))
    labels, unseen = RNG.integers(0, 10, 20), RNG.integers(0, 10, 7)
    targets = np.eye(10)[labels] - 0.1
    found = running.solutions(known, new, targets, unseen, (0.0, 0.3))
    for at, decay in enumerate((0.0, 0.3)):
        gram = known.T @ known + 20 * decay * np.eye(features)
        solution = np.linalg.pinv(gram if decay else known) @ (
            known.T @ targets if decay else targets
        )
        fit, guess = known @ solution - targets, new @ solution
        off = guess - (np.eye(10)[unseen] - 0.1)
        expected = {
            "train_error": np.mean(np.sum(fit**2, axis=1)),
            "test_error": np.mean(np.sum(off**2, axis=1)),
            "accuracy": np.mean(guess.argmax(axis=1) == unseen),
            "norm": np.linalg.norm(solution),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][at], value, rtol=1e-10, atol=1e-12)


def test_a_feature_that_is_never_on_does_no_harm():
    known = np.concatenate([RNG.normal(size=(6, 3)), np.zeros((6, 1))], axis=1)
    targets = np.eye(10)[:6] - 0.1
    found = running.solutions(known, known, targets, np.arange(6), (0.0, 0.1))
    assert all(np.isfinite(values).all() for values in found.values())


def ideal():
    """Five widths, threshold at the third; (seeds, widths, noises, decays)."""
    width = np.array([20, 200, 400, 800, 3200])
    train = np.array([0.6, 0.2, 0, 0, 0])
    none = {"noisy": [0.8, 0.4, 9.0, 2.0, 0.9], "clean": [0.7, 0.3, 0.35, 0.33, 0.3]}
    test = np.empty((1, 5, 2, 3))
    for at, kind in enumerate(("clean", "noisy")):
        test[0, :, at, 0] = none[kind]
        test[0, :, at, 1] = np.minimum(none[kind], 0.3)
        test[0, :, at, 2] = 1.0
    test[0, 0, :, 1] = test[0, 0, :, 0]
    test[0, 1, 1, 1] = 0.3
    norm = np.array([1.0, 5.0, 100.0, 30.0, 10.0])
    accuracy = np.full((1, 5, 2, 3), 0.9)
    accuracy[0, :, 1, 1] = 0.5
    return {
        "width": width,
        "decay": np.array([0.0, 0.01, 1.0]),
        "noise": np.array([0.0, 0.2]),
        "images": np.array(400),
        "train_error": train[None, :, None, None] + np.tile([0, 1e-3, 1e-2], (1, 5, 2, 1)),
        "test_error": test,
        "norm": norm[None, :, None, None] * np.ones((1, 5, 2, 1)) * [1.0, 0.2, 0.1],
        "accuracy": accuracy,
    }


def test_all_claims_hold_on_ideal_measurements():
    found = claims.check(ideal())
    assert [(v.of, v.outcome) for v in found if v.outcome != HOLDS] == []


def spoil(name, where, value):
    arrays = ideal()
    arrays[name][where] = value
    return arrays


NOISY = (0, slice(None), 1, 0)


@pytest.mark.parametrize(
    ("rule", "arrays", "outcome"),
    [
        (claims.regions, spoil("train_error", (0, 0), 0.01), PART),
        (claims.regions, spoil("test_error", (0, 0, 1, 0), 0.45), PART),
        (claims.regions, spoil("test_error", (0, 2, 1, 0), 0.3), FAILS),
        (claims.less_expressive, spoil("train_error", (0, 4, 1, 2), 0.0), PART),
        (claims.less_expressive, spoil("train_error", (0, slice(None), 1, 2), 0.0), FAILS),
        (claims.hurts_underfitting, spoil("test_error", (0, 0, 1, 1), 0.799), PART),
        (claims.hurts_underfitting, spoil("test_error", (0, 0, 1, 1), 0.5), PART),
        (claims.hurts_underfitting, spoil("test_error", (0, 1, 1), 0.4), FAILS),
        (claims.descent, spoil("test_error", (0, 4, 1, 0), 8.0), PART),
        (claims.descent, spoil("test_error", (0, 4, 1, 0), 9.5), FAILS),
        (claims.at_threshold, spoil("test_error", (0, 1, 1, 0), 20.0), PART),
        (claims.at_threshold, spoil("test_error", (0, 3, 1, 0), 20.0), PART),
        (claims.at_threshold, spoil("test_error", (0, 0, 1, 0), 20.0), FAILS),
        (claims.at_threshold, spoil("test_error", (0, 4, 1, 0), 20.0), FAILS),
        (claims.bumpy, spoil("test_error", (0, 2, 0, 0), 0.5), PART),
        (claims.bumpy, spoil("width", 2, 401), PART),
        (claims.bumpy, spoil("norm", (0, 4, 1, 0), 200.0), FAILS),
        (claims.bumpy, spoil("test_error", (0, 2, 0, 0), 20.0), FAILS),
        (claims.smoother, spoil("test_error", (0, 3, 1, 0), 0.8), PART),
        (claims.smoother, spoil("norm", (0, 4, 1, 0), 200.0), FAILS),
        (claims.picks, spoil("test_error", (0, 4, 1, 1), 0.95), PART),
        (claims.picks, spoil("norm", (0, 4, 1, 1), 20.0), PART),
        (claims.picks, spoil("train_error", (0, 2, 1, np.s_[1:]), 0.2), PART),
        (claims.picks, spoil("train_error", (0, np.s_[2:], 1, np.s_[1:]), 0.2), FAILS),
        (
            claims.picks,
            spoil("test_error", (0, np.s_[2:], 1, np.s_[1:]), 10.0),
            FAILS,
        ),
        (claims.dip, spoil("accuracy", (0, 0, 0, 1), 0.5), PART),
        (claims.dip, spoil("accuracy", (0, slice(None), 1, 1), 0.9), FAILS),
    ],
)
def test_each_claim_falls_on_spoilt_measurements(rule, arrays, outcome):
    found = rule(arrays)
    assert found.outcome == outcome and found.because
    assert np.isfinite(list(found.numbers.values())).all()


def test_one_seed_of_three_cannot_move_the_peak():
    arrays = ideal()
    for name in ("train_error", "test_error", "norm", "accuracy"):
        arrays[name] = np.repeat(arrays[name], 3, axis=0)
    arrays["test_error"][1, 1, 1, 0] = 9e3
    assert claims.at_threshold(arrays).outcome == HOLDS


def test_the_peak_may_be_where_the_training_error_is_nearly_zero():
    arrays = spoil("train_error", (0, 2), 0.005)
    assert claims.threshold(arrays) == 3 and claims.threshold(arrays, claims.NEARLY) == 2
    assert claims.at_threshold(arrays).outcome == claims.bumpy(arrays).outcome == HOLDS


def test_a_dip_has_something_higher_on_both_sides():
    assert claims.depth_of_dip(np.array([0.1, 0.5, 0.9, 0.2])) == 0
    assert claims.depth_of_dip(np.array([0.9, 0.1, 0.2, 0.1, 0.6])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (0.1, 2.0)}, "1 and above"),
        ({"widths": (0.1, 1.0)}, "2 at least"),
        ({"decays": (0.1, 1.0, 2.0)}, "expected 0 and two more"),
        ({"noises": (0.1, 0.2)}, "expected 0 and another"),
        ({"seeds": ()}, "a seed"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    config = dataclasses.replace(running.Config(), **change)
    with pytest.raises(ValueError, match=message):
        running.measure(config, Session())


def test_figures_are_made_from_the_record_alone():
    record = RunRecord("", "", {}, {}, "", 1.0, (), ideal())
    assert all(len(png(plot.figure)) > 5_000 for plot in plots(record))
