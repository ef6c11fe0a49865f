import math

import pytest

from caffe_compat.srn.watching.line_chart import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Series,
    line_chart,
    sparkline,
)


def chart_of(lines: list[Series], **options: bool) -> Chart:
    """The chart of lines that have points."""
    chart = line_chart("t", lines, **options)
    assert chart is not None
    return chart


def points_of(path):
    return [tuple(map(float, point.split(","))) for point in path[1:].split("L")]


def test_points_lie_between_the_ticks_that_enclose_them() -> None:
    chart = chart_of([Series("a", [(0, 2.0), (50, 3.5), (100, 2.5)])])
    assert [text for _, text in chart.y_ticks] == ["2", "2.5", "3", "3.5"]
    assert [text for _, text in chart.x_ticks] == ["0", "20", "40", "60", "80", "100"]
    middle, right = (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT
    (x_first, y_first), (x_middle, y_middle), (x_last, y_last) = points_of(chart.lines[0].path)
    assert (x_first, x_middle, x_last) == (LEFT, middle, right)
    assert (y_first, y_middle) == (HEIGHT - BOTTOM, TOP)
    assert y_last == pytest.approx(y_first + (y_middle - y_first) / 3, abs=0.1)
    assert chart.lines[0].last == "2.5"


def test_undefined_values_are_left_out() -> None:
    chart = chart_of([Series("a", [(0, math.nan), (1, 5.0), (2, math.inf)]), Series("b", [(0, math.nan)])])
    assert [line.name for line in chart.lines] == ["a"]
    assert len(points_of(chart.lines[0].path)) == 1
    assert line_chart("t", [Series("b", [(0, math.nan)])]) is None


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, 1e-9, 123456.0])
def test_a_constant_can_be_drawn(value: float) -> None:
    chart = chart_of([Series("a", [(3, value), (4, value)])])
    (_, low), (_, high) = points_of(chart.lines[0].path)
    assert TOP <= low == high <= HEIGHT - BOTTOM


def test_rates_over_powers_of_ten_are_at_even_distances() -> None:
    chart = chart_of([Series("a", [(0, 1e-2), (1, 1e-3), (2, 1e-4), (3, 0.0)])], logarithmic=True)
    heights = [y for _, y in points_of(chart.lines[0].path)]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)
    assert len(heights) == 3
    assert chart.y_ticks[0][1] == "1e-04"
    assert chart_of([Series("a", [(0, 0.0)])], logarithmic=True).lines == []


def test_speeds_start_at_zero() -> None:
    assert chart_of([Series("a", [(0, 90.0), (1, 100.0)])], whole=True).y_ticks[0][1] == "0"


def test_long_runs_are_thinned_to_means_of_neighbours() -> None:
    points = [(float(x), float(x % 2)) for x in range(5 * MOST_POINTS)]
    drawn = points_of(chart_of([Series("a", points)]).lines[0].path)
    assert len(drawn) == MOST_POINTS
    ends = chart_of([Series("a", points)])
    assert ends.lines[0].end[1] == pytest.approx(TOP)  # the last value as it is


def test_large_iterations_are_short() -> None:
    chart = chart_of([Series("a", [(0, 1.0), (120_000, 2.0)])])
    assert [text for _, text in chart.x_ticks] == ["0", "50k", "100k"]
    assert points_of(chart.lines[0].path)[-1][0] == WIDTH - RIGHT


def test_a_small_line_over_tests() -> None:
    assert sparkline([0.0, math.nan, 1.0], 10, 20) == "M0.0,18.0L10.0,2.0"
    assert sparkline([math.nan]) == ""
