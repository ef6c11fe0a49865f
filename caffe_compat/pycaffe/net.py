"""pycaffe's Net, whose calls from several threads run one after the other."""

import functools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from caffe_compat.engine.create import Engine, create_engine
from caffe_compat.engine.fast import FastEngine, LazyForward
from caffe_compat.errors import FormatError, GraphError, ShapeError, did_you_mean
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.net import net as runtime
from caffe_compat.net.blob import Blob
from caffe_compat.net.build import load_net
from caffe_compat.net.settings import current_device, surroundings
from caffe_compat.net.weights import blobs_of
from caffe_compat.proto import caffe_pb2, hdf5
from caffe_compat.proto.read import read_weights
from caffe_compat.pycaffe import batches
from caffe_compat.pycaffe.nccl import NCCL
from caffe_compat.pycaffe.net_structure import USAGE, NetArgumentError, NetArguments, NetStructure
from caffe_compat.pycaffe.of_2014 import Of2014

Array = NDArray[Any]
Arrays = dict[str, Array]


class NetFileError(FormatError, RuntimeError):
    """A file cannot be read; also a RuntimeError, which pycaffe raises for such files."""


class LayerNameError(GraphError, ValueError):
    """The net has no layer of this name; also a ValueError, which pycaffe raises from a search in a list."""


Call = TypeVar("Call", bound=Callable[..., Any])


def in_turn(call: Call) -> Call:
    """Makes a method of a net wait for calls of other threads.

    Arrays of a net are live: the next run writes into them. If the next run is in another thread, the blobs get new
    arrays first. So the arrays of one thread never show results of another.
    """

    @functools.wraps(call)
    def waiting(net: NetStructure, *arguments: Any, **named: Any) -> Any:
        turns = net.turns
        with turns.lock:
            if turns.last != threading.get_ident():
                turns.last = threading.get_ident()
                for blob in net.blobs.values():
                    blob.let_go()
            return call(net, *arguments, **named)

    return cast(Call, waiting)


#: Precisions of the engines whose kernels are torch's.
PRECISIONS = {"fast": torch.float32, "fast-bf16": torch.bfloat16}


def _fusing_engine(net: runtime.Net, name: str) -> Engine:
    """Returns the engine of this name, for a net whose weights keep the memory order that users see."""
    if name in PRECISIONS:
        return FastEngine(net, precision=PRECISIONS[name], lays_out_weights=False)
    return create_engine(name, net)


