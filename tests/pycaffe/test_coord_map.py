"""Coordinates from top to top, checked on what the layers really read."""

from typing import Any

import numpy as np
import pytest

from caffe_compat.pycaffe.coord_map import (
    AxisMismatchException,
    CropError,
    UndefinedMapException,
    compose,
    conv_params,
    coord_map,
    coord_map_from_to,
    crop,
    crop_params,
    inverse,
)
from caffe_compat.pycaffe.net_spec import Function, Top, layers

L = layers


def data() -> Top:
    top: Top = L.Input(shape={"dim": [2, 1, 40, 50]})
    return top


def centre_read_by(fn: Function, index: int) -> float:
    """The centre of the window of input pixels that output pixel `index` of a convolution reads."""
    _, (stride, *_), (kernel, *_), (pad, *_) = conv_params(fn)
    return float(np.mean([index * stride - pad + tap for tap in range(kernel)]))


@pytest.mark.parametrize(
    "fields",
    [
        {"kernel_size": 3, "pad": 1},
        {"kernel_size": 5, "stride": 3, "pad": 2},
        {"kernel_size": 3, "dilation": 4, "stride": 2},
        {"convolution_param": {"kernel_size": 4, "stride": 2}},
    ],
)
def test_a_window_maps_to_its_centre(fields: dict[str, Any]) -> None:
    convolution = L.Convolution(data(), num_output=4, **fields)
    axis, scale, shift = coord_map(convolution.fn)
    assert axis == 1
    for index in (0, 1, 5):
        assert scale * centre_read_by(convolution.fn, index) + shift == pytest.approx(index)


def test_a_deconvolution_is_the_inverse_of_its_convolution() -> None:
    fields = {"kernel_size": 4, "stride": 2, "pad": 1}
    there, back = L.Convolution(data(), **fields), L.Deconvolution(data(), **fields)
    _, scale, shift = compose(coord_map(back.fn), coord_map(there.fn))
    assert (scale, shift) == (1, 0)
    assert coord_map(back.fn)[1:] == inverse(coord_map(there.fn))[1:]


def test_layers_that_treat_elements_alike_map_them_to_themselves() -> None:
    for layer in (L.ReLU, L.Scale, L.BatchNorm, L.Dropout):
        assert coord_map(layer(data()).fn) == (None, 1, 0)


def test_maps_go_through_common_origins() -> None:
    origin = data()
    shared = L.ReLU(L.Convolution(origin, kernel_size=3, stride=2))
    left = L.Pooling(shared, kernel_size=2, stride=2)
    right = L.Convolution(shared, kernel_size=3, pad=1)
    axis, scale, shift = coord_map_from_to(left, right)
    assert (axis, np.asarray(scale).tolist(), np.asarray(shift).tolist()) == (1, [2.0], [0.5])


def test_each_spatial_axis_has_its_own_numbers() -> None:
    origin = data()
    _, scale, shift = coord_map_from_to(L.Convolution(origin, kernel_size=[3, 5], stride=[1, 2], pad=[0, 4]), origin)
    assert np.asarray(scale).tolist() == [1, 2]
    assert np.asarray(shift).tolist() == [1, -2]


def test_crop_moves_by_its_offset() -> None:
    origin = data()
    cropped = L.Crop(origin, L.Convolution(origin, kernel_size=3), axis=2, offset=4)
    axis, scale, shift = coord_map_from_to(cropped, origin)
    assert (axis, scale, shift) == (1, 1, 4)
    assert crop_params(L.Crop(origin, origin, crop_param={"axis": 3}).fn)[0] == 3


def test_crop_aligns_two_tops() -> None:
    origin = data()
    up = L.Deconvolution(L.Convolution(origin, kernel_size=3, stride=2, pad=10), kernel_size=3, stride=2, pad=0)
    made = crop(up, origin)
    assert made.fn.type_name == "Crop"
    assert made.fn.params == {"axis": 2, "offset": [10]}


def test_tops_must_be_connected() -> None:
    origin = data()
    with pytest.raises(RuntimeError, match=r"^could not compute a map between the tops; are they connected"):
        coord_map_from_to(L.InnerProduct(origin), origin)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel_size": 3, "stride": 2}, "scale mismatch on crop: expected 1, got"),
        ({"kernel_size": 3, "pad": 0}, "cannot crop negative offset: expected a shift of at most 0, got"),
        ({"kernel_size": 4, "pad": 3}, "cannot crop noninteger offset: got a shift of"),
        ({"kernel_h": 3, "kernel_w": 5}, "Convolution: cropping does not support the fields kernel_h"),
    ],
)
def test_crops_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    origin = data()
    with pytest.raises(AssertionError, match=f"^{message}") as caught:
        crop(L.Convolution(origin, **fields), origin)
    assert isinstance(caught.value, CropError)


def test_layers_without_a_map_say_so() -> None:
    with pytest.raises(UndefinedMapException, match=r"^Softmax has no map of coordinates; known: Convolution"):
        coord_map(L.Softmax(data()).fn)
    with pytest.raises(UndefinedMapException, match=r"^Pooling: expected a kernel_size, got fields global_pooling"):
        coord_map(L.Pooling(data(), global_pooling=True).fn)


def test_maps_of_other_axes_do_not_compose() -> None:
    with pytest.raises(AxisMismatchException, match=r"^expected maps of one axis, got axes 1 and 2"):
        compose((1, 1, 0), (2, 1, 0))
