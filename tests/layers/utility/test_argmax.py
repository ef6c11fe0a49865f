"""ArgMax against sorting pairs."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError
from tests.layers.harness import Array, assert_every_field_matters, build, check_layer, random_bottom

ALONG_AXIS = "name: 'a' type: 'ArgMax' argmax_param { axis: -2 top_k: 2 out_max_val: true }"
BY_ITEM = "name: 'a' type: 'ArgMax' argmax_param { top_k: 3 out_max_val: true }"


def largest(values: Array, k: int) -> list[tuple[float, int]]:
    return sorted(((value, index) for index, value in enumerate(values)), reverse=True)[:k]


@pytest.mark.parametrize("values", [True, False])
def test_along_an_axis(values: bool) -> None:
    def oracle(_: list[Array], x: Array) -> Array:
        return np.apply_along_axis(lambda row: [pair[0 if values else 1] for pair in largest(row, 2)], 1, x)

    text = ALONG_AXIS if values else ALONG_AXIS.replace("out_max_val: true", "")
    check_layer(text, [random_bottom(2, 4, 3)], oracle, gradients=False)


@pytest.mark.parametrize("shape", [(2, 5), (2, 3, 4), (2, 3, 2, 2), (2, 3, 2, 2, 1)])
@pytest.mark.parametrize("values", [True, False])
def test_over_items(shape: tuple[int, ...], values: bool) -> None:
    def oracle(_: list[Array], x: Array) -> Array:
        rows = [list(zip(*largest(item.flatten(), 3), strict=True))[::-1] for item in x]
        top = np.array(rows if values else [row[:1] for row in rows])
        return top.reshape(*top.shape, *[1] * (len(shape) - 3))

    text = BY_ITEM if values else BY_ITEM.replace("out_max_val: true", "")
    layer = check_layer(text, [random_bottom(*shape)], oracle, gradients=False)
    assert layer.no_gradient_to is True


def test_among_equals_the_last_comes_first() -> None:
    bottom = torch.tensor([[1.0, 3.0, 3.0, 3.0, 2.0]])
    assert build("type: 'ArgMax' argmax_param { top_k: 4 }", bottom)(bottom).tolist() == [[[3, 2, 1, 4]]]


@pytest.mark.parametrize("fields", ["", "axis: 1", "out_max_val: true"])
def test_places_of_half_precision_are_whole(fields: str) -> None:
    bottom = torch.zeros(1, 1000, dtype=torch.bfloat16)
    bottom[0, 999] = 1
    top = build(f"type: 'ArgMax' argmax_param {{ {fields} }}", bottom)(bottom)
    assert top.flatten()[0].item() == 999


def test_an_item_of_one_value() -> None:
    bottom = torch.tensor([5.0, -1.0, 2.0])
    top = build("type: 'ArgMax' argmax_param { out_max_val: true }", bottom)(bottom)
    assert top.tolist() == [[[0], [5]], [[0], [-1]], [[0], [2]]]


def test_every_field_matters() -> None:
    assert_every_field_matters(ALONG_AXIS, random_bottom(2, 4, 3))
    assert_every_field_matters(BY_ITEM, random_bottom(2, 4, 3))


def test_refuses_impossible_numbers() -> None:
    with pytest.raises(FieldError, match=r"^layer 'a' \(ArgMax\): expected top_k of at least 1, got 0"):
        build(BY_ITEM.replace("3", "0"), (2, 4))
    with pytest.raises(FieldError, match=r"^layer 'a' \(ArgMax\): expected top_k of at most 2 .*, got 3"):
        build(BY_ITEM, (2, 2))(random_bottom(2, 2))
