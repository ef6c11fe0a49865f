"""Bias against plain loops: learnt and given, over any axes."""

import numpy as np
import pytest

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom


def bias(fields: str = "") -> str:
    return f"name: 'b' type: 'Bias' bias_param {{ {fields} filler {{ type: 'uniform' min: -1 max: 2 }} }}"


def added(x: Array, operand: Array, axis: int) -> Array:
    top = x.copy()
    for place in np.ndindex(*x.shape):
        top[place] += operand[place[axis : axis + operand.ndim]]
    return top


def test_covers_the_axes_asked_for() -> None:
    text = bias("axis: -3 num_axes: 2")
    layer = check_layer(text, [random_bottom(2, 3, 4, 5)], lambda blobs, x: added(x, blobs[0], 1))
    assert layer.blobs[0].shape == (3, 4)
    assert_every_field_matters(bias("axis: -2 num_axes: 2"), random_bottom(2, 3, 4, 5))


@pytest.mark.parametrize(("fields", "shape"), [("num_axes: -1", (3, 4, 5)), ("num_axes: 0", ()), ("", (3,))])
def test_shape_of_the_blob(fields: str, shape: tuple[int, ...]) -> None:
    layer = check_layer(bias(fields), [random_bottom(2, 3, 4, 5)], lambda blobs, x: added(x, blobs[0], 1))
    assert layer.blobs[0].shape == shape


def test_starts_at_zero() -> None:
    assert not build("type: 'Bias'", (2, 3)).blobs[0].any()


def test_takes_bottom_1() -> None:
    layer = check_layer(
        "type: 'Bias' bias_param { axis: 2 }",
        [random_bottom(2, 3, 4, 5), random_bottom(4, 5, seed=1)],
        lambda _, x, operand: added(x, operand, 2),
    )
    assert not layer.blobs


def test_refuses_axes_beyond_the_bottom() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'b' \(Bias\): expected axis \+ num_axes of at most 3, got 2 \+ 2"):
        build(bias("axis: 2 num_axes: 2"), (2, 3, 4))
    with pytest.raises(FieldError, match=r"^layer 'b' \(Bias\): expected num_axes of at least -1 .*, got -2"):
        build(bias("num_axes: -2"), (2, 3, 4))
    with pytest.raises(ShapeError, match=r"^layer 'b' \(Bias\): expected axis within \[-3, 3\), got 3"):
        build(bias("axis: 3"), (2, 3, 4))


def test_refuses_an_operand_of_another_shape() -> None:
    x, operand = random_bottom(2, 3, 4), random_bottom(4)
    with pytest.raises(ShapeError, match=r"^layer 'b' \(Bias\): expected an operand of shape \(3,\) .*, got \(4,\)"):
        build("name: 'b' type: 'Bias'", x, operand)(x, operand)
