import dataclasses
import itertools

import numpy as np
import pytest

from wdjax.experiments.peculiar_effects.lambda_norm import claims, plots
from wdjax.experiments.peculiar_effects.lambda_norm import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
DECAYS = np.geomspace(1e-6, 1, 25)


def arrays(scale=0.035, rule=(0.5, -0.5, -0.5), depth=0.05):
    """Losses with a parabola's minimum at scale b^p B^q T^r, the same for three seeds."""
    cells = np.array(list(itertools.product((16, 64), (500, 1500), (40, 160))))
    best = scale * np.prod(cells ** np.array(rule), axis=1)
    loss = depth * np.log(DECAYS / best[:, None]) ** 2
    batch, size, epochs = cells.T
    return {
        "batch": batch,
        "size": size,
        "epochs": epochs,
        "steps": size // batch * epochs,
        "decay": DECAYS,
        "loss": np.repeat(loss[:, None], 3, axis=1),
    }


def test_claims_hold_where_the_rule_does():
    assert [v.outcome for v in claims.check(arrays())] == [HOLDS] * 3


def test_exponents_are_found_with_their_errors():
    measured = arrays(scale=0.5, rule=(1.0, -0.8, 0.1))
    found, error = claims.exponents(measured)
    np.testing.assert_allclose(found, (1.0, -0.8, 0.1), atol=1e-9)
    np.testing.assert_allclose(error, 0, atol=1e-9)
    one = measured | {"loss": measured["loss"][:, :1]}
    assert np.isnan(claims.exponents(one)[1]).all()


def test_an_exponent_of_what_does_not_vary_is_not_a_number():
    measured = arrays()
    some = measured["size"] == 500
    kept = {n: v[some] if len(v) == len(some) else v for n, v in measured.items()}
    found, _ = claims.exponents(kept)
    np.testing.assert_allclose(found, (0.5, np.nan, -0.5), atol=1e-9)


@pytest.mark.parametrize(
    ("rule", "measured", "outcome"),
    [
        (claims.decoupled, arrays(rule=(0.9, -0.9, -0.9)), PART),
        (claims.decoupled, arrays(scale=1e-3, rule=(0.0, 0.0, 0.6)), FAILS),
        (claims.right_exponents, arrays(scale=1.0, rule=(1.0, -1.0, -0.5)), PART),
        (claims.right_exponents, arrays(scale=1.0, rule=(1.0, -1.0, 0.0)), FAILS),
        (claims.starting_point, arrays(scale=0.15), PART),
        (claims.starting_point, arrays(scale=1.0), FAILS),
    ],
)
def test_each_claim_falls_elsewhere(rule, measured, outcome):
    found = rule(measured)
    assert found.outcome == outcome and found.because


def test_cells_where_decay_does_not_matter_do_not_count():
    flat = arrays(depth=1e-6)
    assert not claims.optima(flat)[1].any()
    at_end = arrays(scale=1e4)
    assert not claims.optima(at_end)[1].all()
    assert {v.outcome for v in claims.check(flat)} == {FAILS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decays": (1e-3, 1e-2)}, "expected three at least"),
        ({"seeds": ()}, "a seed"),
        ({"epochs": (30,)}, "multiples of 20"),
        ({"sizes": (2000,)}, "up to 1437 images"),
        ({"batch_sizes": (500,)}, "no larger than the data"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        running.measure(dataclasses.replace(running.Config(), **change), Session())


def test_the_optimiser_decays_without_the_learning_rate():
    weights, zero = {"w": np.float32(2.0)}, {"w": np.float32(0.0)}
    for step, share in ((0, 1.0), (50, 0.5), (100, 0.0)):
        tx = running._optimiser(np.float32(0.01), np.float32(100), np.float32(step))
        updates, _ = tx.update(zero, tx.init(weights), weights)
        assert float(updates["w"]) == pytest.approx(-0.01 * share * 2.0, abs=1e-8)


@pytest.mark.parametrize("measured", [arrays(), arrays(depth=1e-6)])
def test_figures_are_made_from_the_record_alone(measured):
    record = RunRecord("", "", {}, {}, "", 1.0, (), measured)
    assert all(len(png(plot.figure)) > 5_000 for plot in plots(record))
