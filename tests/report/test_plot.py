from tests.report.sample import plot
from wdjax.report import png


def test_equal_figures_are_equal_bytes():
    assert png(plot().figure) == png(plot().figure)
    assert png(plot().figure).startswith(b"\x89PNG")
