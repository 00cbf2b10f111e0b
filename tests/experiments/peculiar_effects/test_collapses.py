import dataclasses

import numpy as np
import pytest

from tests.experiments.peculiar_effects.ideal import COLLAPSES, EPOCHS, collapse_arrays, spoilt
from wdjax.experiments.peculiar_effects.collapses import claims, plots
from wdjax.experiments.peculiar_effects.collapses import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def test_all_claims_hold_on_ideal_measurements():
    arrays = collapse_arrays()
    found = claims.check(arrays)
    assert [verdict.outcome for verdict in found] == [HOLDS] * 7
    for run in (0, 2):
        np.testing.assert_array_equal(claims.collapses(arrays, run), COLLAPSES)
        np.testing.assert_array_equal(claims.jumps(arrays, run), COLLAPSES)


def calm(arrays):
    """The runs with the small ε are as those with the large one."""
    return {
        name: values if name in ("epsilon", "step", "seed") else values[[1, 1, 3, 3]]
        for name, values in arrays.items()
    }


def one_run_calm(arrays):
    return {
        name: values if name in ("epsilon", "step", "seed") else values[[0, 1, 3, 3]]
        for name, values in arrays.items()
    }


def large_collapses_too(arrays):
    return {
        name: values if name in ("epsilon", "step", "seed") else values[[0, 0, 2, 3]]
        for name, values in arrays.items()
    }


def bounded(arrays):
    """What is: in training normalised values cannot blow up, at evaluation they can."""
    return spoilt(arrays, train_normalised=np.full_like(arrays["train_normalised"], 5.0))


def bounded_everywhere(arrays):
    return spoilt(bounded(arrays), test_normalised=arrays["variance"] + 5)


def varied(arrays):
    """Variances that are ten times as large: not near ε at the jumps."""
    return spoilt(arrays, variance=10 * arrays["variance"])


def bounded_and_varied(arrays):
    return varied(bounded_everywhere(arrays))


def variance_stays_low(arrays):
    """It rises at the jumps, and falls further and further."""
    rises = 1 + (np.abs(np.arange(EPOCHS)[:, None] - COLLAPSES - 1) < 1).any(axis=1)
    return spoilt(arrays, variance=np.tile(1e-3 * rises, (4, 1)))


def constant_variance(arrays):
    falling = np.geomspace(1e-3, 1e-6, EPOCHS)
    return spoilt(arrays, variance=np.tile(falling, (4, 1)))


def at(epochs):
    """Collapses in these epochs alone."""

    def spoil(arrays):
        test = np.where(arrays["step"] < 10_000, 0.02, 0.95) * np.ones((4, 1))
        test[np.ix_([0, 2], epochs)] = 0.1
        return spoilt(arrays, test_accuracy=test)

    return spoil


def one_run_collapses_often(arrays):
    """The other does not: their mean is near that of the article."""
    test = at(np.arange(180, 513, 20))(arrays)["test_accuracy"]
    test[2] = test[1]
    return spoilt(arrays, test_accuracy=test)


def fitted_early(arrays):
    return spoilt(
        arrays, train_accuracy=np.where(arrays["step"] < 4000, 0.5, 1.0) * np.ones((4, 1))
    )


def falls_from_jump_to_jump(arrays):
    slope = np.exp(-0.02 * np.arange(EPOCHS))
    return spoilt(arrays, norm_sum=arrays["norm_sum"] * slope)


def before_convergence(arrays):
    return spoilt(arrays, train_accuracy=np.full_like(arrays["train_accuracy"], 0.9))


def grows_between(arrays):
    return spoilt(arrays, norm_sum=np.cumsum(np.ones_like(arrays["norm_sum"]), axis=1))


@pytest.mark.parametrize(
    ("rule", "spoil", "outcome"),
    [
        (claims.fluctuations, one_run_calm, PART),
        (claims.fluctuations, calm, FAILS),
        (claims.fluctuations, at([180, 200, 240, 320, 480]), PART),
        (claims.as_published, calm, FAILS),
        (claims.as_published, at(np.arange(300, 513, 20)), PART),
        (claims.as_published, one_run_collapses_often, PART),
        (claims.converged, before_convergence, FAILS),
        (claims.converged, fitted_early, PART),
        (claims.converged, at([]), PART),
        (claims.converged, one_run_calm, PART),
        (claims.converged, calm, FAILS),
        (claims.blown_up, bounded, PART),
        (claims.blown_up, bounded_everywhere, PART),
        (claims.blown_up, varied, PART),
        (claims.blown_up, bounded_and_varied, FAILS),
        (claims.blown_up, calm, FAILS),
        (claims.recovers, variance_stays_low, PART),
        (claims.recovers, constant_variance, FAILS),
        (claims.recovers, calm, FAILS),
        (claims.cycle, grows_between, FAILS),
        (claims.cycle, falls_from_jump_to_jump, PART),
        (claims.cycle, calm, FAILS),
        (claims.remedy, large_collapses_too, PART),
        (claims.remedy, calm, FAILS),
    ],
)
def test_each_claim_falls_on_spoilt_measurements(rule, spoil, outcome):
    found = rule(spoil(collapse_arrays()))
    assert found.outcome == outcome and found.because
    assert np.isfinite(list(found.numbers.values())).all()


def test_few_collapses_are_not_as_many_as_published():
    arrays = collapse_arrays()
    arrays["test_accuracy"][::2, 300:] = 0.95
    assert claims.as_published(arrays).outcome == PART


@pytest.mark.parametrize("change", [{"epsilons": (1e-2, 1e-5)}, {"seeds": ()}])
def test_settings_that_cannot_be_judged_are_refused(change):
    with pytest.raises(ValueError, match="expected two positive ε"):
        running.measure(dataclasses.replace(running.Config(), **change), Session())


@pytest.mark.parametrize("spoil", [lambda arrays: arrays, calm])
def test_figures_are_made_from_the_record_alone(spoil):
    record = RunRecord("", "", {}, {}, "", 1.0, (), spoil(collapse_arrays()))
    for plot in plots(record):
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")
