"""Each claim holds on ideal measurements, and each falls when they do not bear it out."""

import numpy as np
import pytest

from tests.experiments.input_normalization import ideal
from wdjax.experiments.input_normalization import ARTICLE, EXPERIMENTS
from wdjax.experiments.input_normalization.input_scale.reading import best_scales, losses
from wdjax.experiments.input_normalization.muted_activations.config import (
    EXAMPLE_1,
    EXAMPLE_2,
    MIN_MAX,
    PRINTED,
    STANDARD,
    TORCH,
)
from wdjax.experiments.input_normalization.muted_activations.reading import arm, lag
from wdjax.training import Outcome

MADE = {
    "muted-activations": ideal.muted_activations,
    "input-scale": ideal.input_scale,
    "strong-decay": ideal.strong_decay,
    "adaptive-scaling": ideal.adaptive_scaling,
}
CHECKS = {experiment.name: experiment.check for experiment in EXPERIMENTS}
HOLDS, IN_PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


def test_every_experiment_is_tested():
    assert set(MADE) == set(CHECKS)


@pytest.mark.parametrize("name", MADE)
def test_all_claims_hold_on_ideal_measurements(name):
    verdicts = CHECKS[name](MADE[name]())
    assert [(v.of, v.outcome) for v in verdicts if v.outcome != HOLDS] == []
    assert all(verdict.because == "" for verdict in verdicts)


def test_every_claim_of_the_article_is_answered_or_says_why_not():
    answered = {verdict.of for name in MADE for verdict in CHECKS[name](MADE[name]())}
    assert answered == {claim.key for claim in ARTICLE.claims if not claim.untested}
    assert len({claim.key for claim in ARTICLE.claims}) == len(ARTICLE.claims)


def put(name, value, where=np.s_[:]):
    def spoil(arrays):
        arrays[name] = np.array(arrays[name], float)
        arrays[name][where] = value

    return spoil


def times(name, factor, where=np.s_[:]):
    def spoil(arrays):
        arrays[name] = np.array(arrays[name], float)
        arrays[name][where] *= factor

    return spoil


def of_arm(change, name, value, scaling, decay, rule=TORCH, raised=False, seeds=np.s_[:]):
    def spoil(arrays):
        change(name, value, (arm(arrays, scaling, decay, rule, raised), seeds))(arrays)

    return spoil


def all_of(*spoils):
    def spoil(arrays):
        for one in spoils:
            one(arrays)

    return spoil


def flat(*axes):
    """The loss is the same along these axes (0 table, 1 optimiser, 2 norm, 3 kind, 4 η, 5 λ)."""

    def spoil(arrays):
        loss = np.nan_to_num(arrays["test_loss"], nan=1.0)
        arrays["test_loss"] = np.broadcast_to(loss.mean(axis=axes, keepdims=True), loss.shape)

    return spoil


def in_table(table, spoil):
    """Spoils one table only."""

    def one(arrays):
        changed = {**arrays}
        spoil(changed)
        arrays["test_loss"] = arrays["test_loss"].copy()
        arrays["test_loss"][table] = changed["test_loss"][table]

    return one


def without_norm_only(arrays):
    """With batch norm neither scale nor decay matter."""
    arrays["test_loss"][:, :, 1] = 1.0


def raised_loss(value, seeds=np.s_[:]):
    """The loss of the second example with the larger learning rate."""
    return of_arm(put, "last_loss", value, MIN_MAX, EXAMPLE_2, raised=True, seeds=seeds)


