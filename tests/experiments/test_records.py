"""The committed records: made by the default settings, and their verdicts follow from them."""

import re
from collections import Counter
from pathlib import Path

import jax
import pytest

from wdjax.experiments import ARTICLES, EXPERIMENTS, load_studies, unanswered
from wdjax.experiments.experiment import plain_settings
from wdjax.training import Outcome, load_record

RECORDS = Path(__file__).parents[2] / "benchmarks" / "results"
STUDIES = {study.experiment.name: study for study in load_studies(RECORDS, EXPERIMENTS)}


@pytest.fixture(autouse=True)
def float32():
    """As the command has it."""
    with jax.enable_x64(False):
        yield


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_there_is_a_record_of_the_default_run(name):
    record = STUDIES[name].record
    default = plain_settings(EXPERIMENTS[name].default)
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in default.items()}
    assert {key: record.config[key] for key in plain} == plain
    assert record.source == EXPERIMENTS[name].source
    assert not record.note


def test_a_default_run_takes_less_than_five_minutes_and_all_of_them_less_than_45():
    seconds = {name: study.record.seconds for name, study in STUDIES.items()}
    assert max(seconds.values()) < 5 * 60, seconds
    assert sum(seconds.values()) < 45 * 60, seconds


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_cost_that_is_listed_is_that_of_the_record(name):
    said = re.match(r"about (\d+) (second|minute)s? on two cores, ", EXPERIMENTS[name].cost)
    assert said
    seconds = int(said[1]) * {"second": 1, "minute": 60}[said[2]]
    assert seconds / 1.5 <= STUDIES[name].record.seconds <= 1.5 * seconds


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_verdict_follows_from_the_record(name):
    experiment, record, _ = STUDIES[name]
    assert experiment.check(record.arrays) == record.verdicts
    for verdict in record.verdicts:
        assert (verdict.because == "") == (verdict.outcome == Outcome.HOLDS), verdict.claim


def test_variants_of_a_record_are_those_of_their_experiment():
    for path in RECORDS.glob("*/arrays.npz"):
        record = load_record(path.parent)
        assert EXPERIMENTS[record.experiment].check(record.arrays) == record.verdicts


def test_no_claim_of_an_article_is_left_out():
    assert unanswered(tuple(ARTICLES.values()), list(STUDIES.values())) == []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_verdict_is_about_a_claim_of_its_article(name):
    article = EXPERIMENTS[name].article
    keys = {claim.key for claim in ARTICLES[article].claims} if article else {""}
    assert {verdict.of for verdict in STUDIES[name].record.verdicts} <= keys


@pytest.mark.parametrize("key", ARTICLES)
def test_claims_have_keys_of_their_own_and_one_sentence(key):
    claims = ARTICLES[key].claims
    assert max(Counter(claim.key for claim in claims).values()) == 1
    for claim in claims:
        assert claim.text
        assert claim.where
