"""Batches under way."""

import numpy as np
import pytest

from caffe_compat.data.batch import Batch
from caffe_compat.errors import DataError
from tests.data.made_files import picture


def test_keeps_the_memory_order_of_its_items() -> None:
    for image in (picture(4, 5), picture(3, 4, 5).transpose(1, 2, 0)):
        batch = Batch(2, "layer")
        for number in range(2):
            place = batch.item(number, image.shape, image)
            assert (place.strides[2] > place.strides[1]) == (image.strides[2] > image.strides[1])
            place[...] = image
        assert np.array_equal(batch.pixels, np.stack([image.transpose(2, 0, 1)] * 2))


def test_labels_are_numbers_or_rows() -> None:
    batch = Batch(2, "layer")
    batch.labels = [3.0, 4.0]
    assert batch.label_array.tolist() == [3.0, 4.0]
    batch.labels = [np.ones(3, np.float32), np.zeros(3, np.float32)]
    assert batch.label_array.shape == (2, 3)


def test_uses_memory_again_where_it_fits() -> None:
    image = picture(4, 5)
    first = Batch(2, "layer")
    first.item(0, image.shape, image)
    again, larger = Batch(2, "layer", first.memory), Batch(3, "layer", first.memory)
    for batch in (again, larger):
        batch.item(0, image.shape, image)
    assert again.memory is first.memory
    assert larger.memory is not first.memory


def test_refuses_images_of_two_sizes() -> None:
    batch = Batch(2, "layer")
    batch.item(0, (4, 5, 3), picture(4, 5))
    with pytest.raises(DataError, match=r"^layer: images of one batch must have one size, found .* \(5, 4, 3\) beside"):
        batch.item(1, (5, 4, 3), picture(5, 4))


def test_refuses_to_be_read_empty() -> None:
    with pytest.raises(DataError, match=r"^layer: the batch is empty"):
        _ = Batch(1, "layer").pixels
