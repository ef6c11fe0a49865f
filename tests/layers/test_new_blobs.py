"""New blobs: sizes are judged before anything is allocated; fillers keep their laws and exact values."""

import math

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffe_compat.errors import CaffeError, FieldError, ShapeError
from caffe_compat.layers.new_blobs import MOST_VALUES, VARIABLE, MemoryBudget, fill, memory_limit, refuse_lack_of_memory
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text


def layer(text: str = "") -> caffe_pb2.LayerParameter:
    return parse_text(f"name: 'ip' type: 'InnerProduct' {text}", caffe_pb2.LayerParameter)


def test_a_blob_holds_as_many_values_as_caffe_counts() -> None:
    budget = MemoryBudget(math.inf)
    budget.add_weights(layer(), 0, (MOST_VALUES,))
    with pytest.raises(
        ShapeError,
        match=r"^layer 'ip' \(InnerProduct\): blob 1 would have 65536x65536 = 4294967296 values; a blob of Caffe holds "
        r"at most 2147483647; its largest number is inner_product_param.num_output: 65536$",
    ):
        budget.add_weights(layer("inner_product_param { num_output: 65536 axis: 1 }"), 1, (65536, 65536))


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (2, -1)])
def test_sizes_are_above_0(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"^layer 'ip' \(InnerProduct\): expected sizes above 0 for top 'y', got "):
        MemoryBudget(math.inf).check_top(layer(), "y", shape)


def test_weights_add_up_and_tops_do_not() -> None:
    budget = MemoryBudget(4000)
    budget.add_weights(layer(), 0, (500,))
    budget.check_top(layer(), "a", (500,))
    budget.check_top(layer(), "b", (500,))
    with pytest.raises(ShapeError, match=r"^layer 'ip' \(InnerProduct\): with top 'c' of shape 501 the net needs 0"):
        budget.check_top(layer(), "c", (501,))
    with pytest.raises(ShapeError, match=rf"more than the limit of 0.0 GiB \({VARIABLE} sets another\)$"):
        budget.add_weights(layer(), 1, (501,))


def test_the_message_names_the_largest_number_of_nested_messages_and_cuts_long_shapes() -> None:
    text = "reshape_param { axis: 3 shape { dim: 7 dim: 900 } }"
    with pytest.raises(
        ShapeError, match=r"top 'y' of shape 1x1x1x1x1x1x1x1x\.\.\. .*number is reshape_param.shape.dim: 900$"
    ):
        MemoryBudget(3).check_top(layer(text), "y", (1,) * 9)


def test_a_single_number_has_a_name() -> None:
    with pytest.raises(ShapeError, match="with top 'y' of shape a single number"):
        MemoryBudget(3).check_top(layer(), "y", ())


