import numpy as np
import pytest

from caffe_compat.srn.prediction.attention_figure import (
    GREYNESS,
    OPACITY,
    OTHER_COLOUR,
    TRUE_COLOUR,
    draw_attention,
    over_image,
)
from caffe_compat.srn.prediction.attention_maps import ImageAttention

PHOTO = np.random.default_rng(3).random((30, 40, 3), np.float32)


def maps_of(labels=5):
    generator = np.random.default_rng(4)
    attention = generator.random((labels, 3, 4), np.float32)
    return ImageAttention(attention, attention / np.float32(3), np.zeros(labels, np.float32))


def test_cells_keep_their_edges_where_asked_for() -> None:
    black = np.zeros((4, 6, 3), np.float32)
    attention = np.array([[0, 0.5, 0.25], [0, 0, 0]], np.float32)
    cells, smooth = (over_image(attention, black, 1.0, way).astype(int) for way in (False, True))
    assert (cells[:2, 2:4] == cells[0, 2]).all()
    assert not (cells[0, 2] == cells[0, 1]).all()
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > len(np.unique(cells.reshape(-1, 3), axis=0))


def test_the_photo_shows_through_most_where_the_map_is_low() -> None:
    """Against the formula in loops: colour and photo, the photo greyed, weighed by an opacity that grows with it."""
    attention = np.array([[0.0, 0.2], [0.1, 0.05]], np.float32)
    drawn = over_image(attention, PHOTO, 0.2, smooth=False)
    red_of = {0.0: 0.18995, 0.5: 0.64362, 1.0: 0.4796}  # turbo, at 0, 1/2 and 1
    for (row, column), share in {(2, 3): 0.0, (2, 30): 1.0, (20, 5): 0.5}.items():
        opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share
        blue, green, red = PHOTO[row, column]
        photo = GREYNESS * (blue + green + red) / 3 + (1 - GREYNESS) * red
        want = 255 * (opacity * red_of[share] + (1 - opacity) * photo)
        assert drawn[row, column, 0] == pytest.approx(want, abs=1.5), share


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_map_without_a_value_is_drawn(value: float) -> None:
    assert over_image(np.full((2, 3), value, np.float32), PHOTO, 0.0).shape == (30, 40, 3)
    maps = maps_of()._replace(weighted=np.full((5, 3, 4), value, np.float32))
    draw_attention(PHOTO, maps, [1], list("abcde")).canvas.draw()


def test_each_map_has_its_own_scale_and_each_label_its_score() -> None:
    maps = maps_of()._replace(scores=np.array([0, 2, -2, 900, -900], np.float32))
    figure = draw_attention(PHOTO, maps, [1, 2, 3, 4], ["a", "b$x$", "c", "d", "a name that is too long"], true={1, 3})
    figure.canvas.draw()

    titles = {axis.get_title(): axis.title.get_color() for axis in figure.axes if axis.get_title()}
    assert titles.pop("image")
    assert titles == {
        "b$x$": TRUE_COLOUR,
        "c": OTHER_COLOUR,
        "d": TRUE_COLOUR,
        "a name that is too\nlong": OTHER_COLOUR,
    }
    labels = [axis.get_xlabel() for axis in figure.axes if axis.get_xlabel()]
    assert labels == ["score 0.88", "score 0.12", "score 1.00", "score 0.00"]
    bars = [child for axis in figure.axes for child in axis.child_axes]
    ends = [bar.get_yticklabels()[1].get_text() for bar in bars]
    drawn = [values[label] for values in (maps.attention, maps.weighted) for label in (1, 2, 3, 4)]
    assert ends == [f"{values.max():.2g}" for values in drawn]


def test_one_scale_for_all_ends_at_1() -> None:
    figure = draw_attention(PHOTO, maps_of(), [0, 1], list("abcde"), shared_scale=True)
    ends = [bar.get_yticklabels()[1].get_text() for axis in figure.axes for bar in axis.child_axes]
    assert ends == ["1"] * 4


def test_nets_without_u_have_one_row() -> None:
    assert len(draw_attention(PHOTO, maps_of(), [3, 0], list("abcde")).axes) == 5
    assert len(draw_attention(PHOTO, maps_of()._replace(weighted=None), [3, 0], list("abcde")).axes) == 3


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (900, 5, 3)])
def test_photos_of_any_shape(shape: tuple[int, ...]) -> None:
    draw_attention(np.zeros(shape, np.float32), maps_of(), [0], list("abcde")).canvas.draw()
