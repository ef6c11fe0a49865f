"""ContinuationIndicator: the first row is 0, the others 1."""

from pathlib import Path

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom


def text(fields: str) -> str:
    return f"name: 'c' type: 'ContinuationIndicator' continuation_indicator_param {{ {fields} }}"


def markers(steps: int, batch: int) -> np.ndarray:
    found = np.zeros((steps, batch))
    for step in range(1, steps):
        for item in range(batch):
            found[step, item] = 1
    return found


@pytest.mark.parametrize(("axis", "batch"), [("", 2), ("axis: 1", 3), ("axis: -1", 5)])
def test_the_batch_is_an_axis_of_the_bottom(axis: str, batch: int) -> None:
    check_layer(text(f"time_step: 4 {axis}"), [random_bottom(2, 3, 5)], lambda _, x: markers(4, batch), gradients=False)


def test_without_a_bottom_the_batch_is_stated() -> None:
    layer = build(text("time_step: 3 batch_size: 2"))
    assert layer.top_shapes() == [(3, 2)]
    np.testing.assert_array_equal(layer(), markers(3, 2))


def test_every_field_matters() -> None:
    assert_every_field_matters(text("time_step: 4 axis: 1"), random_bottom(2, 3, 5))
    assert_every_field_matters(text("time_step: 4 batch_size: 2"))


@pytest.mark.parametrize(
    ("fields", "shapes", "message"),
    [
        ("batch_size: 2", [], "expected time_step above 0, got none"),
        ("time_step: 2", [], "expected batch_size above 0 where there is no bottom, got none"),
        ("time_step: 2 axis: 3", [(2, 3)], r"expected an axis of \[2, 3\], got 3"),
    ],
)
def test_refuses(fields: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'c' \(ContinuationIndicator\): {message}"):
        build(text(fields), *shapes).top_shapes(*shapes)


def test_an_lstm_starts_anew_where_the_markers_say_so(tmp_path: Path) -> None:
    """As in the nets of OCR, with and without a bottom for the batch."""
    net = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 2 dim: 3 } } }
    layer { name: "c" type: "ContinuationIndicator" %s top: "c" continuation_indicator_param { time_step: 4 %s } }
    layer { name: "l" type: "LSTM" bottom: "x" bottom: "c" top: "l" recurrent_param { num_output: 5
      weight_filler { type: "gaussian" std: 0.4 } } }"""
    (tmp_path / "a.prototxt").write_text(net % ('bottom: "x"', "axis: 1"))
    (tmp_path / "b.prototxt").write_text(net % ("", "batch_size: 2"))
    one, other = (caffe.Net(str(tmp_path / f"{name}.prototxt"), caffe.TEST) for name in "ab")
    one.save(str(tmp_path / "w.caffemodel"))
    other.copy_from(str(tmp_path / "w.caffemodel"))
    x = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(3)).numpy()
    first = one.forward(x=x)["l"].copy()
    np.testing.assert_array_equal(one.forward(x=x)["l"], first)
    np.testing.assert_array_equal(other.forward(x=x)["l"], first)
    module = caffe.load(str(tmp_path / "w.caffemodel"), prototxt=str(tmp_path / "b.prototxt"))
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach(), first, rtol=1e-5, atol=1e-6)
