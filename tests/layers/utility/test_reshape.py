"""Reshape against NumPy's, through Caffe's rules for 0, -1, axis and num_axes."""

import pytest

from caffe_compat.errors import FieldError, GraphError, ShapeError
from tests.layers.harness import assert_every_field_matters, build, check_layer, layer_parameter, random_bottom


def reshape(dims: list[int], fields: str = "") -> str:
    return f"name: 'r' type: 'Reshape' reshape_param {{ shape {{ dim: {dims} }} {fields} }}"


@pytest.mark.parametrize(
    ("dims", "fields", "shape"),
    [
        ([0, -1], "", (2, 36)),
        ([0, 4, 3, -1], "", (2, 4, 3, 3)),
        ([6, 12], "", (6, 12)),
        ([2, -1], "axis: 1", (2, 2, 18)),
        ([2, 6], "axis: 1 num_axes: 2", (2, 2, 6, 3)),
        ([1, 3], "axis: -2", (2, 3, 4, 1, 3)),
        ([1], "axis: -1", (2, 3, 4, 3, 1)),
        ([1, 1], "axis: 2 num_axes: 0", (2, 3, 1, 1, 4, 3)),
        ([0, -1, 2], "axis: 1 num_axes: 2", (2, 3, 2, 2, 3)),
    ],
)
def test_shapes(dims: list[int], fields: str, shape: tuple[int, ...]) -> None:
    check_layer(reshape(dims, fields), [random_bottom(2, 3, 4, 3)], lambda _, x: x.reshape(shape))


def test_every_field_matters() -> None:
    assert_every_field_matters(reshape([-1], "axis: 1 num_axes: 2"), random_bottom(2, 3, 4, 3))


@pytest.mark.parametrize(
    ("dims", "fields", "message"),
    [
        ([-1, -1], "", r"expected at most one dim of -1, got \[-1, -1\]"),
        ([-2], "", r"expected dims of at least -1, got \[-2\]"),
        ([1], "num_axes: -2", r"expected num_axes of at least -1 \(all\), got -2"),
    ],
)
def test_refuses_fields(dims: list[int], fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'r' \(Reshape\): {message}"):
        build(reshape(dims, fields), (2, 3))


@pytest.mark.parametrize(
    ("dims", "fields", "message"),
    [
        ([4, -1], "", r"expected a shape for 6 values \(bottom \(2, 3\)\), got dims \[4, -1\] for axes 0 to 1"),
        ([7], "", "expected a shape for 6 values"),
        ([1], "axis: 3", "expected axis and num_axes within 2 axes, got 3 and -1"),
        ([1], "axis: -4", "expected axis and num_axes within 2 axes, got -4 and -1"),
        ([1], "axis: 1 num_axes: 2", "expected axis and num_axes within 2 axes, got 1 and 2"),
        ([0, 0, 0], "", r"expected dims of 0 for axes of the bottom \(2, 3\) only"),
    ],
)
def test_refuses_shapes(dims: list[int], fields: str, message: str) -> None:
    with pytest.raises(ShapeError, match=rf"^layer 'r' \(Reshape\): {message}"):
        build(reshape(dims, fields), (2, 3))(random_bottom(2, 3))


def test_refuses_to_run_in_place() -> None:
    with pytest.raises(GraphError, match=r"^layer 'r' \(Reshape\): Reshape cannot run in place"):
        build(layer_parameter(reshape([6]) + " bottom: 'x' top: 'x'"), (2, 3))
