"""Layer: blobs, axes and shapes that are foretold."""

import pytest
import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, LossLayer, Tops, as_tuple, is_finite
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import layer_parameter


class Doubled(Layer):
    """Two tops from one weight; counts what it does as statistics do."""

    def setup(self, *bottom_shapes: tuple[int, ...]) -> None:
        self.add_blob((bottom_shapes[0][1], 4), caffe_pb2.FillerParameter(type="constant", value=2))
        self.add_blob((1,), learnable=False)

    def forward(self, bottom: Tensor) -> Tops:
        self.blobs[1].data.add_(1)
        return bottom @ self.blobs[0], bottom.sum(0)


def doubled(dtype: torch.dtype = torch.float32) -> Doubled:
    layer = Doubled(LayerSpec(layer_parameter("name: 'd' type: 'Doubled'"), "TEST"))
    layer.setup((2, 3))
    return layer.to(dtype)


def test_blobs_are_filled_and_only_some_learn() -> None:
    layer = doubled()
    assert [blob.requires_grad for blob in layer.blobs] == [True, False]
    assert [float(blob.detach().mean()) for blob in layer.blobs] == [2, 0]
    assert (layer.name, layer.phase) == ("d", "TEST")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shapes_are_foretold_and_nothing_else_happens(dtype: torch.dtype) -> None:
    layer = doubled(dtype)
    assert layer.top_shapes((5, 3)) == [(5, 4), (3,)]
    assert float(layer.blobs[1]) == 0


@pytest.mark.parametrize(("axis", "expected"), [(0, 0), (3, 3), (-1, 3), (-4, 0)])
def test_axes_count_from_either_end(axis: int, expected: int) -> None:
    assert doubled().canonical_axis(axis, 4) == expected


@pytest.mark.parametrize("axis", [4, -5])
def test_refuses_axes_outside(axis: int) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'd' \(Doubled\): expected slice_dim within \[-4, 4\), got {axis}"):
        doubled().canonical_axis(axis, 4, "slice_dim")


def test_tops_as_a_tuple() -> None:
    top = torch.zeros(2)
    assert as_tuple(top) == (top,)
    assert as_tuple((top, top)) == (top, top)


def test_losses_keep_gradients_from_labels() -> None:
    assert LossLayer.is_loss
    assert LossLayer.no_gradient_to == {1}
    assert str(LossLayer.bottoms) == "exactly 2"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -2.0], True),
        ([], True),
        ([1.0, float("nan")], False),
        ([float("inf"), float("-inf")], False),
        ([3e38, 3e38], True),  # their sum is infinite
    ],
)
def test_one_look_finds_bad_numbers(values: list[float], expected: bool) -> None:
    assert is_finite(torch.tensor(values)) == expected