class Net(Of2014):
    """A net for one phase: `Net("deploy.prototxt", caffe.TEST, weights="w.caffemodel")`.

    Further arguments are `level`, `stages` and `allow_python_layers`; `Net(file, weights, phase)` works as well, and
    so does `Net(file, weights)` of 2014, whose phase is TEST unless caffe.set_phase_train() was called before.

    Data layers stop reading ahead and close their files at `close()`, at the end of `with caffe.Net(...) as net:`, or
    when the last reference ends. Threads may share a net: their calls run one after the other.

    `forward` of a whole net fuses layers if no blob between them is in use. The outputs then differ from exact ones by
    rounding. Blobs read later are computed exactly when they are read. `engine="exact"` never fuses; "openvino",
    "onnxruntime", "fast-bf16" and "openvino-bf16" run a net at TEST in these engines in place of "fast".
    """

    #: Stops reading ahead and closes files. A solver's net can be used further after this call.
    close: Callable[[], object]

    def __init__(self, network_file: str, *arguments: Any, **named: Any) -> None:
        options = NetArguments.of(arguments, named)
        if not isinstance(network_file, str | os.PathLike):
            raise NetArgumentError(f"{USAGE}; got {network_file!r} as file")
        phase = caffe_pb2.Phase.Name(options.phase)
        around = surroundings(options.allow_python_layers)
        weights = None if options.weights is None else os.fspath(options.weights)
        stages = tuple(options.stages or ())
        try:
            self._show(load_net(os.fspath(network_file), phase, around, options.level, stages, weights))
        except FormatError as error:
            raise NetFileError(str(error)) from error
        self._follows_mode = True
        self._may_fuse = options.engine != "exact" and phase == "TEST"
        self._engine = options.engine
        self._lazy: LazyForward | None = None  # made by the first run
        self.close = weakref.finalize(self, self._net.close)

    @classmethod
    def of(cls, net: runtime.Net) -> "Net":
        """Wraps a net that exists already, such as a solver's."""
        face = cls.__new__(cls)
        face._show(net)
        face._follows_mode = False
        face._may_fuse = False  # since the solver may change weights at any time
        face._engine = "exact"
        face._lazy = None
        face.close = net.close
        return face

    def _repr_html_(self) -> str:
        from caffe_compat.pycaffe.net_html import net_html  # a late import: only notebooks need Jinja2 and OpenCV

        return net_html(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- running

    @in_turn
    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **inputs: Array,
    ) -> Arrays:
        """Runs the net, or its layers from `start` to `end`; `inputs` fill the input blobs first, all of them.

        Returns the arrays of the outputs (of the tops of `end`) and of `blobs`.
        """
        self._fill("input", self.inputs, inputs, lambda blob: blob.data)
        self._forward(self._index(start, 0), self._index(end, len(self.layers) - 1))
        shown = self.outputs if end is None else self.top_names[end]
        return {name: self.blobs[name].data for name in [*shown, *(blobs or ())]}

    @in_turn
    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **gradients: Array,
    ) -> Arrays:
        """Runs the net backward, or its layers from `start` down to `end`; `gradients` fill the outputs' diffs first.

        Returns the gradients of the inputs (of the bottoms of `end`) and of `diffs`.
        """
        self._fill("output", self.outputs, gradients, lambda blob: blob.diff)
        self._backward(self._index(start, len(self.layers) - 1), self._index(end, 0))
        shown = self.inputs if end is None else self.bottom_names[end]
        return {name: self.blobs[name].diff for name in [*shown, *(diffs or ())]}

    @in_turn
    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: Array) -> Arrays:
        """`forward` over as many items as there are, in the net's batches; the last one is padded and cut again."""
        return batches.forward_all(self, blobs, inputs)

    @in_turn
    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **arrays: Array
    ) -> tuple[Arrays, Arrays]:
        """`forward` and `backward` over as many items as there are; `arrays` name inputs and outputs' gradients."""
        return batches.forward_backward_all(self, blobs, diffs, arrays)

    def _batch(self, blobs: Arrays) -> Iterator[batches.Batch]:
        """The arrays in pieces of the net's batch, the last one padded."""
        return batches.in_batches(blobs, batches.batch_size(self))

    @in_turn
    def _forward(self, start: int, end: int) -> float:
        self._follow_mode()
        is_whole = start == 0 and end == len(self.layers) - 1
        lazy = self._fused() if is_whole else None
        if lazy is not None and lazy.allows():
            return float(lazy.forward())
        self._settle()
        loss = self._net.forward_range(start, end)
        if is_whole:
            self._note_shapes()
        return loss

    @in_turn
    def _backward(self, start: int, end: int) -> None:
        self._follow_mode()
        self._settle()
        self._net.backward_range(start, end)

    def _fused(self) -> LazyForward | None:
        """Returns what runs this net with fused layers; None if each run must go layer by layer."""
        if self._may_fuse and self._lazy is None:
            self._lazy = LazyForward(self._net, _fusing_engine(self._net, self._engine).forward)
        return self._lazy

    def _settle(self) -> None:
        """Computes blobs that a fused run skipped; called before their inputs or weights change."""
        if self._lazy is not None:
            self._lazy.settle()

    def _note_shapes(self) -> None:
        lazy = self._fused()
        if lazy is not None:
            lazy.note_shapes()

    def _follow_mode(self) -> None:
        # Caffe reads the mode at every run, so set_mode_gpu also applies to nets built earlier.
        if self._follows_mode:
            self._net.move(current_device())

    def _index(self, layer: str | None, otherwise: int) -> int:
        if layer is None:
            return otherwise
        if layer not in self.layer_dict:
            raise LayerNameError(f"net '{self.name}' has no layer '{layer}'; {did_you_mean(layer, self._layer_names)}")
        return self._layer_names.index(layer)

    def _fill(self, what: str, names: list[str], arrays: Arrays, target: Callable[[Blob], Array]) -> None:
        if not arrays:
            return
        if set(arrays) != set(names):
            raise GraphError(
                f"{what} blob arguments do not match net {what}s: expected {', '.join(names) or 'none'}, "
                f"got {', '.join(arrays)}"
            )
        for name, array in arrays.items():
            blob = self.blobs[name]
            if array.shape[:1] != blob.shape[:1]:
                raise ShapeError(
                    f"{what} '{name}' is not batch sized: expected {blob.shape[:1]} items, got an array {array.shape}; "
                    f"reshape the blob or use forward_all"
                )
            target(blob)[...] = array

    # -- hooks

    def before_forward(self, hook: Callable[[int], object]) -> None:
        """Calls `hook(index of the layer)` before each layer's forward."""
        self._net.forward_hooks.before.append(hook)

    def after_forward(self, hook: Callable[[int], object]) -> None:
        """Calls `hook(index of the layer)` after each layer's forward."""
        self._net.forward_hooks.after.append(hook)

    def before_backward(self, hook: Callable[[int], object]) -> None:
        """Calls `hook(index of the layer)` before each layer's backward."""
        self._net.backward_hooks.before.append(hook)

    def after_backward(self, hook: Callable[[int], object] | NCCL) -> None:
        """Calls `hook(index of the layer)` after each layer's backward; an NCCL waits for the solver's callback."""
        if not isinstance(hook, NCCL):
            self._net.backward_hooks.after.append(hook)

    # -- shapes and weights

    @in_turn
    def reshape(self) -> None:
        """Sets the shapes of all blobs to those that follow from the inputs' shapes."""
        self._settle()
        self._net.reshape()
        self._note_shapes()

    @in_turn
    def copy_from(self, weights: str) -> None:
        """Copies weights by layer name from a .caffemodel, binary or HDF5, of either dialect."""
        path = os.fspath(weights)
        self._settle()
        self._net.copy_layers(read_weights(path).layers, path)

    def load_hdf5(self, path: str) -> None:
        """Copies weights by layer name from an HDF5 file."""
        self.copy_from(path)

    @in_turn
    def share_with(self, other: "Net") -> None:
        """Uses the other net's weights for layers of the same name."""
        self._settle()
        other._settle()
        self._net.share_weights(other._net)
        for net in (self, other):
            net._may_fuse, net._lazy = False, None  # since each net may change the other's weights

    @in_turn
    def save(self, path: str) -> None:
        """Writes a .caffemodel."""
        self._net.save(os.fspath(path))

    @in_turn
    def save_hdf5(self, path: str) -> None:
        """Writes the weights as HDF5, for any suffix of the path."""
        self._net.flush()
        hdf5.write_weights(path, blobs_of([step.layer for step in self._net.steps]))

    @in_turn
    def clear_param_diffs(self) -> None:
        """Sets the gradients of all weights to zero."""
        self._net.clear_parameter_gradients()

    @in_turn
    def set_input_arrays(self, data: Array, labels: Array) -> None:
        """Sets the arrays that a MemoryData layer, which must be the first, repeats: float32 (n, C, H, W) and n labels.

        The arrays are not copied. n must be a multiple of the batch size.
        """
        layer = self._net.steps[0].layer
        if not isinstance(layer, MemoryData):
            raise GraphError(f"{layer.spec}: set_input_arrays may only be called if the first layer is MemoryData")
        for what, array in (("data", data), ("labels", labels)):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ShapeError(
                    f"{layer.spec}: {what} array must be float32 and C contiguous, got {array.dtype} with strides "
                    f"{array.strides}; numpy.ascontiguousarray(array, 'float32') makes it so"
                )
        layer.reset(data, labels)
