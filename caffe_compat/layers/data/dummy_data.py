"""DummyData: tops from fillers (dummy_data_layer.cpp)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Shape, at_least
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.new_blobs import fill
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec, Params
from caffe_compat.proto import caffe_pb2

_LEGACY_AXES = ("num", "channels", "height", "width")


@register_layer("DummyData")
class DummyData(DataLayer):
    """Tops made by fillers: constant tops are filled once and keep later changes; random tops change every forward."""

    known_to = BVLC_AND_SRN
    example = "dummy_data_param { shape { } }"
    tops = at_least(1)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("dummy_data_param")
        self._shapes = _shapes(params, spec)
        self._fillers = _fillers(params, spec)
        self._tops: Sequence[Any] = ()

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes that the prototxt gives."""
        return self._shapes

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """The tops, one tensor each."""
        return tuple(self._top(number) for number in range(len(self._shapes)))

    def connect(self, tops: Sequence[Any]) -> None:
        """Fills the constant tops once."""
        for number, top in enumerate(tops):
            if self._is_constant(number):
                top.value.assign(self._filled(number))
        self._tops = tops

    def _top(self, number: int) -> Tensor:
        if self._tops and self._is_constant(number):
            kept: Tensor = self._tops[number].value.snapshot()
            return kept.to(self.device)  # the layer may have moved to another device outside its net
        return self._filled(number)

    def _is_constant(self, number: int) -> bool:
        return self._fillers[number].type == "constant"

    def _filled(self, number: int) -> Tensor:
        top = torch.empty(self._shapes[number], device=self.device)
        fill(top, self._fillers[number], str(self.spec))
        return top


def _fillers(params: Params, spec: LayerSpec) -> list[caffe_pb2.FillerParameter]:
    fillers = params.data_filler or [caffe_pb2.FillerParameter()]
    if len(fillers) not in (1, spec.top_count):
        raise FieldError(
            f"{spec}: number of data fillers must be 0, 1 or equal to the number of tops ({spec.top_count}); "
            f"you specified {len(fillers)}"
        )
    return list(fillers) * (spec.top_count // len(fillers))


def _shapes(params: Params, spec: LayerSpec) -> list[Shape]:
    legacy = {axis: getattr(params, axis) for axis in _LEGACY_AXES}
    if not any(legacy.values()):
        return [tuple(shape.dim) for shape in _one_a_top(params.shape, "shape", spec)]
    if params.shape:
        raise FieldError(f"{spec}: both shape and legacy fields (num, channels, height, width) were specified")
    columns = [_one_a_top(values, axis, spec) for axis, values in legacy.items()]
    return list(zip(*columns, strict=True))


def _one_a_top(values: list[Any], field: str, spec: LayerSpec) -> list[Any]:
    if len(values) not in (1, spec.top_count):
        raise FieldError(
            f"{spec}: must specify '{field}' once, or once per top blob ({spec.top_count}); specified {len(values)}"
        )
    return values * (spec.top_count // len(values))
