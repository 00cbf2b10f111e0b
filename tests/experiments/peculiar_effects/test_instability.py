import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.experiments.peculiar_effects import cheap
from wdjax.experiments.peculiar_effects import descent
from wdjax.experiments.peculiar_effects.instability import claims, plots
from wdjax.experiments.peculiar_effects.instability import run as running
from wdjax.report import png
from wdjax.training import Outcome, RunRecord, Session

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS
ETA, LAM, CHUNKS = 0.1, 5e-3, 800
AT = np.arange(100, CHUNKS, 100)  # every 5,000 steps


def ideal():
    runs = running.runs(running.Config(seeds=(0, 1)))
    small = (runs.first == np.float32(1e-5)) & (runs.second == np.float32(1e-5))
    jump = np.zeros((10, CHUNKS), bool)
    jump[np.ix_(small, AT)] = True
    since = np.arange(CHUNKS) - np.r_[0, AT][np.searchsorted(AT, np.arange(CHUNKS), side="right")]
    norm = np.tile(8 * np.exp(-ETA * LAM * descent.CHUNK * since), (10, 1))
    before = np.minimum(since, 99) / 99
    least = norm * np.exp(-ETA * LAM * descent.CHUNK)
    arrays = {
        **runs._asdict(),
        "step": descent.CHUNK * np.arange(CHUNKS),
        "learning_rate": np.array(ETA),
        "weight_decay": np.array(LAM),
        "loss": np.where(jump, 5.0, 1e-3),
        "gradient_norm": np.where(jump, 10.0, 1e-3),
        "norm": norm,
        "least_norm": least,
        "normalised": np.where(jump, 50.0, 5.0),  # which cannot be, but is the claim
        "variance": np.tile(1e-3 * np.exp(-0.05 * np.r_[0, since[:-1] + 1]), (10, 1)),
        "sharpness": np.tile(2.2 * before**2, (10, 1)),
    }
    return running.recorded(arrays)


def test_all_claims_hold_on_ideal_measurements():
    found = claims.check(ideal())
    assert [(v.of, v.outcome) for v in found if v.outcome != HOLDS] == []


def with_losses(which, jumping):
    arrays = ideal()
    loss = arrays["loss"].copy()
    source = loss[running.chosen(arrays, "small" if jumping else "raised")[0]].copy()
    loss[running.chosen(arrays, which)] = source
    return arrays | {"loss": loss}


def scaled(name, factor):
    arrays = ideal()
    return arrays | {name: arrays[name] * factor}


def constant(name, value):
    arrays = ideal()
    return arrays | {name: np.full_like(arrays[name], value)}


def large_variance():
    return constant("normalised", 5.0) | {"variance": np.full((3, CHUNKS), 1e-3)}


def irregular():
    arrays = ideal()
    loss = np.full((10, CHUNKS), 1e-3)
    loss[np.ix_(running.chosen(arrays, "small"), [100, 150, 400, 700])] = 5.0
    return arrays | {"loss": loss}


def one_run_jumps():
    arrays = with_losses("small", False)
    arrays["loss"][running.chosen(arrays, "small")[0]] = ideal()["loss"][0]
    return arrays


@pytest.mark.parametrize(
    ("rule", "arrays", "outcome"),
    [
        (claims.fluctuations, one_run_jumps(), PART),
        (claims.fluctuations, with_losses("small", False), FAILS),
        (claims.periods, scaled("least_norm", 1.5), PART),
        (claims.periods, scaled("least_norm", 5), FAILS),
        (claims.periods, with_losses("small", False), FAILS),
        (claims.fluctuations, irregular(), PART),
        (claims.blown_up, constant("normalised", 5.0), PART),
        (claims.blown_up, constant("variance", 1e-3), PART),
        (claims.blown_up, large_variance(), FAILS),
        (claims.blown_up, with_losses("small", False), FAILS),
        (claims.recovers, constant("variance", 1e-3), PART),
        (claims.recovers, with_losses("small", False), FAILS),
        (claims.unstable, constant("sharpness", 3.0), PART),
        (claims.unstable, scaled("sharpness", 0.5), FAILS),
        (claims.remedy, with_losses("small", False), FAILS),
        (claims.remedy_in_one, with_losses("one", True), FAILS),
    ],
)
def test_each_claim_falls_on_spoilt_measurements(rule, arrays, outcome):
    found = rule(arrays)
    assert found.outcome == outcome and found.because
    assert np.isfinite(list(found.numbers.values())).all()


