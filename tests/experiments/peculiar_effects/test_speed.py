import dataclasses

import numpy as np
import pytest

from wdjax.experiments.peculiar_effects import speed
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session


def arrays(with_norm, without):
    """Two seeds each, that reach the loss at these steps (beyond 1,000: never)."""
    step = np.arange(100, 1001, 100)
    loss = [[np.where(step >= at, 1e-3, 0.1) for at in kind] for kind in (with_norm, without)]
    values = np.array(loss)
    return {"step": step, "seed": np.arange(2), "loss": values, "train_accuracy": 1 - values}


@pytest.mark.parametrize(
    ("with_norm", "without", "outcome"),
    [
        ((200, 300), (400, 900), Outcome.HOLDS),
        ((200, 300), (2000, 2000), Outcome.HOLDS),
        ((200, 600), (400, 2000), Outcome.IN_PART),
        ((200, 300), (400, 300), Outcome.FAILS),
        ((200, 2000), (400, 2000), Outcome.FAILS),
    ],
)
def test_the_claim_holds_and_falls(with_norm, without, outcome):
    (found,) = speed.check(arrays(with_norm, without))
    assert found.outcome == outcome
    assert np.isfinite(list(found.numbers.values())).all()


def test_what_is_cut_off_is_a_bound():
    measured = [speed.check(arrays((200, 300), at))[0].measured for at in ((400, 900), (400, 2000))]
    assert ["at least" in text for text in measured] == [False, True]


@pytest.mark.parametrize("change", [{"seeds": ()}, {"steps": 0}])
def test_settings_that_cannot_be_judged_are_refused(change):
    with pytest.raises(ValueError, match="expected a seed, and a positive number"):
        speed.measure(dataclasses.replace(speed.Config(), **change), Session())


def test_figures_are_made_from_the_record_alone():
    record = RunRecord("", "", {}, {}, "", 1.0, (), arrays((200, 300), (400, 900)))
    assert all(len(png(plot.figure)) > 5_000 for plot in speed.plots(record))
