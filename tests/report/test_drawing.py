import numpy as np
import pytest

from wdjax.report import png
from wdjax.report.drawing import (
    legend,
    legend_above,
    legend_beside,
    legend_of_all,
    ordered_colours,
    panels,
    plain_ticks,
    ticks_at,
)


def labels(axis):
    """What is written at the ticks that are in view."""
    low, high = axis.get_view_interval()
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in ticks if low <= place <= high]


def drawn():
    """A figure of two panels, two named lines in the first."""
    figure, (left, right) = panels(1, 2, width=4, height=3)
    for name in ("one", "two"):
        left.plot([0, 1], [0, 1], label=name)
    return figure, left, right


def box(figure, artist):
    """Where something is, in pixels, once the layout is made."""
    figure.draw_without_rendering()
    return artist.get_window_extent()


def test_panels_come_row_by_row_and_the_size_is_that_of_one():
    figure, axes = panels(2, 3, width=2, height=1.5)
    assert figure.get_size_inches().tolist() == [6, 3]
    places = [
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in axes
    ]
    assert places == list(np.ndindex(2, 3))
    for ax in axes:
        assert [ax.spines[side].get_visible() for side in ("left", "bottom")] == [True, True]
        assert [ax.spines[side].get_visible() for side in ("right", "top")] == [False, False]


def test_panels_share_an_axis_where_they_are_told_to():
    _, (first, second, below, _) = panels(2, 2, sharex="col", sharey="row")
    first.set(xlim=(3, 4), ylim=(5, 6))
    assert (below.get_xlim(), below.get_ylim()) == ((3, 4), (0, 1))
    assert (second.get_xlim(), second.get_ylim()) == ((0, 1), (5, 6))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_colours_get_brighter(count):
    found = ordered_colours(count)
    brightness = [red + green + blue for red, green, blue, _ in found]
    assert len(found) == count
    assert brightness == sorted(set(brightness))


def test_the_brightest_colour_is_to_be_chosen():
    assert sum(ordered_colours(3, 0.5)[-1]) < sum(ordered_colours(3)[-1])


def test_plain_ticks_are_multiples_of_the_powers_of_ten():
    _, (ax,) = panels(1, 1)
    ax.set(xscale="log", yscale="log", xlim=(0.09, 25), ylim=(0.9, 40))
    plain_ticks(ax.xaxis)
    plain_ticks(ax.yaxis, subs=(1, 3))
    assert labels(ax.xaxis) == ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]
    assert labels(ax.yaxis) == ["1", "3", "10", "30"]
    assert not ax.xaxis.get_minorticklocs().size


def test_ticks_are_at_the_given_places_only():
    _, (ax,) = panels(1, 1)
    ax.set(yscale="log", ylim=(0.01, 100))
    ticks_at(ax.yaxis, np.array([0.06, 3, 40]))
    assert labels(ax.yaxis) == ["0.06", "3", "40"]
    assert not ax.yaxis.get_minorticklocs().size


def test_a_legend_is_small_and_has_no_frame():
    _, left, _ = drawn()
    legend(left, "lower right", title="both")
    found = left.get_legend()
    assert not found.get_frame_on()
    assert found.get_texts()[0].get_fontsize() < left.xaxis.label.get_fontsize()
    assert found.get_title().get_text() == "both"


def test_options_of_a_legend_go_first():
    _, left, _ = drawn()
    legend(left, frameon=True)
    assert left.get_legend().get_frame_on()


def test_a_legend_above_or_beside_covers_nothing():
    figure, left, _ = drawn()
    legend_above(left, 2)
    assert box(figure, left.get_legend()).y0 >= box(figure, left.patch).y1
    figure, left, right = drawn()
    legend_beside(left, "both")
    beside = box(figure, left.get_legend())
    assert box(figure, left.patch).x1 <= beside.x0
    assert beside.x1 <= box(figure, right.patch).x0


def test_the_legend_of_all_is_over_every_panel():
    figure, left, right = drawn()
    legend_of_all(left, 2)
    (found,) = figure.legends
    assert [text.get_text() for text in found.get_texts()] == ["one", "two"]
    for ax in (left, right):
        assert box(figure, found).y0 >= box(figure, ax.patch).y1


def test_such_figures_are_equal_bytes_too():
    assert png(drawn()[0]) == png(drawn()[0])
