import dataclasses

import numpy as np
import pytest

from wdjax.experiments.peculiar_effects import noise
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
SMOOTH = np.array([0.1, 0.5, 0.9, 0.8, 0.3])
DIPS = np.array([0.1, 0.5, 0.9, 0.6, 0.8])


def arrays(noisy=DIPS, clean=SMOOTH, fitted=4):
    train = np.where(np.arange(5) < fitted, 1.0, 0.5)
    return {
        "weight_decay": np.tile([0.01, 0.1, 0.2, 0.4, 0.8], 2),
        "noise": np.repeat([0.0, 0.02], 5),
        "seed": np.zeros(10, int),
        "train_accuracy": np.tile(train, 2),
        "test_accuracy": np.concatenate([clean, noisy]),
        "held_out_accuracy": np.concatenate([clean, noisy]),
    }


@pytest.mark.parametrize(
    ("measured", "outcomes"),
    [
        (arrays(), (HOLDS, HOLDS)),
        (arrays(noisy=SMOOTH), (HOLDS, FAILS)),
        (arrays(clean=DIPS), (FAILS, PART)),
        (arrays(fitted=0), (PART, PART)),
        (arrays(fitted=5), (PART, PART)),
        (arrays(noisy=SMOOTH, fitted=0), (PART, PART)),
        (arrays(noisy=SMOOTH, fitted=1), (PART, PART)),
        (arrays(clean=DIPS, fitted=0), (FAILS, PART)),
    ],
)
def test_claims_hold_and_fall(measured, outcomes):
    found = noise.check(measured)
    assert tuple(verdict.outcome for verdict in found) == outcomes
    assert all(v.because for v in found if v.outcome != HOLDS)


def test_the_threshold_is_the_largest_decay_that_fits():
    assert noise.threshold(arrays(), True) == 0.4
    assert noise.threshold(arrays(fitted=0), True) == 0
    assert [noise.inside(arrays(fitted=n), True) for n in (0, 1, 2, 4, 5)] == [
        False,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_decays": (0.1, 0.2)}, "expected three at least"),
        ({"weight_decays": (0.1, 0.3, 0.2)}, "ascending"),
        ({"seeds": ()}, "a seed"),
        ({"noises": (0.1, 0.2)}, "expected 0"),
        ({"noises": (0.0, 1.2)}, "a probability"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        noise.measure(dataclasses.replace(noise.Config(), **change), Session())


@pytest.mark.parametrize("fitted", [0, 4])
def test_figures_are_made_from_the_record_alone(fitted):
    record = RunRecord("", "", {}, {}, "", 1.0, (), arrays(fitted=fitted))
    (plot,) = noise.plots(record)
    assert len(png(plot.figure)) > 5_000
