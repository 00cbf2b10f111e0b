from html.parser import HTMLParser

import pytest

from tests.report.sample import RECORD, plot
from wdjax.experiments import (
    Article,
    Claim,
    Experiment,
    Study,
    count_table,
    load_studies,
    overview,
    unanswered,
)
from wdjax.experiments.overview import counts
from wdjax.training import Outcome, Verdict, save_record

CLAIMS = (
    Claim("A", "a claim with <b>two</b> verdicts", "intro"),
    Claim("B", "a claim of history", "intro", "it is history"),
    Claim("C", "a claim that nobody measured", "the end"),
)
ARTICLE = Article("toy", "A toy article", "nobody, 2020", CLAIMS)


def study(name, article, *outcomes):
    verdicts = tuple(
        Verdict(f"{name} {n}", "1 < 2", "0.5", o, "because", {}, of="A" if article else "")
        for n, o in enumerate(outcomes)
    )
    experiment = Experiment(
        name, article, f"what {name} asks", f"source of {name}", "1 s", None, None,
        lambda *_: None, lambda _: verdicts, lambda record: [plot(name, f"figure of {name}")],
    )  # fmt: skip
    record = RECORD.__class__(**{**vars(RECORD), "experiment": name, "verdicts": verdicts})
    return Study(experiment, record)


STUDIES = [
    study("one", "toy", Outcome.HOLDS),
    study("two", "toy", Outcome.FAILS),
    study("three", "", Outcome.IN_PART),
]


class Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page():
    parser = Text()
    parser.feed(overview((ARTICLE,), STUDIES))
    return parser


def test_every_claim_verdict_and_figure_is_on_the_page(page):
    for claim in CLAIMS:
        assert claim.text in page.text
    assert "it is history" in page.text
    for found in STUDIES:
        for verdict in found.record.verdicts:
            assert verdict.claim in page.text
        assert found.record.note in page.text or not found.experiment.article
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alts == ["figure of one", "figure of two", "figure of three"]
    assert ("td", {"rowspan": "2"}) in page.tags
    assert "b" not in [tag for tag, _ in page.tags]


def test_claims_and_verdicts_are_counted():
    assert counts(ARTICLE, STUDIES) == {
        "claims": 3, "holds": 1, "holds in part": 0, "does not hold": 1,
        "not measured": 1, "no verdict": 1,
    }  # fmt: skip
    assert count_table((ARTICLE,), STUDIES).row_count == 1


def test_a_claim_without_a_verdict_is_found():
    assert unanswered((ARTICLE,), STUDIES) == [(ARTICLE, CLAIMS[2])]


def test_records_are_found_by_the_name_of_their_experiment(tmp_path):
    known = {found.experiment.name: found.experiment for found in STUDIES}
    for folder in ("two", "one", "one-variant"):
        name = folder.split("-")[0]
        save_record(RECORD.__class__(**{**vars(RECORD), "experiment": name}), tmp_path / folder)
    one, two = load_studies(tmp_path, known)
    assert (one.record.experiment, two.record.experiment) == ("one", "two")
    assert [record.experiment for record in one.variants] == ["one"]
    assert two.variants == ()


def test_a_variant_is_on_the_page_with_its_settings_and_counts_nowhere():
    one, *others = STUDIES
    settings = {**one.record.config, "steps": 12345}
    variant = RECORD.__class__(
        **{**vars(study("one", "toy", Outcome.IN_PART).record), "config": settings}
    )
    studies = [one._replace(variants=(variant,)), *others]
    parser = Text()
    parser.feed(overview((ARTICLE,), studies))
    assert "one with other settings: steps 12345" in parser.text
    assert sum(tag == "img" for tag, _ in parser.tags) == 4
    assert counts(ARTICLE, studies) == counts(ARTICLE, STUDIES)


def test_a_folder_without_records_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no record\.json, and no folder that does"):
        load_studies(tmp_path, {})
