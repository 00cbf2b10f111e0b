"""The flatness experiment: what is measured against oracles, and the rules of the verdicts."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.stats import spearmanr

from tests.experiments.serendipitous.ideal import flatness_arrays
from wdjax.data import Dataset
from wdjax.experiments.serendipitous import ARTICLE
from wdjax.experiments.serendipitous.common import cross_entropy, noisy, on_unit_sphere
from wdjax.experiments.serendipitous.flatness import claims
from wdjax.experiments.serendipitous.flatness.config import QUICK, Config, runs, validate
from wdjax.experiments.serendipitous.flatness.judge import judge, rise, trace
from wdjax.experiments.serendipitous.flatness.plots import plots
from wdjax.experiments.serendipitous.flatness.run import cooling, few, last_quarter
from wdjax.experiments.serendipitous.training import Problem, draw
from wdjax.models.invariant import InvariantMLP
from wdjax.report import png
from wdjax.training import Outcome, RunRecord

CHECKS = {claim.__name__: claim for claim in claims.CLAIMS}
HOLDS, IN_PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


@pytest.fixture
def arrays():
    return flatness_arrays()


def test_all_claims_hold_on_ideal_measurements(arrays):
    verdicts = claims.check(arrays)
    assert [verdict.outcome for verdict in verdicts] == [HOLDS] * 6
    assert all(verdict.because == "" for verdict in verdicts)
    assert {verdict.of for verdict in verdicts} <= {claim.key for claim in ARTICLE.claims}
    for verdict in verdicts:
        assert all(type(value) is float for value in verdict.numbers.values())


def mirrored(name):
    """The measure rises with λ where it fell."""

    def spoil(arrays):
        arrays[name] = arrays[name].max() + arrays[name].min() - arrays[name]

    return spoil


def turning(arrays):
    """The test error rises again at the largest three λ."""
    error = arrays["decay_cooled_test_error"].reshape(8, 7)
    error[:, 4:] = error[:, :1] + 0.01


def weaker(factor):
    """The runs on the sphere show a part of the change."""

    def spoil(arrays):
        loss = arrays["sphere_cooled_test_loss"].reshape(8, 7)
        loss[:] = 1 + factor * (loss - 1)

    return spoil


def without_capacity(arrays):
    """The runs on the sphere fit all labels, right or wrong."""
    arrays["sphere_cooled_train_error"] = np.zeros_like(arrays["sphere_cooled_train_error"])


def at_high_loss(arrays):
    """The rise falls with λ only where nothing is learnt any more."""
    rise, loss = (arrays[f"decay_trained_{name}"] for name in ("rise", "train_loss"))
    rise.reshape(8, 7)[:, :4] = 1 + 0.1 * np.arange(4)
    loss.reshape(8, 7)[:, 4:] = 2.0


def alike_at_a_decay(arrays):
    """Flatness and test error go together with λ alone."""
    error = arrays["decay_cooled_test_error"].reshape(8, 7)
    error[:] = error.mean(axis=0) + 1e-4 * np.random.default_rng(1).normal(size=(8, 7))


def shuffled(arrays):
    rng = np.random.default_rng(0)
    arrays["decay_cooled_sharpness"] = rng.permutation(arrays["decay_cooled_sharpness"])


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        ("flatter", mirrored("decay_cooled_sharpness"), IN_PART),
        ("robust", mirrored("decay_trained_rise"), IN_PART),
        ("robust", at_high_loss, IN_PART),
        ("regulariser", turning, IN_PART),
        ("regulariser", mirrored("decay_trained_test_error"), IN_PART),
        ("rate_regularises", mirrored("sphere_trained_test_error"), IN_PART),
        ("linked", alike_at_a_decay, IN_PART),
        ("rate_alone", without_capacity, FAILS),
        ("linked", shuffled, IN_PART),
        ("linked", mirrored("decay_cooled_test_error"), FAILS),
        ("rate_alone", weaker(0.6), IN_PART),
        ("rate_alone", weaker(0.1), FAILS),
        ("rate_alone", mirrored("rate"), IN_PART),
    ],
)
def test_a_claim_falls_with_its_measurement(arrays, claim, spoil, outcome):
    spoil(arrays)
    verdict = CHECKS[claim](arrays)
    assert verdict.outcome == outcome, verdict.measured
    assert verdict.because


def test_what_is_sharper_at_both_moments_is_not_flatter(arrays):
    mirrored("decay_cooled_sharpness")(arrays)
    mirrored("decay_trained_sharpness")(arrays)
    assert CHECKS["flatter"](arrays).outcome == FAILS
    mirrored("decay_cooled_rise")(arrays)
    mirrored("decay_trained_rise")(arrays)
    assert CHECKS["robust"](arrays).outcome == FAILS


@pytest.mark.parametrize(
    ("claim", "arm"), [("regulariser", "decay"), ("rate_regularises", "sphere")]
)
def test_what_never_gets_better_is_no_regularisation(arrays, claim, arm):
    mirrored(f"{arm}_cooled_test_error")(arrays)
    mirrored(f"{arm}_trained_test_error")(arrays)
    assert CHECKS[claim](arrays).outcome == FAILS


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 30), rng.normal(size=30)
    assert claims.rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_the_share_of_a_change_is_its_slope(arrays):
    weaker(0.6)(arrays)
    verdict = CHECKS["rate_alone"](arrays)
    assert verdict.numbers["test_loss"] == pytest.approx(0.6, abs=0.02)
    assert verdict.numbers["sharpness"] == pytest.approx(1.0, abs=0.02)


def test_every_figure_is_made_from_the_record_alone(arrays):
    made = plots(RunRecord("flatness", "", {}, {}, "", 1.0, (), arrays))
    assert [plot.name for plot in made] == ["flatness", "rates"]
    assert all(len(png(plot.figure)) > 5_000 and plot.caption.endswith(".") for plot in made)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": -1.0}, "positive numbers"),
        ({"weight_decays": (0.1, math.nan)}, "positive numbers"),
        ({"weight_decays": (0.1, 0.01)}, "growing decays"),
        ({"seeds": (0,)}, "two seeds"),
        ({"weight_decays": (0.1, 4.0)}, "less than 1"),
        ({"label_noise": 1.0}, "a share below 1"),
        ({"images": 8}, "at least a batch"),
        ({"steps": 300}, "steps is 300"),
        ({"cooling": 150}, "cooling is 150"),
    ],
)
def test_settings_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        validate(dataclasses.replace(Config(), **change))


def test_the_settings_themselves_are_accepted_and_have_their_runs():
    validate(Config())
    validate(QUICK)
    table = runs(QUICK)
    np.testing.assert_allclose(table.weight_decay, [0, 1e-3, 3e-2, 0, 1e-3, 3e-2])
    assert list(table.seed) == [100, 100, 100, 101, 101, 101]


def test_a_share_of_the_labels_is_wrong_and_the_rest_is_not():
    labels = np.arange(100, dtype=np.int32) % 10
    spoilt = noisy(labels, 10, 0.23, seed=5)
    assert np.sum(spoilt != labels) == 23
    assert spoilt.min() >= 0 and spoilt.max() <= 9
    assert np.any(noisy(labels, 10, 0.23, seed=6) != spoilt)
    np.testing.assert_array_equal(noisy(labels, 10, 0.0, seed=5), labels)


def test_few_images_keep_their_labels_and_too_many_are_refused():
    images = np.arange(12).reshape(12, 1, 1, 1)
    dataset = Dataset("toy", images, np.arange(12), images, np.arange(12))
    chosen = few(dataset, 5)
    np.testing.assert_array_equal(chosen.train_images.ravel(), chosen.train_labels)
    assert len(set(chosen.train_labels)) == 5 and len(chosen.test_labels) == 12
    with pytest.raises(ValueError, match="toy has 12 training images"):
        few(dataset, 13)


def test_the_cooling_falls_along_a_line_to_zero():
    params, grads = {"w": jnp.array([1.0, 0.0])}, {"w": jnp.array([0.0, 1.0])}
    tx = cooling({"rate": 0.1, "steps": 4.0})
    state, turns = tx.init(params), []
    for _ in range(4):
        updates, state = tx.update(grads, state, params)
        turns.append(float(jnp.tan(jnp.atan2(-updates["w"][1], 1 + updates["w"][0]))))
    np.testing.assert_allclose(turns, [0.1, 0.075, 0.05, 0.025], rtol=1e-9)


def test_the_last_quarter_is_the_last_quarter():
    np.testing.assert_allclose(last_quarter(np.arange(16.0).reshape(2, 8)), [6.5, 14.5])
    np.testing.assert_allclose(last_quarter(np.array([[1.0, 3.0]])), [3.0])


@pytest.fixture(scope="module")
def tiny():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(40, 2, 2, 1))
        labels = rng.integers(0, 3, 40).astype(np.int32)
        dataset = Dataset("toy", images[:24], labels[:24], images[24:], labels[24:])
        model = InvariantMLP(widths=(3,), classes=3, epsilon=1e-16)
        wrong = np.stack([labels[:24], noisy(labels[:24], 3, 0.5, 0)])
        seeds = np.array([0, 1], np.int32)
        return dataset, Problem(model, jnp.asarray(images[:24]), wrong, seeds, 8, shift=0)


def test_runs_are_judged_as_the_dense_hessian_and_the_logits_say(tiny):
    dataset, problem = tiny
    kernels, head = draw(problem, float)
    found = judge(problem, kernels, head, dataset, iterations=11, probes=2, angle=0.3)
    tree = jax.tree.map(lambda leaf: leaf[1], kernels)
    flat, unravel = ravel_pytree(on_unit_sphere(tree))

    def loss(w):
        labels = problem.labels[1]
        return cross_entropy(problem.model, unravel(w), head[1], problem.images, labels)

    hessian = np.asarray(jax.jit(jax.hessian(loss))(flat))
    tangent = np.eye(12) - np.outer(flat, flat)
    largest = np.linalg.eigvalsh(tangent @ hessian @ tangent)[-1]
    assert found["sharpness"][1] == pytest.approx(largest, rel=1e-6)
    assert found["train_loss"][1] == pytest.approx(float(jax.jit(loss)(flat)))
    forward = jax.jit(problem.model.__call__)
    train = forward(tree, head[1], problem.images)
    mistakes = np.mean(np.argmax(train, axis=1) != problem.labels[1])
    assert found["train_error"][1] == pytest.approx(mistakes)
    statistics = jax.jit(problem.model.statistics)(tree, problem.images)
    test = forward(tree, head[1], jnp.asarray(dataset.test_images), statistics)
    mistakes = np.mean(np.argmax(test, axis=1) != dataset.test_labels)
    assert found["test_error"][1] == pytest.approx(mistakes)


def test_the_trace_is_exact_where_the_hessian_is_diagonal_and_unbiased_elsewhere():
    diagonal = jnp.array([1.0, -2.0, 5.0])
    assert trace(lambda w: w["w"] ** 2 @ diagonal / 2, {"w": jnp.ones(3)}, 1) == pytest.approx(4)
    matrix = jnp.array([[2.0, 1.0], [1.0, 3.0]])
    found = trace(lambda w: w["w"] @ matrix @ w["w"] / 2, {"w": jnp.ones(2)}, 4000)
    assert found == pytest.approx(5, abs=4 * 2 / np.sqrt(4000))


def test_the_rise_is_that_of_columns_turned_by_the_angle():
    kernels = {"w": jnp.array([[3.0, 0.0], [0.0, 2.0]])}

    def lost(tree):
        # In two dimensions a turn by φ takes the cosine of the angle to the start to cos φ.
        lengths = jnp.linalg.norm(tree["w"], axis=0)
        cosines = jnp.diag(kernels["w"].T @ tree["w"]) / lengths / jnp.array([3.0, 2.0])
        return jnp.sum(lengths) + 10 * jnp.sum(1 - cosines)

    assert rise(lost, kernels, 3, 0.4) == pytest.approx(20 * (1 - np.cos(0.4)))