MUTED = [
    (0, put("norm", 0.9), FAILS),
    (0, put("norm", 3.0, np.s_[:2, -1]), IN_PART),
    (1, put("hidden_spread", 0.9), FAILS),
    (1, put("output_spread", 0.9), IN_PART),
    (2, put("activity", 0.5), IN_PART),
    (2, all_of(put("activity", 0.5), put("active", 0.5)), FAILS),
    (3, of_arm(times, "last_norm", 0.9, STANDARD, EXAMPLE_1, PRINTED), FAILS),
    (4, of_arm(put, "last_loss", 0.15, STANDARD, 0.0, seeds=np.s_[:1]), IN_PART),
    (4, of_arm(put, "last_loss", 0.15, STANDARD, 0.0), FAILS),
    (5, of_arm(put, "last_norm", 0.95, STANDARD, EXAMPLE_1), IN_PART),
    (5, of_arm(put, "last_norm", 0.999, STANDARD, EXAMPLE_1), FAILS),
    (5, of_arm(put, "norm", 0.95, STANDARD, EXAMPLE_1, seeds=-1), IN_PART),
    (5, of_arm(put, "norm", 1.0, STANDARD, EXAMPLE_1, seeds=-1), FAILS),
    (6, of_arm(put, "last_loss", 0.092, STANDARD, EXAMPLE_1), IN_PART),
    (6, of_arm(put, "last_loss", 0.09, STANDARD, EXAMPLE_1), FAILS),
    (6, of_arm(put, "last_loss", 0.17, MIN_MAX, EXAMPLE_1), FAILS),
    (7, of_arm(put, "last_loss", 0.092, STANDARD, EXAMPLE_1), IN_PART),
    (7, of_arm(put, "last_loss", 0.0899, STANDARD, EXAMPLE_1), FAILS),
    (7, of_arm(put, "last_loss", 0.08, STANDARD, EXAMPLE_1, seeds=np.s_[:1]), FAILS),
    (8, of_arm(put, "last_loss", 0.163, MIN_MAX, EXAMPLE_1), IN_PART),
    (8, of_arm(put, "last_loss", 0.17, MIN_MAX, EXAMPLE_1), FAILS),
    (9, of_arm(put, "last_norm", 0.52, MIN_MAX, EXAMPLE_2), IN_PART),
    (9, of_arm(put, "last_norm", 0.501, MIN_MAX, EXAMPLE_2), FAILS),
    (10, put("active", 0.5), IN_PART),
    (10, all_of(put("active", 0.5), put("last_loss", 0.1)), FAILS),
    (11, raised_loss(0.15, np.s_[:2]), IN_PART),
    (11, raised_loss(0.15), FAILS),
    (11, all_of(raised_loss(0.15, np.s_[:1]), put("last_loss", 0.085, np.s_[:-9])), FAILS),
]
SCALE = [
    (0, put("law_difference", 1e-6, 2), FAILS),
    (1, in_table(0, flat(3)), IN_PART),
    (1, flat(3), FAILS),
    (2, in_table(0, flat(3)), IN_PART),
    (2, flat(3), FAILS),
    (3, without_norm_only, IN_PART),
    (3, flat(3), FAILS),
    (4, flat(4), FAILS),
    (4, put("test_loss", 5.0, np.s_[:, 0, 0, 3, -1, 0]), IN_PART),
    (5, times("train_loss", 0.5, np.s_[0, :, :, 2]), IN_PART),
    (5, put("train_loss", 1.0), FAILS),
    (6, in_table(0, flat(4)), IN_PART),
    (6, flat(4), FAILS),
    (6, put("test_loss", 0.5, np.s_[:, :, 0, 3, 0, 0]), IN_PART),
    (7, times("test_loss", 1.2, np.s_[:, 1, :, 4]), IN_PART),
    (7, times("test_loss", 3.0, np.s_[0, 1, :, 4]), IN_PART),
    (
        7,
        all_of(
            times("test_loss", 3.0, np.s_[0, 1, :, 4]),
            times("test_loss", 1.2, np.s_[1, 1, :, 4]),
        ),
        FAILS,
    ),
    (7, times("test_loss", 3.0, np.s_[:, 1, :, 4]), FAILS),
    (8, in_table(0, flat(4)), IN_PART),
    (8, flat(4), FAILS),
    (9, in_table(0, flat(3)), IN_PART),
    (9, flat(3), FAILS),
]
STRONG = [
    (0, put("signal", 0.9, np.s_[0, 2]), IN_PART),
    (0, put("signal", 1.0), FAILS),
    (1, put("train_accuracy", 0.99, np.s_[:, 2]), IN_PART),
    (1, put("train_accuracy", 0.99, np.s_[..., 1:]), FAILS),
    (
        1,
        all_of(put("train_accuracy", 0.99, np.s_[:, 2]), put("train_accuracy", 0.1, np.s_[:, 3])),
        FAILS,
    ),
    (1, put("train_accuracy", 0.1, np.s_[:, 2:]), FAILS),
    (2, put("signal", 1.2, np.s_[0, 1, :, 0]), IN_PART),
    (2, put("signal", 1.0), FAILS),
    (3, put("last_test_accuracy", 0.95, np.s_[0, 2]), IN_PART),
    (3, put("last_test_accuracy", 0.95), FAILS),
    (3, put("signal", 1.0), FAILS),
    (3, put("last_test_accuracy", 0.9, np.s_[1, 2]), IN_PART),
    (3, put("last_test_accuracy", 0.0, np.s_[1, 2:]), FAILS),
    (3, put("signal", 0.1, np.s_[1, 2:]), FAILS),
    (
        3,
        all_of(
            put("last_test_accuracy", 0.945, np.s_[0, 2]),
            put("last_test_accuracy", 0.9, np.s_[1, :2]),
        ),
        IN_PART,
    ),
    (4, put("train_accuracy", 0.99, np.s_[0, 2]), IN_PART),
    (4, put("train_accuracy", 0.99, np.s_[0, 2:]), FAILS),
    (4, put("train_accuracy", 0.1, np.s_[1, 2:]), FAILS),
    (4, put("signal", 1.0), FAILS),
    (4, put("signal", 0.1, np.s_[1, 2:]), FAILS),
]
ADAPTIVE = [
    (0, put("last_signal", 0.2, np.s_[2, ..., 2, :]), FAILS),
    (0, put("last_signal", 1.0), FAILS),
    (1, put("cosine", 0.3, 2), IN_PART),
    (1, all_of(put("cosine", 0.3, 2), put("last_test_accuracy", 0.8, 2)), FAILS),
    (1, put("largest_cosine", 0.3, 1), IN_PART),
    (2, put("last_test_accuracy", 0.96, np.s_[0, ..., 1, :]), IN_PART),
    (2, put("last_test_accuracy", 0.96, 0), FAILS),
    (3, put("last_test_accuracy", 0.8, 2), FAILS),
    (3, put("last_test_accuracy", np.nan, 2), FAILS),
]
CASES = [
    (name, *case)
    for name, cases in zip(MADE, (MUTED, SCALE, STRONG, ADAPTIVE), strict=True)
    for case in cases
]