@pytest.mark.parametrize(
    ("text", "limit"), [("12", 12), ("3k", 3072), ("2M", 2**21), ("24G", 24 * 2**30), ("1 TiB", 2**40)]
)
def test_the_limit_comes_from_the_environment(text: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert memory_limit() == limit


def test_without_it_the_limit_is_the_memory_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert 2**28 < memory_limit() < 2**46


def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(FieldError, match=rf"^{VARIABLE}: expected a number of bytes such as .*24G, got 'MUCH'"):
        memory_limit()


def filled(text: str, *shape: int) -> Tensor:
    torch.manual_seed(3)
    blob = torch.zeros(shape)
    fill(blob, text_format.Parse(text, caffe_pb2.FillerParameter()), "layer 'fc' (InnerProduct)")
    return blob


def test_constant() -> None:
    assert filled("type: 'constant' value: 2.5", 3, 4).unique().tolist() == [2.5]
    assert filled("", 3, 4).unique().tolist() == [0.0]


def test_uniform() -> None:
    blob = filled("type: 'uniform' min: -1 max: 3", 100, 200)
    assert -1 <= blob.min() < -0.99
    assert 2.99 < blob.max() <= 3
    assert blob.mean() == pytest.approx(1, abs=0.04)  # four deviations of 20 000 draws


def test_gaussian() -> None:
    blob = filled("type: 'gaussian' mean: 2 std: 0.5", 100, 200)
    assert blob.mean() == pytest.approx(2, abs=0.015)
    assert blob.std() == pytest.approx(0.5, abs=0.01)


def test_sparse_gaussian_keeps_some_inputs_of_each_output() -> None:
    blob = filled("type: 'gaussian' std: 1 sparse: 15", 100, 200)
    assert (blob != 0).float().mean() == pytest.approx(0.15, abs=0.011)


FANS = {"FAN_IN": 60.0, "FAN_OUT": 600.0, "AVERAGE": 330.0}


@pytest.mark.parametrize(("norm", "fan"), FANS.items())
def test_xavier_and_msra_divide_by_the_fan(norm: str, fan: float) -> None:
    """Weights (200, 20, 3): 60 inputs to an output, 600 outputs of an input."""
    limit = np.sqrt(3 / fan)
    xavier = filled(f"type: 'xavier' variance_norm: {norm}", 200, 20, 3)
    assert float(xavier.abs().max()) == pytest.approx(limit, rel=0.01)
    assert float(xavier.abs().max()) <= limit
    msra = filled(f"type: 'msra' variance_norm: {norm}", 200, 20, 3)
    assert float(msra.std()) == pytest.approx(np.sqrt(2 / fan), rel=0.03)


def test_a_vector_has_one_input_an_output() -> None:
    assert float(filled("type: 'xavier'", 500).abs().max()) == pytest.approx(np.sqrt(3), rel=0.02)
    assert float(filled("type: 'xavier' variance_norm: FAN_OUT", 500).abs().max()) <= np.sqrt(3 / 500)


def test_positive_unitball() -> None:
    blob = filled("type: 'positive_unitball'", 4, 5, 6)
    assert (blob > 0).all()
    np.testing.assert_allclose(blob.sum(dim=(1, 2)), np.ones(4), rtol=1e-5)


@pytest.mark.parametrize("size", [3, 4])
def test_bilinear_is_an_upsampling_kernel(size: int) -> None:
    blob = filled("type: 'bilinear'", 2, 1, size, size)
    factor = (size + 1) // 2
    line = [1 - abs(x / factor - (size - 1) / (2 * factor)) for x in range(size)]
    for output in range(2):
        np.testing.assert_allclose(blob[output, 0], np.outer(line, line), rtol=1e-6)


@pytest.mark.parametrize("kind", ["'xavier'", "'msra'", "'positive_unitball'", "'gaussian' sparse: 1"])
def test_a_single_number_is_filled_as_one_output(kind: str) -> None:
    assert filled(f"type: {kind}").isfinite()


@pytest.mark.parametrize(
    ("text", "shape", "error", "message"),
    [
        ("type: 'orthogonal'", (3, 4), FieldError, "no filler of type 'orthogonal'; known: constant, uniform"),
        ("type: 'uniform' sparse: 3", (3, 4), FieldError, "sparse is only for gaussian fillers, not for 'uniform'"),
        ("type: 'gaussian' sparse: 4", (3, 4), FieldError, r"expected sparse of at most 3 \(the outputs\), got 4"),
        ("type: 'gaussian' sparse: -2", (3, 4), FieldError, r"expected sparse of at most 3 \(the outputs\), got -2"),
        (
            "type: 'gaussian' std: -0.5",
            (3, 4),
            FieldError,
            "expected std of at least 0 for the gaussian filler",
        ),
        ("type: 'gaussian' std: nan", (3, 4), FieldError, "expected a finite std for the gaussian filler, got nan"),
        ("value: inf", (3, 4), FieldError, "expected a finite value for the constant filler, got inf"),
        (
            "type: 'uniform' min: 2 max: 1",
            (3,),
            FieldError,
            "expected max of at least min for the uniform filler",
        ),
        ("type: 'bilinear'", (1, 1, 2, 3), ShapeError, r"expected square kernels of 4 axes .* got \(1, 1, 2, 3\)"),
        ("type: 'bilinear'", (3, 3), ShapeError, r"expected square kernels of 4 axes .* got \(3, 3\)"),
    ],
)
def test_refuses(text: str, shape: tuple[int, ...], error: type[CaffeError], message: str) -> None:
    with pytest.raises(error, match=rf"^layer 'fc' \(InnerProduct\): {message}"):
        filled(text, *shape)


def test_the_allocators_own_error_names_the_layer() -> None:
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**62)
    with pytest.raises(
        ShapeError,
        match=r"^layer 'ip' \(InnerProduct\): not enough memory to run the layer; its largest number is "
        r"inner_product_param.num_output: 7; lower batch_size",
    ):
        refuse_lack_of_memory(full.value, layer("inner_product_param { num_output: 7 }"))


def test_other_errors_of_a_layer_stay_what_they_are() -> None:
    refuse_lack_of_memory(RuntimeError("The size of tensor a (2) must match"), layer())
