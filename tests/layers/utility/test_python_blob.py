"""The blobs that Python layers see."""

from typing import Any

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Blobs
from caffe_compat.layers.utility.python_blob import PythonBlob, PythonParameters
from tests.layers.harness import gradient


def test_a_blob_has_pycaffes_attributes() -> None:
    blob = PythonBlob((2, 3, 4))
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 4, 1, 24)
    assert blob.shape == blob.data.shape == blob.diff.shape == (2, 3, 4)
    assert blob.data.dtype == np.float32


def test_reshape_keeps_values_where_their_number_stays() -> None:
    blob = PythonBlob((2, 3))
    blob.data[...] = 5
    blob.reshape(3, 2)
    assert (blob.data == 5).all()
    blob.reshape(7)
    assert blob.data.tolist() == [0] * 7
    blob.reshape()
    assert blob.shape == blob.diff.shape == ()


def test_load_takes_shape_and_values() -> None:
    blob = PythonBlob()
    blob.load(torch.tensor([[1.0, 2.0]], dtype=torch.float64))
    assert blob.data.tolist() == [[1, 2]]


def test_weights_are_live_arrays() -> None:
    blobs = Blobs({}, {}, [])
    weights = PythonParameters(blobs)
    weights.add_blob(2, 3)
    weights.add_blob(1)
    assert len(weights) == 2
    assert [weight.shape for weight in weights] == [(2, 3), (1,)]
    weights[0].data[1, 2] = 4
    weights[0].diff[...] = 6
    assert blobs[0][1, 2] == 4
    assert (gradient(blobs[0]) == 6).all()
    with torch.no_grad():
        blobs[0][0, 0] = 8
    assert weights[0].data[0, 0] == 8
    assert (weights[0].num, weights[0].channels, weights[0].count) == (2, 3, 6)


def test_weights_reshape() -> None:
    blobs = Blobs({}, {}, [])
    weights = PythonParameters(blobs)
    weights.add_blob(2, 3)
    weights[0].data[...] = 5
    weights[0].reshape(6)
    assert blobs[0].tolist() == [5] * 6
    weights[0].reshape(2)
    assert blobs[0].tolist() == [0, 0]
    assert weights[0].diff.tolist() == [0, 0]


class _Elsewhere:
    """A tensor's stand-in that says that it is on a GPU."""

    device = torch.device("cuda")

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def data_ptr(self) -> int:
        return self.tensor.data_ptr()

    def cpu(self) -> torch.Tensor:
        return self.tensor.clone()

    def copy_(self, values: torch.Tensor) -> None:
        self.tensor.copy_(values)


def test_copies_of_weights_on_a_gpu_are_written_back() -> None:
    weights = PythonParameters(Blobs({}, {}, []))
    weights.add_blob(2)
    values = torch.zeros(2)
    array = weights[0]._host(_Elsewhere(values))
    assert weights[0]._host(_Elsewhere(values)) is array
    array[...] = 3
    weights[0].write_back()
    assert values.tolist() == [3, 3]


@pytest.mark.parametrize("sizes", [(2, 1.5), ((2, 3),), ("2",), (2.0,)])
def test_sizes_are_whole_numbers(sizes: tuple[Any, ...]) -> None:
    weights = PythonParameters(Blobs({}, {}, []))
    weights.add_blob(2)
    for reshape in (PythonBlob().reshape, weights.add_blob, weights[0].reshape):
        with pytest.raises(
            TypeError, match=r"^expected one whole number an axis, as in reshape\(1, 3, 224, 224\), got"
        ):
            reshape(*sizes)
        with pytest.raises(ShapeError, match=r"^expected sizes of at least 0, got \(2, -1\)"):
            reshape(2, -1)


def test_old_names_are_of_up_to_four_axes() -> None:
    with pytest.raises(ShapeError, match=r"^cannot use legacy accessors .* on 5 axes"):
        _ = PythonBlob((1, 2, 3, 4, 5)).channels
