"""pycaffe's Net."""

import logging
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from caffe_compat.engine.lazy_forward import LazyForward
from caffe_compat.errors import FormatError, GraphError, ShapeError
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.net import net as runtime
from caffe_compat.net.blob import Blob
from caffe_compat.net.build import load_net
from caffe_compat.net.device import current_device
from caffe_compat.net.weights import blobs_of
from caffe_compat.proto import caffe_pb2, hdf5
from caffe_compat.proto.read import read_weights
from caffe_compat.pycaffe import batches
from caffe_compat.pycaffe.nccl import NCCL
from caffe_compat.pycaffe.of_2014 import Of2014
from caffe_compat.pycaffe.process import default_phase, surroundings
from caffe_compat.pycaffe.turns import in_turn

logger = logging.getLogger("caffe_compat")

Array = NDArray[Any]
Arrays = dict[str, Array]

USAGE = "expected Net(file, phase, level=0, stages=['name', ...], weights=file), or Net(file, weights, phase)"


class NetFileError(FormatError, RuntimeError):
    """A file cannot be read; also a RuntimeError, which pycaffe raises for such files."""


class NetArgumentError(GraphError, TypeError):
    """Arguments that no pycaffe accepts; also a TypeError, as Boost's ArgumentError is."""


class LayerNameError(GraphError, ValueError):
    """The net has no layer of this name; also a ValueError, which pycaffe raises from a search in a list."""


@dataclass
class _Options:
    """Arguments of Net after the file. In pycaffe's old order, `weights` comes before `phase`."""

    phase: int = -1
    level: int = 0
    stages: Sequence[str] | None = None
    weights: str | None = None
    allow_python_layers: bool | None = None
    engine: str = "fast"

    @classmethod
    def of(cls, arguments: tuple[Any, ...], named: dict[str, Any]) -> "_Options":
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
        if self.engine not in ("fast", "exact"):
            raise NetArgumentError(f"expected engine='fast' or engine='exact', got {self.engine!r}")
        kinds = {"level": int, "weights": str | os.PathLike | None, "stages": list | tuple | None}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise NetArgumentError(f"{USAGE}; got {getattr(self, name)!r} as {name}")


def _named(names: Sequence[str], arguments: Sequence[Any]) -> dict[str, Any]:
    if len(arguments) > len(names):
        raise NetArgumentError(f"{USAGE}; got {len(arguments)} arguments after the file")
    return dict(zip(names, arguments, strict=False))


class Net(Of2014):
    """A net for one phase: `Net("deploy.prototxt", caffe.TEST, weights="w.caffemodel")`.

    Further arguments are `level`, `stages` and `allow_python_layers`; `Net(file, weights, phase)` works as well, and
    so does `Net(file, weights)` of 2014, whose phase is TEST unless caffe.set_phase_train() was called before.

    Data layers stop reading ahead and close their files at `close()`, at the end of `with caffe.Net(...) as net:`, or
    when the last reference ends. Threads may share a net: their calls run one after the other.

    `forward` of a whole net fuses layers if no blob between them is in use. The outputs then differ from exact ones by
    rounding. Blobs read later are computed exactly when they are read. `engine="exact"` never fuses.
    """

    #: Stops reading ahead and closes files. A solver's net can be used further after this call.
    close: Callable[[], object]

    def __init__(self, network_file: str, *arguments: Any, **named: Any) -> None:
        options = _Options.of(arguments, named)
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
        self._lazy = LazyForward(self._net) if options.engine == "fast" else None
        self.close = weakref.finalize(self, self._net.close)

    @classmethod
    def of(cls, net: runtime.Net) -> "Net":
        """Wraps a net that exists already, such as a solver's."""
        face = cls.__new__(cls)
        face._show(net)
        face._follows_mode = False
        face._lazy = None  # no fused runs, since the solver may change weights at any time
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
        if is_whole and self._lazy is not None and self._lazy.allows():
            return float(self._lazy.forward())
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

    def _settle(self) -> None:
        """Computes blobs that a fused run skipped; called before their inputs or weights change."""
        if self._lazy is not None:
            self._lazy.settle()

    def _note_shapes(self) -> None:
        if self._lazy is not None:
            self._lazy.note_shapes()

    def _follow_mode(self) -> None:
        # Caffe reads the mode at every run, so set_mode_gpu also applies to nets built earlier.
        if self._follows_mode:
            self._net.move(current_device())

    def _index(self, layer: str | None, otherwise: int) -> int:
        if layer is None:
            return otherwise
        if layer not in self.layer_dict:
            raise LayerNameError(
                f"net '{self.name}' has no layer '{layer}'; its layers: {', '.join(self._layer_names)}"
            )
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
        self._lazy = other._lazy = None  # no fused runs, since each net may change the other's weights

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
