"""Flatten against NumPy's reshape."""

import pytest

from caffe_compat.errors import FieldError, GraphError, ShapeError
from tests.layers.harness import assert_every_field_matters, build, check_layer, layer_parameter, random_bottom


def flatten(fields: str) -> str:
    return f"name: 'f' type: 'Flatten' flatten_param {{ {fields} }}"


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (2, 60)),
        ("axis: 2", (2, 3, 20)),
        ("axis: -3 end_axis: 2", (2, 12, 5)),
        ("axis: 1 end_axis: 1", (2, 3, 4, 5)),
    ],
)
def test_makes_one_axis(fields: str, shape: tuple[int, ...]) -> None:
    check_layer(flatten(fields), [random_bottom(2, 3, 4, 5)], lambda _, x: x.reshape(shape))


def test_every_field_matters() -> None:
    assert_every_field_matters(flatten("axis: 0 end_axis: -2"), random_bottom(2, 3, 4, 5))


def test_refuses_an_end_before_the_start_and_axes_beyond_the_bottom() -> None:
    with pytest.raises(FieldError, match=r"^layer 'f' \(Flatten\): expected end_axis of at least 3 \(axis\), got 1"):
        build(flatten("axis: 3 end_axis: 1"), (2, 3, 4, 5))(random_bottom(2, 3, 4, 5))
    with pytest.raises(ShapeError, match=r"^layer 'f' \(Flatten\): expected end_axis within \[-2, 2\), got 2"):
        build(flatten("end_axis: 2"), (2, 3))(random_bottom(2, 3))


def test_refuses_to_run_in_place() -> None:
    with pytest.raises(GraphError, match=r"^layer 'f' \(Flatten\): Flatten cannot run in place"):
        build(layer_parameter(flatten("") + " bottom: 'x' top: 'x'"), (2, 3))
