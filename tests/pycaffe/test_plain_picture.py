"""Pictures without Graphviz."""

import numpy as np
import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.pycaffe.net_drawing import Drawing, drawing_of
from caffe_compat.pycaffe.plain_picture import plain_picture
from tests.data.made_files import decode_picture
from tests.pycaffe.drawn_net import drawn_net


def drawing() -> Drawing:
    return drawing_of(drawn_net(), "LR", True, 1, True)


@pytest.mark.parametrize(("rankdir", "wide"), [("LR", True), ("RL", True), ("TB", False), ("BT", False)])
def test_it_is_long_in_the_graphs_direction(rankdir: str, wide: bool) -> None:
    picture = decode_picture(plain_picture(drawing(), rankdir, "png"))
    assert picture is not None
    height, width = picture.shape[:2]
    assert (width > height) == wide
    red = np.all(picture == (0x50, 0x50, 0xFF), axis=2)  # the convolution's box, blue first
    assert red.sum() > 100


def test_text_formats_hold_the_labels() -> None:
    svg = plain_picture(drawing(), "TB", "svg").decode()
    assert all(text in svg for text in ("(Convolution)", "pool:1"))


def test_a_net_without_layers_is_an_empty_picture() -> None:
    assert plain_picture(Drawing(), "LR", "png").startswith(b"\x89PNG")


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(MissingFeatureError, match=r"^cannot draw 'xyz' without Graphviz; install it, or choose one of"):
        plain_picture(drawing(), "LR", "xyz")
