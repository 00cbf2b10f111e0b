from tests.report.sample import RECORD, plot
from wdjax.report import write_report


def test_page_and_figures_are_written(tmp_path):
    path = write_report(RECORD, [plot("one", "first"), plot("two", "second")], tmp_path / "new")
    assert path.name == "report.html"
    assert "second" in path.read_text("utf-8")
    assert {p.name for p in path.parent.iterdir()} == {"one.png", "two.png", "report.html"}
