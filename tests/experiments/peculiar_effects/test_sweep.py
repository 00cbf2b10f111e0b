import dataclasses

import numpy as np
import pytest

from tests.experiments.peculiar_effects.ideal import spoilt, sweep_arrays
from wdjax.experiments.peculiar_effects.sweep import claims, plots
from wdjax.experiments.peculiar_effects.sweep import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def test_all_claims_hold_on_ideal_measurements():
    found = [
        rule for rule in claims.check(sweep_arrays()) if "published plot, if" not in rule.claim
    ]
    assert [verdict.outcome for verdict in found] == [HOLDS] * 8
    assert not any(verdict.because for verdict in found)


def test_the_published_plot_may_have_been_trained_for_longer():
    """Ten times the λ of the published one, after a tenth of the steps."""
    arrays = spoilt(sweep_arrays(), step=np.array([39_000]))
    assert claims.on_its_time_scale(arrays).outcome == FAILS
    later = np.interp(np.log(arrays["weight_decay"] / 10), np.log(known()[0]), known()[1])
    arrays["test_at_end"][:6] = later[:6]
    assert claims.on_its_time_scale(arrays).outcome == HOLDS
    arrays["test_at_end"][3] = 0.5
    assert claims.on_its_time_scale(arrays).outcome == PART
    assert claims.on_its_time_scale(sweep_arrays()).outcome == FAILS


def known():
    return np.array(list(claims.AS_PUBLISHED)), list(claims.AS_PUBLISHED.values())


def changed(name, **at):
    arrays = sweep_arrays()
    values = arrays[name].copy()
    for index, value in at.items():
        values[int(index[1:])] = value
    return spoilt(arrays, **{name: values})


@pytest.mark.parametrize(
    ("rule", "arrays", "outcome"),
    [
        (claims.too_low, changed("train_at_end", _0=0.5), FAILS),
        (claims.too_low, changed("test_at_end", _1=0.7), PART),
        (claims.too_low, changed("test_at_end", _1=0.9), FAILS),
        (claims.too_high, changed("train_at_end", _7=0.8), PART),
        (claims.too_high, changed("train_at_end", _7=1.0), FAILS),
        (claims.small_weights, changed("norm_at_end", _7=50.0), PART),
        (claims.small_weights, changed("norm_at_end", _7=200.0), FAILS),
        (claims.threshold, changed("train_at_end", _2=0.9), PART),
        (claims.threshold, changed("train_at_end", _5=0.9), FAILS),
        (claims.threshold, changed("train_at_end", _6=1.0), FAILS),
        (claims.suitable, changed("test_at_end", _4=0.92), PART),
        (claims.suitable, changed("test_at_end", _4=0.3), FAILS),
        (claims.sweet_spot, changed("test_at_end", _0=0.9), PART),
        (claims.sweet_spot, changed("test_at_end", _0=1.0), FAILS),
        (claims.as_published, changed("test_at_end", _2=0.5), PART),
        (claims.as_published, changed("test_at_end", _2=0, _3=0, _4=0, _5=0), FAILS),
        (claims.in_domain, changed("held_out_at_end", _0=0.9), PART),
        (claims.in_domain, changed("held_out_at_end", _0=0.9, _1=0.9), FAILS),
    ],
)
def test_each_claim_falls_on_spoilt_measurements(rule, arrays, outcome):
    assert rule(arrays).outcome == outcome
    assert rule(arrays).because


def test_means_are_over_the_seeds():
    arrays = sweep_arrays()
    twice = {
        name: values if name == "step" else np.concatenate([values, values])
        for name, values in arrays.items()
    }
    twice["test_at_end"][-1] = 0.5
    lams, mean = claims.by_decay(twice, "test_at_end")
    np.testing.assert_array_equal(lams, arrays["weight_decay"])
    np.testing.assert_allclose(mean[:-1], arrays["test_at_end"][:-1])
    assert mean[-1] == 0.25


def test_the_last_fifty_epochs_are_averaged():
    epochs = 200
    course = np.tile(np.arange(epochs) / epochs, (2, 1))
    arrays = {
        "weight_decay": np.array([0.1, 1.0]),
        "seed": np.zeros(2, int),
        "step": 78 * np.arange(1, epochs + 1),
        **{f"{name}_accuracy": course for name in ("train", "test", "held_out")},
        "norm_sum": course,
    }
    kept = running.recorded(arrays)
    np.testing.assert_allclose(kept["test_at_end"], np.mean(np.arange(150, 200)) / 200)
    assert kept["step"].size == kept["test_accuracy"].shape[1] == 40
    assert kept["step"][-1] == 78 * epochs


def test_some_decays_are_repeated():
    assert len(running.runs(running.Config()).seed) == 8
    runs = running.runs(running.Config(repeated=(3e-3,), seeds=(0, 1, 2)))
    assert len(runs.seed) == 8 + 2
    assert set(runs.weight_decay[runs.seed > 0]) == set(np.float32([3e-3]))
    assert len(running.runs(running.QUICK).seed) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_decays": (1e-3, 1.0)}, "0.1 among them"),
        ({"seeds": ()}, "a seed at least"),
        ({"weight_decays": (0.1, 1.0)}, "some up to 0.003"),
        ({"repeated": (0.2,)}, "expected some of weight_decays"),
        ({"steps": 100}, "expected 312 at least"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        running.measure(dataclasses.replace(running.Config(), **change), Session())


def test_figures_are_made_from_the_record_alone():
    record = RunRecord("addition-sweep", "", {}, {}, "", 1.0, (), sweep_arrays())
    for plot in plots(record):
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")
