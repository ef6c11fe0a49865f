"""Fillers: their laws on many draws, their exact values where they have them."""

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffe_compat.errors import CaffeError, FieldError, ShapeError
from caffe_compat.layers.fillers import fill
from caffe_compat.proto import caffe_pb2


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