@pytest.mark.parametrize(("name", "claim", "spoil", "outcome"), CASES)
def test_a_claim_falls_when_it_is_not_borne_out(name, claim, spoil, outcome):
    arrays = MADE[name]()
    spoil(arrays)
    found = CHECKS[name](arrays)[claim]
    assert found.outcome == outcome
    assert found.because


@pytest.mark.parametrize(
    ("claim", "name", "where"),
    [(0, "last_signal", np.s_[2, 0, 0, 2]), (3, "last_test_accuracy", np.s_[2, 0, 0])],
)
def test_rescaling_can_do_its_part_in_most_settings(claim, name, where):
    arrays = ideal.adaptive_scaling()
    repeat(arrays, "rate", 4)
    arrays[name][where] = 0.1
    assert CHECKS["adaptive-scaling"](arrays)[claim].outcome == IN_PART


def repeat(arrays, name, count):
    """The same with so many gains or learning rates of the inputs that are rescaled."""
    arrays[name] = np.repeat(arrays[name], count)
    for many, values in arrays.items():
        if values.ndim > 2:
            arrays[many] = np.repeat(values, count, axis={"gain": 1, "rate": 2}[name])


@pytest.mark.parametrize(("name", "outcome"), [("gain", IN_PART), ("rate", FAILS)])
def test_rescaling_is_worth_it_at_one_gain_but_at_every_learning_rate(name, outcome):
    arrays = ideal.adaptive_scaling()
    repeat(arrays, name, 2)
    arrays["last_test_accuracy"][0][{"gain": np.s_[1], "rate": np.s_[:, 1]}[name]] = 0.96
    assert CHECKS["adaptive-scaling"](arrays)[2].outcome == outcome


def test_rescaling_is_not_worth_it_by_chance():
    arrays = ideal.adaptive_scaling()
    arrays["last_test_accuracy"][0] = 0.96
    arrays["last_test_accuracy"][0, ..., -1, 1:] = [0.96, 0.7]
    assert CHECKS["adaptive-scaling"](arrays)[2].outcome == FAILS


def test_which_of_rate_and_decay_is_tuned_alone_is_chosen_before_it_is_judged():
    arrays = ideal.input_scale()
    arrays["test_loss"][:, :, 0, [2, 4], :, 1, 1] = 0.9
    assert CHECKS["input-scale"](arrays)[8].outcome == HOLDS


def test_a_loss_is_a_bound_where_a_judging_run_diverged():
    arrays = ideal.input_scale()
    arrays["test_loss"][0, 0, 0, 3, 0, 0] = [np.nan, 1.0]
    arrays["test_loss"][0, 0, 0, 3, 0, 1] = [1.0, np.nan]
    np.testing.assert_array_equal(losses(arrays).bound[0, 0, 0, 3, 0], [False, True, False])


def test_where_nothing_is_learnt_convergence_is_more_difficult():
    arrays = ideal.strong_decay()
    arrays["train_accuracy"][0, 3] = 0.1
    assert CHECKS["strong-decay"](arrays)[4].outcome == HOLDS


def test_the_best_scale_is_where_the_loss_has_its_minimum():
    np.testing.assert_array_equal(best_scales(ideal.input_scale(), 0), [0.25, 1, 4])


def test_the_lag_is_how_much_later_a_loss_is_reached():
    arrays = ideal.muted_activations()
    slow, fast = (arm(arrays, STANDARD, decay) for decay in (1.0, 0.0))
    arrays["loss"][fast] = [5, 4, 3, 2, 1]
    arrays["loss"][slow] = [5, 4.5, 4, 3, 2.5]
    assert lag(arrays, slow, fast) == pytest.approx(100 - 62.5)
