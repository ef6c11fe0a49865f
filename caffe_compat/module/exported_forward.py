"""ExportedForward: runs a module's net in another runtime, if this makes no visible difference."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.convert.model import Assembly
from caffe_compat.convert.onnx.export import export_onnx
from caffe_compat.engine.watched_weights import MadeOfWeights
from caffe_compat.graph.builder import shapes_only
from caffe_compat.layers.base import Shape
from caffe_compat.module.fast_forward import FastForward
from caffe_compat.runtimes.session import Session
from caffe_compat.runtimes.sessions import SESSIONS


class ExportedForward(FastForward):
    """Runs a net in a runtime of SESSIONS; exports it again when input shapes, weights or settings have changed."""

    def __init__(self, net: Assembly, outputs: list[str], name: str) -> None:
        super().__init__(net, outputs)
        self._make_session = SESSIONS[name]
        #: The session and what it was made for, replaced at once: another thread may bring inputs of other shapes.
        self._ready: tuple[object, Session] | None = None
        self._weights = _version_of(net)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_ready": None, "_weights": _version_of(self._net)}

    def allows(self, layers: Sequence[nn.Module], inputs: Iterable[Tensor]) -> bool:
        """The same, and no empty batch, which no runtime takes."""
        values = list(inputs)
        return all(value.numel() for value in values) and super().allows(layers, values)

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the outputs by blob name, float32, on the device of the first input."""
        shapes = {name: tuple(value.shape) for name, value in inputs.items()}
        state = (tuple(shapes.items()), self._weights(), self.settings())
        ready = self._ready
        if ready is None or ready[0] != state:
            model = export_onnx(_at(self._net, shapes), self._outputs)
            ready = self._ready = (state, self._make_session(bytes(model.SerializeToString()), self._outputs))
        _, session = ready
        found = session({name: value.cpu().numpy() for name, value in inputs.items()})
        device = next(iter(inputs.values())).device
        return {name: torch.from_numpy(np.array(found[name], np.float32)).to(device) for name in self._outputs}


def _version_of(net: Assembly) -> MadeOfWeights[object]:
    """Returns a function that gives another object after a change of the net's weights."""
    return MadeOfWeights([step.layer for step in net.steps], object)


def _at(net: Assembly, inputs: dict[str, Shape]) -> Assembly:
    """Returns the same layers with the shapes that follow from the inputs'; ShapeError if weights do not fit them."""
    if inputs == net.inputs:
        return net
    walk = shapes_only(inputs)
    places = []
    for step in net.steps:
        step.layer.top_shapes(*(walk.shapes[bottom] for bottom in step.bottoms))
        places.append(walk.add(step.layer.spec.parameter))
    steps = tuple(
        replace(step, bottom_shapes=place.bottom_shapes, top_shapes=place.top_shapes)
        for step, place in zip(net.steps, places, strict=True)
    )
    return replace(net, steps=steps, inputs=inputs, shapes=walk.shapes)
