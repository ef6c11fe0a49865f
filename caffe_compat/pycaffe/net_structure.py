"""What makes up pycaffe's Net: the arguments that build it, and its blobs, weights, layers and names.

Names are those of pycaffe.py, and numbers those of pycaffe's C++ part.
"""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from caffe_compat.engine.create import ENGINES
from caffe_compat.errors import GraphError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.utility.python import Python
from caffe_compat.layers.utility.python_interface import PythonLayer
from caffe_compat.net import net as runtime
from caffe_compat.net.blob import Blob, ParameterBlob
from caffe_compat.net.settings import default_phase
from caffe_compat.proto import caffe_pb2

logger = logging.getLogger("caffe_compat")

USAGE = "expected Net(file, phase, level=0, stages=['name', ...], weights=file), or Net(file, weights, phase)"
#: Engines that a net for training may name: its passes go layer by layer.
FOR_TRAINING = ("exact", "fast")


class NetArgumentError(GraphError, TypeError):
    """Arguments that no pycaffe accepts; also a TypeError, as Boost's ArgumentError is."""


@dataclass
class NetArguments:
    """Arguments of Net after the file. In pycaffe's old order, `weights` comes before `phase`."""

    phase: int = -1
    level: int = 0
    stages: Sequence[str] | None = None
    weights: str | None = None
    allow_python_layers: bool | None = None
    engine: str = "fast"

    @classmethod
    def of(cls, arguments: tuple[Any, ...], named: dict[str, Any]) -> "NetArguments":
        old_order = bool(arguments) and isinstance(arguments[0], str | os.PathLike)
        if old_order:
            logger.warning("DEPRECATION WARNING - deprecated use of Python interface")
            logger.warning('Use this instead (with the named "weights" parameter): Net(file, phase, weights=file)')
            if len(arguments) == 1 and "phase" not in named:
                named = {**named, "phase": default_phase()}  # of 2014: the phase was set for the whole process
        given = _named(("weights", "phase") if old_order else ("phase", "level", "stages", "weights"), arguments)
        unknown = set(named) - set(cls.__dataclass_fields__) | set(named) & set(given)
        if unknown:
            raise NetArgumentError(f"{USAGE}; got the argument '{min(unknown)}' twice, or it is none of Net's")
        options = cls(**given, **named)
        options._require_types()
        return options

    def _require_types(self) -> None:
        if self.phase not in caffe_pb2.Phase.values():
            raise NetArgumentError(
                f"expected a phase, caffe.TRAIN or caffe.TEST, after the net's file; got {self.phase}"
            )
        if self.engine not in ENGINES:
            raise NetArgumentError(f"expected engine to be one of {', '.join(ENGINES)}, got {self.engine!r}")
        if self.engine not in FOR_TRAINING and self.phase == caffe_pb2.TRAIN:
            raise NetArgumentError(f"engine='{self.engine}' predicts only: expected the phase caffe.TEST, got TRAIN")
        kinds = {"level": int, "weights": str | os.PathLike | None, "stages": list | tuple | None}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise NetArgumentError(f"{USAGE}; got {getattr(self, name)!r} as {name}")


def _named(names: Sequence[str], arguments: Sequence[Any]) -> dict[str, Any]:
    if len(arguments) > len(names):
        raise NetArgumentError(f"{USAGE}; got {len(arguments)} arguments after the file")
    return dict(zip(names, arguments, strict=False))


class LayerFace:
    """A built-in layer: its type and its weights."""

    def __init__(self, layer: Layer, blobs: Sequence[ParameterBlob]) -> None:
        self._layer = layer
        self.blobs = blobs

    @property
    def type(self) -> str:
        """The type in the prototxt, for example "Convolution"."""
        return self._layer.spec.type

    def __repr__(self) -> str:
        return f"<{self._layer.spec}>"


def show_layer(layer: Layer, blobs: Sequence[ParameterBlob]) -> LayerFace | PythonLayer:
    """Returns the object that shows a layer; for a Python layer the user's object, so that all its methods work."""
    return layer.instance if isinstance(layer, Python) else LayerFace(layer, blobs)


class Turns:
    """The lock of one net, and the thread that had it last."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.last = threading.get_ident()


class NetStructure:
    """Blobs, weights, layers and names, from input to output; made once, so that access is cheap."""

    def _show(self, net: runtime.Net) -> None:
        self._net = net
        self.turns = Turns()
        self.blobs: OrderedDict[str, Blob] = net.blobs
        self.params = net.params
        self.layers = [show_layer(step.layer, net.params.get(step.layer.name, [])) for step in net.steps]
        self.blob_loss_weights = net.blob_loss_weights
        self.inputs = list(net.inputs)
        self.outputs = list(net.outputs)
        self._layer_names = list(net.layer_names)
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.top_names = OrderedDict((step.layer.name, list(step.tops)) for step in net.steps)
        self.bottom_names = OrderedDict((step.layer.name, list(step.bottoms)) for step in net.steps)

    @property
    def phase(self) -> str:
        """TRAIN or TEST."""
        return caffe_pb2.Phase.Name(self._net.parameter.state.phase)

    # -- by number, as pycaffe's C++ part has it

    @property
    def name(self) -> str:
        """The net's name in its file."""
        return self._net.name

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blobs(self) -> list[Blob]:
        return list(self.blobs.values())

    @property
    def _inputs(self) -> list[int]:
        return self._indices(self.inputs)

    @property
    def _outputs(self) -> list[int]:
        return self._indices(self.outputs)

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    def _top_ids(self, layer: int) -> list[int]:
        return self._indices(self._net.steps[layer].tops)

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._indices(self._net.steps[layer].bottoms)

    def _indices(self, blobs: Iterable[str]) -> list[int]:
        names = self._blob_names
        return [names.index(blob) for blob in blobs]
