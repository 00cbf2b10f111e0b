import re
from html.parser import HTMLParser

from tests.report.sample import RECORD, plot
from wdjax.report import page, png


class Tags(HTMLParser):
    """Collects tags, their attributes and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def parsed():
    parser = Tags()
    parser.feed(page(RECORD, {"first": png(plot().figure), "second": b"\x89PNG"}))
    return parser


def test_the_page_needs_nothing_from_outside():
    parser = parsed()
    for _, attributes in parser.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not any(tag in ("script", "link", "iframe") for tag, _ in parser.tags)
    assert "url(" not in page(RECORD, {})


def test_every_verdict_figure_and_setting_is_on_it():
    parser = parsed()
    text = " ".join(parser.text)
    assert RECORD.note in text
    for verdict in RECORD.verdicts:
        for part in (verdict.claim, verdict.predicted, verdict.measured, verdict.because):
            assert part in text
    assert re.search(r"steps\s+10", text)
    assert "<none>" in text
    images = [attributes for tag, attributes in parser.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["first", "second"]


def test_what_is_written_in_a_record_is_text_and_not_markup():
    assert not any(tag in ("b", "i") for tag, _ in parsed().tags)
