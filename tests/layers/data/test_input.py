"""Input."""

import pytest

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer
from tests.layers.data.made_layers import make_layer


def source(text: str, tops: int = 2) -> Layer:
    return make_layer(f"type: 'Input' input_param {{ {text} }}", tops=tops)


def test_shapes() -> None:
    assert source("shape { dim: 2 dim: 3 } shape { dim: 4 }").top_shapes() == [(2, 3), (4,)]
    assert source("shape { dim: 5 dim: 1 }").top_shapes() == [(5, 1), (5, 1)]
    assert source("").top_shapes() == [(), ()]
    assert source("").is_input


def test_never_runs() -> None:
    with pytest.raises(NotImplementedError, match=r"^an Input layer is filled from outside and never runs"):
        source("")()


def test_refuses_other_numbers_of_shapes() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'data' \(Input\): expected 0, 1 or 3 shapes \(one a top\), got 2"):
        source("shape { dim: 2 } shape { dim: 4 }", 3)
