"""MemoryData."""

import logging

import numpy as np
import pytest

from caffe_compat.errors import DataError, FieldError, ShapeError
from caffe_compat.layers.data.memory_data import MemoryData
from tests.layers.data.made_layers import assert_resumes, make_layer, take

DATA = np.random.default_rng(0).normal(size=(6, 3, 4, 5)).astype(np.float32)
LABELS = np.arange(6, dtype=np.float32)
ERROR = r"^layer 'data' \(MemoryData\): "


def memory(batch_size: int = 2, more: str = "") -> MemoryData:
    sizes = f"batch_size: {batch_size} channels: 3 height: 4 width: 5"
    layer = make_layer(f"type: 'MemoryData' memory_data_param {{ {sizes} }} {more}")
    assert isinstance(layer, MemoryData)
    return layer


def test_walks_round_its_arrays() -> None:
    layer = memory()
    assert (layer.batch_size, layer.top_shapes()) == (2, [(2, 3, 4, 5), (2,)])
    layer.reset(DATA, LABELS[:, None, None, None])
    for number, (data, labels) in enumerate(take(layer, 4)):
        items = slice(2 * number % 6, 2 * number % 6 + 2)
        assert np.array_equal(data, DATA[items])
        assert np.array_equal(labels, LABELS[items].reshape(2, 1, 1, 1))


def test_a_reset_starts_again() -> None:
    layer = memory()
    layer.reset(DATA, LABELS)
    layer()
    layer.reset(DATA + 1, LABELS)
    assert np.array_equal(layer()[0].numpy(), DATA[:2] + 1)


def test_resumes() -> None:
    first, second = memory(), memory()
    for layer in (first, second):
        layer.reset(DATA, LABELS)
    assert_resumes(first, second)


def test_says_that_it_does_not_transform(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        memory(more="transform_param { scale: 2 }").reset(DATA, LABELS)
    assert "layer 'data' (MemoryData): MemoryData does not transform array data on Reset()" in caplog.messages


def test_refuses_what_does_not_fit() -> None:
    layer = memory(4)
    with pytest.raises(DataError, match=ERROR + r"MemoryData needs to be initialized by calling Reset \(set_input"):
        layer()
    with pytest.raises(ShapeError, match=ERROR + r"expected data \(n, 3, 4, 5\), got \(6, 3, 4, 4\)"):
        layer.reset(DATA[..., 1:], LABELS)
    with pytest.raises(ShapeError, match=ERROR + r"expected a label for each of 6 items, got 5"):
        layer.reset(DATA, LABELS[1:])
    with pytest.raises(ShapeError, match=ERROR + r"n must be a multiple of batch size 4, got 6"):
        layer.reset(DATA, LABELS)
    with pytest.raises(FieldError, match=ERROR + r"batch_size, channels, height, and width must be specified and pos"):
        memory(0)
