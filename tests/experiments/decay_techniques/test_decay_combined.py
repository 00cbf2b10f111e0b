"""Rules of `decay-combined` on ideal and spoilt arrays."""

import dataclasses

import numpy as np
import pytest

from tests.experiments.decay_techniques import ideal
from wdjax.experiments.decay_techniques.decay_combined import arms, claims
from wdjax.experiments.decay_techniques.decay_combined.config import QUICK, Config, validate
from wdjax.training import Outcome

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.IN_PART, Outcome.FAILS


@pytest.fixture
def arrays():
    return ideal.decay_combined()


def test_all_holds_where_the_article_is_right(arrays):
    assert [verdict.outcome for verdict in claims.check(arrays)] == [HOLDS] * 4


def lowered(which, amount, network=np.s_[:]):
    """Accuracies of some arms are lower."""

    def spoil(arrays):
        for name in ("test", "validation"):
            arrays[name] = np.array(arrays[name])
            arrays[name][network, ..., which(arrays)] -= amount

    return spoil


def decays(arrays):
    return arrays["decay"] > 0


def with_others(arrays):
    return (arrays["dropout"] > 0) | (arrays["shift"] > 0)


def both(arrays):
    return decays(arrays) & with_others(arrays)


def decayed_beside_others(arrays):
    """Decay and another regulariser, batch norm among them; so the others do as well alone."""
    for name in ("test", "validation"):
        arrays[name][1][:, decays(arrays)] -= 0.06
    return both(arrays)


def beside_decay(arrays):
    """All with another regulariser, batch norm among them."""
    arrays["test"][1] -= 0.05
    arrays["validation"][1] -= 0.05
    return with_others(arrays)


def scope(*which):
    return lambda arrays: np.isin(arrays["scope"], which) & decays(arrays) & ~with_others(arrays)


@pytest.mark.parametrize(
    ("claim", "spoil", "outcome"),
    [
        (claims.decay_helps, lowered(decays, 0.1, 0), PART),
        (claims.decay_helps, lowered(decays, 0.1), FAILS),
        (claims.combination, lowered(decayed_beside_others, 0.06), PART),
        (claims.combination, lowered(beside_decay, 0.3), FAILS),
        (claims.all_layers, lowered(scope(arms.WEIGHTS), 0.06), PART),
        (claims.all_layers, lowered(scope(arms.HIDDEN), 0.1), FAILS),
        (claims.selective, lowered(scope(arms.WEIGHTS), 0.05, 0), FAILS),
        (claims.selective, lowered(scope(arms.HIDDEN, arms.HEAD), -0.035, 1), PART),
        (claims.selective, lowered(scope(arms.EVERYTHING), 0.01, 1), PART),
        (claims.selective, lowered(scope(arms.EVERYTHING), 0.01), FAILS),
        (claims.selective, lowered(scope(arms.HIDDEN, arms.HEAD, arms.EVERYTHING), -0.1), FAILS),
    ],
)
def test_each_rule_can_come_out_otherwise(arrays, claim, spoil, outcome):
    spoil(arrays)
    found = claim(arrays)
    assert found.outcome == outcome, found.measured


def test_validation_chooses_and_test_judges(arrays):
    allowed = claims.scope(arrays, 0, arms.WEIGHTS)
    network, arm = claims.chosen(arrays, allowed)
    assert network == 0 and arrays["decay"][arm] == 1.0
    arrays["test"] = np.array(arrays["test"])
    arrays["test"][0, :, arm] = 0.123
    np.testing.assert_array_equal(claims.tested(arrays, allowed), np.full(6, 0.123))


def test_decay_alone_is_no_combination(arrays):
    """All others do harm; the best without them is decay alone, over which nothing is gained."""
    lowered(beside_decay, 0.3)(arrays)
    for name in ("others with decay", "others without decay"):
        allowed = claims.groups(arrays)[name]
        network, arm = claims.chosen(arrays, allowed)
        assert network == claims.BATCH or with_others(arrays)[arm]


def test_groups_are_what_their_names_say(arrays):
    groups = claims.groups(arrays)
    assert {name: int(allowed.sum()) for name, allowed in groups.items()} == {
        "none": 1, "decay": 5, "dropout": 2, "augmentation": 1, "batch norm": 1,
        "decay + dropout": 10, "decay + augmentation": 5, "decay + batch norm": 5,
        "others without decay": 11, "others with decay": 55,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dropouts": (0.5, 0.7)}, "expected 0, and then"),
        ({"dropouts": (0.0, 1.0)}, "dropouts"),
        ({"shifts": (0,)}, "shifts"),
        ({"noise": 0.0}, "noise"),
        ({"steps": 70}, "multiple of 50"),
        ({"seeds": (0,)}, "2 or more"),
    ],
)
def test_bad_settings_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        validate(dataclasses.replace(QUICK, **change))
    validate(QUICK)
    validate(Config())
