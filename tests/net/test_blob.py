"""Blobs show live arrays that can be written in place."""

from typing import Any

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from caffe_compat.net.blob import Blob, ParameterBlob, SyncedTensor

CPU = torch.device("cpu")


def test_a_kept_array_sees_later_values() -> None:
    blob = Blob((2, 3), CPU)
    kept = blob.data
    blob.assign(torch.full((2, 3), 7.0))
    assert (kept == 7).all()
    kept[1, 2] = 5
    assert blob.value.tensor()[1, 2] == 5


def test_nothing_is_copied_where_nobody_looked() -> None:
    blob = Blob((2, 3), CPU)
    value = torch.ones(2, 3)
    blob.assign(value)
    assert blob.value.tensor().data_ptr() == value.data_ptr()


def test_an_array_does_not_alias_the_tensor_of_a_graph() -> None:
    blob = Blob((4,), CPU)
    value = torch.ones(4)
    blob.assign(value)
    blob.data[...] = 3
    assert (value == 1).all()


def test_a_snapshot_is_safe_from_later_writes() -> None:
    value = SyncedTensor((3,), CPU)
    value.host()[...] = 2
    snapshot = value.snapshot()
    value.host()[...] = 9
    assert (snapshot == 2).all()


def test_reshape_keeps_values_of_the_same_count_and_the_array() -> None:
    blob = Blob((2, 6), CPU)
    blob.data[...] = np.arange(12).reshape(2, 6)
    blob.reshape(3, 4)
    assert blob.data.shape == blob.diff.shape == (3, 4)
    assert blob.data[2, 3] == 11
    blob.reshape(13)
    assert (blob.data == 0).all()


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_smaller_shape_keeps_the_first_values(looked_at: bool) -> None:
    blob = Blob((3, 4), CPU)
    blob.assign(torch.arange(12.0).reshape(3, 4))
    if looked_at:
        _ = blob.data
    blob.reshape(2, 3)
    assert blob.data.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_array_kept_over_shapes_that_fit_is_still_the_blobs() -> None:
    blob = Blob((3, 4), CPU)
    kept = blob.data
    blob.reshape(1, 4)
    kept[0] = 7
    assert (blob.value.tensor() == 7).all()
    blob.reshape(3, 4)
    kept[2] = 5
    assert blob.data[:, 1].tolist() == [7, 0, 5]
    blob.assign(torch.full((2, 4), 9.0))
    assert kept[:, 3].tolist() == [9, 9, 5]
    blob.assign(torch.full((4, 4), 6.0))  # more than there is room for
    assert kept[0, 0] == 9
    assert blob.data.shape == (4, 4)


def test_new_shapes_from_a_layer_reach_the_gradient() -> None:
    blob = Blob((2, 3), CPU)
    blob.assign(torch.ones(4, 5))
    assert blob.shape == blob.diff.shape == (4, 5)


def test_legacy_names() -> None:
    blob = Blob((2, 3, 4), CPU)
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 4, 1, 24)
    with pytest.raises(ShapeError, match=r"^cannot use legacy accessors .* on 5 axes"):
        _ = Blob((1, 2, 3, 4, 5), CPU).num


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected sizes of at least 0, got \(2, -1\)"):
        Blob((2,), CPU).reshape(2, -1)


@pytest.mark.parametrize("sizes", [(2, 1.5), ((2, 3),), ("2",)])
def test_sizes_are_whole_numbers(sizes: tuple[Any, ...]) -> None:
    for blob in (Blob((2,), CPU), ParameterBlob(torch.nn.Parameter(torch.zeros(2, 3)))):
        with pytest.raises(TypeError, match=r"write reshape\(\*shape\), and // for a division"):
            blob.reshape(*sizes)
        three: Any = np.int64(3)
        blob.reshape(three, 2)
        assert blob.shape == (3, 2)


def test_parameter_blob_writes_reach_the_weight() -> None:
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    blob = ParameterBlob(weight)
    blob.data[...] = 4
    blob.diff[1] += 2
    assert (weight == 4).all()
    assert weight.grad is not None
    assert weight.grad[1].eq(2).all()
    assert weight.grad[0].eq(0).all()


def test_arrays_that_were_let_go_keep_their_numbers() -> None:
    blob = Blob((2, 3), torch.device("cpu"))
    blob.data[...] = 5
    held, gradient = blob.data, blob.diff
    blob.let_go()
    assert (blob.data == 5).all()
    blob.assign(torch.full((2, 3), 7.0))
    blob.diff[...] = 2
    assert (held == 5).all()
    assert not gradient.any()
    assert (blob.data == 7).all()
