"""Split copies its bottom and sums gradients."""

from tests.layers.harness import check_layer, random_bottom


def test_every_top_is_the_bottom() -> None:
    check_layer("type: 'Split'", [random_bottom(2, 3)], lambda _, x: (x, x, x), tops=3)
