"""Graph: builds an ONNX graph node by node."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, defs, helper, numpy_helper
from torch import Tensor

from caffe_compat.convert.model import Shape, blob_keys
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step

#: ReduceMean and Resize with axes as inputs; onnxruntime reads it since 1.14.
OPSET = 18
#: The cure for layers and nets whose batch cannot stay open, for the command line and for `save`.
FIXED_BATCH = "export with a fixed batch (without --dynamic-batch; of save, with dynamic_batch=False)"

Array = NDArray[Any]


def outputs_before(step: Step) -> str:
    """The cure for a layer that ONNX cannot say, for the command line and for modules."""
    names = list(dict.fromkeys(step.bottoms)) or ["BLOB"]
    return f"take outputs before this layer (--outputs {' '.join(names)}; of load, outputs={names})"


class Graph:
    """Nodes and constants; values are known by name.

    With `dynamic`, axis 0 of every blob follows the batch, so Reshapes leave it open. `blobs` are names that only
    these blobs may have, as ONNX keeps one table of names for everything.
    """

    def __init__(self, dynamic: bool, blobs: Iterable[str] = ()) -> None:
        self.dynamic = dynamic
        self._taken = set(blobs)
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        self._constants: dict[tuple[str, Shape, bytes], str] = {}
        self._weights: dict[int, str] = {}
        self._layer, self._first = "", 0

    def enter(self, layer: str) -> None:
        """Starts a layer: later nodes are named after it."""
        self._layer, self._first = layer, len(self.nodes)

    def free(self, name: str) -> str:
        """Returns an unused name: the given one, with "'" added until it is unique."""
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output; its name."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Adds a node with several outputs; their names."""
        name = self.free(f"{self._layer}/{kind}_{len(self.nodes) - self._first}")
        tops = [name, *(self.free(f"{name}:{index}") for index in range(1, outputs))]
        # make_node takes an attribute's type from its value, but a user may write `layer.negative_slope = 1`.
        attributes |= {key: float(attributes[key]) for key in _float_attributes(kind) & attributes.keys()}
        self.nodes.append(helper.make_node(kind, list(inputs), tops, name=name, **attributes))
        return tops

    def constant(self, values: Array) -> str:
        """A constant; equal ones are stored once."""
        array = np.ascontiguousarray(values).reshape(values.shape)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = self.free(f"constant_{len(self._constants)}")
            self._constants[key] = name
            self.initializers[name] = numpy_helper.from_array(array, name)
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """An int64 vector: sizes, axes."""
        return self.constant(np.array(values, np.int64))

    def floats(self, *values: float) -> str:
        """A float32 vector: scales."""
        return self.constant(np.array(values, np.float32))

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(np.array(value, np.float32))

    def weight(self, step: Step, index: int, shape: Sequence[int] | None = None) -> str:
        """A layer's blob under its state-dict name; in another shape where one is given."""
        blob = step.layer.blobs[index]
        if shape is not None and tuple(shape) != tuple(blob.shape):
            return self.constant(_array(blob).reshape(shape))
        if id(blob) not in self._weights:
            name = self.free(blob_keys(step.layer.name, step.layer.spec.type, len(step.layer.blobs))[index])
            self._weights[id(blob)] = name
            self.initializers[name] = numpy_helper.from_array(_array(blob), name)
        return self._weights[id(blob)]

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """Returns the value in another shape; axis 0 is inferred (-1) if the batch is open."""
        sizes = [-1, *shape[1:]] if self.dynamic else list(shape)
        return self.op("Reshape", value, self.ints(*sizes))

    def name(self, value: str, wanted: str) -> str:
        """Gives a value its final name: renames what this layer made, copies what it passed on."""
        for node in self.nodes[self._first :]:
            if value in node.output:
                self._rename(value, wanted)
                return wanted
        self.nodes.append(helper.make_node("Identity", [value], [wanted], name=wanted))
        return wanted

    def _rename(self, value: str, wanted: str) -> None:
        for node in self.nodes[self._first :]:
            node.input[:] = [wanted if name == value else name for name in node.input]
            node.output[:] = [wanted if name == value else name for name in node.output]

    def require_fixed_batch(self, step: Step, why: str) -> None:
        """Raises MissingFeatureError if the batch is open, for a layer that needs a fixed batch."""
        if self.dynamic:
            raise MissingFeatureError(f"{step.layer.spec}: {why}; {FIXED_BATCH}")


@cache
def _float_attributes(kind: str) -> frozenset[str]:
    """Returns the names of an operator's attributes that hold one float."""
    attributes = defs.get_schema(kind, OPSET).attributes.values()
    return frozenset(attribute.name for attribute in attributes if attribute.type == defs.OpSchema.AttrType.FLOAT)


def _array(blob: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = blob.detach().cpu().contiguous().numpy()
    return array