def test_free_decay_takes_as_long_as_the_gaps():
    measured, predicted = claims.gaps(ideal())
    assert len(measured) == 2 * (len(AT) - 1)
    np.testing.assert_allclose(predicted, measured, rtol=0.02)


def test_kinds_of_runs():
    arrays = ideal()
    assert [len(running.chosen(arrays, k)) for k in ("small", "raised", "one")] == [2, 4, 4]
    with pytest.raises(ValueError, match="not in list"):
        claims.detail(arrays, "norm", running.chosen(arrays, "one")[0])


def literal(run, weights, problem, steps):
    """Gradient descent with decay, and what is recorded of it."""
    rows = []
    gradient = cheap.jit(jax.grad(lambda w: descent.loss(w, run, problem)[0]))
    for _ in range(steps):
        x, hats, variances = np.asarray(problem.inputs, np.float64), [], []
        for name, epsilon in (("first", run.first), ("second", run.second)):
            z = x @ np.asarray(weights[name], np.float64)
            variances.append(z.var(axis=0).min())
            hats.append((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + epsilon))
            x = np.maximum(hats[-1], 0)
        logits = x @ np.asarray(problem.head, np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(256), problem.labels]
        g = gradient(weights)
        rows.append(
            {
                "loss": np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen),
                "normalised": max(np.abs(hat).max() for hat in hats),
                "variance": min(variances),
                "norm": np.sqrt(sum(np.sum(np.square(w)) for w in weights.values())),
                "gradient_norm": np.sqrt(sum(np.sum(np.square(v)) for v in g.values())),
            }
        )
        weights = {k: (1 - ETA * LAM) * w - ETA * g[k] for k, w in weights.items()}
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_measures_of_a_chunk_are_those_of_an_oracle(monkeypatch):
    # That takes long to compile, and is tested where it is defined.
    monkeypatch.setattr(jax, "jit", cheap.jit)
    monkeypatch.setattr(descent, "sphere_curvature", lambda *_, **__: jnp.asarray(3.0))
    runs = descent.Runs(np.array([1e-2]), np.array([1e-3]), np.array([5], np.int32))
    arrays = descent.train(runs, ETA, LAM, 1, Session())
    weights, problem = descent._initial(jnp.asarray(5))
    assert np.linalg.norm(problem.head) == pytest.approx(descent.HEAD_NORM)
    run = descent.Runs(1e-2, 1e-3, 5)
    expected = literal(run, weights, problem, descent.CHUNK)
    for name in ("loss", "normalised", "norm", "gradient_norm"):
        assert arrays[name][0, 0] == pytest.approx(expected[name].max(), rel=1e-9)
    assert arrays["sharpness"][0, 0] == pytest.approx(ETA * 3 / expected["norm"][0] ** 2)
    assert arrays["least_norm"][0, 0] == pytest.approx(expected["norm"].min(), rel=1e-9)
    assert arrays["variance"][0, 0] == pytest.approx(expected["variance"].min(), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilons": (1e-5,)}, "two positive ε at least"),
        ({"epsilons": (1e-2, 1e-5)}, "the smallest first"),
        ({"seeds": ()}, "a seed"),
        ({"steps": 4_010}, "a multiple of 50"),
        ({"steps": 500}, "2000 at least"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        running.measure(dataclasses.replace(running.Config(), **change), Session())


@pytest.mark.parametrize("arrays", [ideal(), with_losses("small", False)])
def test_figures_are_made_from_the_record_alone(arrays):
    record = RunRecord("", "", {}, {}, "", 1.0, (), arrays)
    for plot in plots(record):
        assert len(png(plot.figure)) > 5_000
        assert plot.caption.endswith(".")
