"""Maps the pixel coordinates of one top to another, and makes the Crop layer that aligns them (pycaffe's coord_map).

A map is (axis, scale, shift): coordinate i of the input is coordinate scale * i + shift of the output. `axis` is the
axis before the first spatial one; None where a layer treats every element alike.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import GraphError
from caffe_compat.proto.upgrade.old_crop import KEEPS_COORDINATES
from caffe_compat.pycaffe.net_spec import Function, Top, layers

Numbers = NDArray[Any] | float
Map = tuple[int | None, Numbers, Numbers]

IDENTITY: Map = (None, 1, 0)
PASS_THROUGH_LAYERS = list(KEEPS_COORDINATES)
LEGACY_FIELDS = {"pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w"}


class UndefinedMapError(GraphError):
    """A layer's change of coordinates cannot be expressed as a map."""


class AxisMismatchError(GraphError):
    """Two maps act on different axes."""


class UnconnectedError(GraphError, RuntimeError):
    """Two tops have no common origin that maps lead to."""


class CropError(GraphError, AssertionError):
    """One top cannot be cropped to another."""


#: The names in pycaffe.
UndefinedMapException, AxisMismatchException = UndefinedMapError, AxisMismatchError


def conv_params(fn: Function) -> tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Returns axis, stride, kernel size (with dilation) and padding of a layer with a window."""
    if LEGACY_FIELDS & set(fn.params):
        raise CropError(f"{fn.type_name}: cropping does not support the fields {', '.join(sorted(LEGACY_FIELDS))}")
    params = fn.params.get("convolution_param", fn.params)
    if "kernel_size" not in params:
        raise UndefinedMapError(f"{fn.type_name}: expected a kernel_size, got fields {', '.join(params) or 'none'}")
    stride, kernel, dilation, pad = (
        np.array(params.get(field, default), ndmin=1)
        for field, default in (("stride", 1), ("kernel_size", None), ("dilation", 1), ("pad", 0))
    )
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, NDArray[Any]]:
    """Returns axis and offset of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def _window_map(fn: Function) -> Map:
    axis, stride, kernel, pad = conv_params(fn)
    return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride


def _deconvolution_map(fn: Function) -> Map:
    axis, stride, kernel, pad = conv_params(fn)
    return axis, stride, (kernel - 1) / 2 - pad


def _crop_map(fn: Function) -> Map:
    axis, offset = crop_params(fn)
    return axis - 1, 1, -offset  # the axis before the first that is cropped


def _same(_: Function) -> Map:
    return IDENTITY


_MAPS: Mapping[str, Callable[[Function], Map]] = {
    "Convolution": _window_map,
    "Pooling": _window_map,
    "Im2col": _window_map,
    "Deconvolution": _deconvolution_map,
    "Crop": _crop_map,
    **dict.fromkeys(PASS_THROUGH_LAYERS, _same),
}


def coord_map(fn: Function) -> Map:
    """Returns the map of one layer; UndefinedMapError if its type has none."""
    if fn.type_name not in _MAPS:
        raise UndefinedMapError(f"{fn.type_name} has no map of coordinates; known: {', '.join(_MAPS)}")
    return _MAPS[fn.type_name](fn)


def compose(base_map: Map, next_map: Map) -> Map:
    """Returns the map that applies `next_map` first and then `base_map`; AxisMismatchError for other axes."""
    (base_axis, scale, shift), (next_axis, next_scale, next_shift) = base_map, next_map
    if None not in (base_axis, next_axis) and base_axis != next_axis:
        raise AxisMismatchError(f"expected maps of one axis, got axes {base_axis} and {next_axis}")
    axis = next_axis if base_axis is None else base_axis
    return axis, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: Map) -> Map:
    """Returns the inverse map, from output to input."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """Returns the map from one top to another, by way of a common origin; UnconnectedError if there is none."""
    from_maps = dict(_maps_to_origins(top_from))
    for origin, to_map in _maps_to_origins(top_to):
        if origin in from_maps:
            return compose(to_map, inverse(from_maps[origin]))
    raise UnconnectedError("could not compute a map between the tops; are they connected by spatial layers?")


def _maps_to_origins(top: Top) -> Iterator[tuple[Top, Map]]:
    """`top` itself and the tops below that layers with a map connect, each with the map that leads to it."""
    frontier = [(top, IDENTITY)]
    while frontier:
        current, way = frontier.pop()
        yield current, way
        # The second bottom of a Crop only gives a size.
        bottoms = current.fn.inputs[:1] if current.fn.type_name == "Crop" else current.fn.inputs
        with suppress(UndefinedMapError):
            frontier += [(bottom, compose(way, coord_map(current.fn))) for bottom in bottoms]


def crop(top_from: Top, top_to: Top) -> Top:
    """Returns the top of a Crop layer that cuts the first top to the second, so that their pixels coincide."""
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    scales, shifts = np.atleast_1d(scale), np.atleast_1d(shift)
    if (scales != 1).any():
        raise CropError(f"scale mismatch on crop: expected 1, got {scales}; the tops' strides differ")
    if (shifts > 0).any():
        raise CropError(f"cannot crop negative offset: expected a shift of at most 0, got {shifts}; pad the first top")
    if (np.round(shifts) != shifts).any():
        raise CropError(f"cannot crop noninteger offset: got a shift of {shifts}")
    first_axis = (1 if axis is None else axis) + 1
    made: Top = layers.Crop(top_from, top_to, axis=first_axis, offset=[int(-shift) for shift in shifts])
    return made
