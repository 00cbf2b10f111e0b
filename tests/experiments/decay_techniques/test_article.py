"""The experiments answer all that the article claims and that can be measured; all plots draw."""

import dataclasses

import numpy as np
import pytest

from tests.experiments.decay_techniques.ideal import ALL
from wdjax.experiments.decay_techniques import ARTICLE, EXPERIMENTS
from wdjax.training import RunRecord

NAMES = [experiment.name for experiment in EXPERIMENTS]
BY_NAME = dict(zip(NAMES, EXPERIMENTS, strict=True))


def verdicts(name):
    return BY_NAME[name].check(ALL[name]())


def test_keys_are_in_order_and_experiments_name_the_article():
    assert [claim.key for claim in ARTICLE.claims] == [f"W{n}" for n in range(1, 33)]
    assert {experiment.article for experiment in EXPERIMENTS} == {ARTICLE.key}
    assert list(ALL) == NAMES


def test_each_claim_is_measured_or_says_why_not():
    answered = {verdict.of for name in NAMES for verdict in verdicts(name)}
    assert answered == {claim.key for claim in ARTICLE.claims if not claim.untested}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_plain_and_finite_and_failures_have_reasons(name):
    for verdict in verdicts(name):
        assert verdict.predicted and verdict.measured
        assert all(type(number) is float for number in verdict.numbers.values())
        assert np.all(np.isfinite(list(verdict.numbers.values())))
        assert bool(verdict.because) == (verdict.outcome != "holds")


@pytest.mark.parametrize("name", NAMES)
def test_plots_draw_from_the_record_alone(name):
    record = RunRecord(name, "", {}, {}, "", 0.0, (), ALL[name]())
    plots = BY_NAME[name].plots(record)
    assert plots
    for plot in plots:
        plot.figure.draw_without_rendering()
        assert plot.caption.endswith(".")
        assert all(ax.get_xlabel() for ax in plot.figure.axes if ax.lines)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_and_quick_ones_are_valid(name):
    experiment = BY_NAME[name]
    for config in (experiment.default, experiment.quick):
        for value in dataclasses.asdict(config).values():
            assert isinstance(value, (int, float, tuple))
