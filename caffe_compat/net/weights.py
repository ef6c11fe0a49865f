"""The weights of a net: which are learnable or shared by name, and how they get into a net and out of it.

Parameters with multipliers and shared parameters are Net::AppendParam; copies by layer name are
Net::CopyTrainedLayersFrom. `copied_beside` reads a weights file while layers are built: building needs the address
and shape of a blob, not its values, so a thread can read the values meanwhile.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import nn

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import gradient_of, note_host_write
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob, same_shape
from caffe_compat.proto.file_bytes import MappedFile, Part, mapping_of
from caffe_compat.proto.read import LayerBlobs, read_weights


@dataclass
class LearnableParameter:
    """One weight of the net that a solver may change, with its learning-rate and decay multipliers."""

    parameter: nn.Parameter
    lr_mult: float
    decay_mult: float
    label: str  # "conv1/0", for messages and reports
    lr_given: bool = True
    decay_given: bool = True
    views: list[nn.Parameter] = field(default_factory=list)  # weights of other shapes that share this one (PERMISSIVE)
    #: The weight whose memory this one uses, with a gradient of its own (net/sharers.py); None for all other weights.
    owner: "LearnableParameter | None" = None

    def tie_views(self) -> None:
        """Makes sharers use one memory; must be called again after a move of device."""
        for view in self.views:
            view.data = self.parameter.data.view(view.shape)
            view.grad = gradient_of(self.parameter).view(view.shape)
            vars(view)["is_tied"] = vars(self.parameter)["is_tied"] = True
        if self.owner is not None:
            self.parameter.data = self.owner.parameter.data.view(self.parameter.shape)
            vars(self.parameter)["is_tied"] = vars(self.owner.parameter)["is_tied"] = True


def is_tied(parameter: nn.Parameter) -> bool:
    """Whether weights of other shapes share this parameter's memory, so that the memory must not be replaced."""
    return getattr(parameter, "is_tied", False)


@dataclass
class _Registry:
    multipliers_may_differ: bool
    owners: dict[str, LearnableParameter] = field(default_factory=dict)
    learnable: list[LearnableParameter] = field(default_factory=list)


def collect_parameters(layers: list[Layer], multipliers_may_differ: bool = False) -> list[LearnableParameter]:
    """Returns the net's learnable parameters in Caffe's order.

    Changes layers in place: blobs that share a `param` name become one parameter. GraphError for too many `param`
    entries or different multipliers, ShapeError for shapes that cannot be shared. `multipliers_may_differ` allows
    different multipliers, as in the SRN authors' Caffe (net/sharers.py).
    """
    registry = _Registry(multipliers_may_differ)
    for layer in layers:
        if len(layer.spec.parameter.param) > len(layer.blobs):
            raise GraphError(
                f"{layer.spec}: too many params specified: expected at most {len(layer.blobs)} (one a blob), "
                f"got {len(layer.spec.parameter.param)}"
            )
        for index in range(len(layer.blobs)):
            _append(registry, layer, index)
    return registry.learnable


def _append(registry: _Registry, layer: Layer, index: int) -> None:
    spec = param_spec(layer, index)
    fixed = index in layer.fixed_blobs
    this = LearnableParameter(
        layer.blobs[index],
        0.0 if fixed else spec.lr_mult,
        0.0 if fixed else spec.decay_mult,
        f"{layer.name}/{index}",
        spec.HasField("lr_mult"),
        spec.HasField("decay_mult"),
    )
    owner = registry.owners.get(spec.name)
    if owner is None:
        registry.learnable.append(this)
        if spec.name:
            registry.owners[spec.name] = this
        return
    _check_shape(layer, index, spec, owner)
    if not registry.multipliers_may_differ:
        _merge_multipliers(layer, spec, owner, this)
    if layer.blobs[index].shape == owner.parameter.shape:
        layer.blobs[index] = owner.parameter
    else:
        owner.views.append(layer.blobs[index])
        owner.tie_views()


def param_spec(layer: Layer, index: int) -> caffe_pb2.ParamSpec:
    """Returns the `param { }` entry of the layer's blob number `index`, or an empty entry."""
    params = layer.spec.parameter.param
    return params[index] if index < len(params) else caffe_pb2.ParamSpec()


def _check_shape(layer: Layer, index: int, spec: caffe_pb2.ParamSpec, owner: LearnableParameter) -> None:
    mine, theirs = layer.blobs[index], owner.parameter
    permissive = spec.share_mode == caffe_pb2.ParamSpec.PERMISSIVE
    if (mine.numel() == theirs.numel()) if permissive else (mine.shape == theirs.shape):
        return
    what = "count" if permissive else "shape"
    raise ShapeError(
        f"{layer.spec}: cannot share param '{spec.name}' owned by {owner.label}: {what} mismatch; "
        f"owner shape is {tuple(theirs.shape)}, sharing layer shape is {tuple(mine.shape)}"
    )


def _merge_multipliers(
    layer: Layer, spec: caffe_pb2.ParamSpec, owner: LearnableParameter, this: LearnableParameter
) -> None:
    for value, given in (("lr_mult", "lr_given"), ("decay_mult", "decay_given")):
        if not getattr(this, given):
            continue
        if getattr(owner, given) and getattr(owner, value) != getattr(this, value):
            raise GraphError(
                f"{layer.spec}: shared param '{spec.name}' has mismatched {value}: "
                f"{getattr(owner, value)} at {owner.label}, {getattr(this, value)} here"
            )
        setattr(owner, value, getattr(this, value))
        setattr(owner, given, True)


logger = logging.getLogger("caffe_compat")

Array = np.ndarray[Any, np.dtype[Any]]


def copy_blobs(layer: Layer, sources: Sequence[Array], file: str) -> None:
    """Copies one layer's blobs from a file; ShapeError, in Caffe's words, for another number or shape of blobs."""
    sources = _with_shared(layer, sources)
    if len(sources) != len(layer.blobs):
        raise ShapeError(
            f"{file}: incompatible number of blobs for {layer.spec}: expected {len(layer.blobs)}, got {len(sources)}; "
            "to learn this layer from scratch, rename it"
        )
    for index, (source, target) in enumerate(zip(sources, layer.blobs, strict=True)):
        if not same_shape(source.shape, tuple(target.shape)):
            raise ShapeError(
                f"{file}: Cannot copy param {index} weights from layer '{layer.name}'; shape mismatch.  "
                f"Source param shape is {_shape_string(source.shape)}; "
                f"target param shape is {_shape_string(tuple(target.shape))}. "
                "To learn this layer's parameters from scratch rather than copying from a saved net, rename the layer."
            )
    for source, target in zip(sources, layer.blobs, strict=True):
        _fill(target, source)


def warn_of_other_net(targets: Mapping[str, Layer], sources: Sequence[LayerBlobs], file: str) -> None:
    """Logs a warning if the net has weights, but the file has weights for none of the net's layers."""
    wanted = [name for name, layer in targets.items() if layer.blobs]
    found = [source.name for source in sources if source.blobs]
    if wanted and not set(wanted) & set(found):
        logger.warning(
            "%s: no weight was copied: expected those of layers such as %s, found %s; "
            "give the weights of this net, or name its layers as the file does",
            file, _quoted(wanted), _quoted(found) if found else "none",
        )  # fmt: skip


def refuse_lost_scales(targets: Mapping[str, Layer], sources: Sequence[LayerBlobs], file: str) -> None:
    """Raises ShapeError if a BatchNorm in the file has a scale and shift that the net would lose.

    NVIDIA's and Intel's Caffe store them together with the statistics.
    """
    lost = [source for source in sources if source.scale_of in targets and source.name not in targets]
    if lost:
        raise ShapeError(
            f"{file}: layer '{lost[0].scale_of}' holds a scale and a shift behind its statistics, as NVIDIA's and "
            f"Intel's Caffe write them, for which the net has no layer '{lost[0].name}'; write batch_norm_param "
            "{ scale_bias: true } in the net's prototxt"
        )


def require_weights(layers: Sequence[str], weights: str, prototxt: str) -> None:
    """Warns about layers that the weights file lacks, which keep their fillers' values; GraphError if it lacks all."""
    found = {layer.name for layer in read_weights(weights).layers}
    missing = [name for name in layers if name not in found]
    if missing and len(missing) == len(layers):
        raise GraphError(
            f"{weights}: expected weights of layers such as '{missing[0]}' of {prototxt}, found none of its layers; "
            "give the weights of this net"
        )
    if missing:
        logger.warning("%s: no weights for layers of %s: %s", weights, prototxt, ", ".join(missing))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:3])


def _with_shared(layer: Layer, sources: Sequence[Array]) -> Sequence[Array]:
    """Returns the sources; a shared blob that an HDF5 file leaves out gets its present values.

    Blobs owned by another layer are empty in such a file, or missing at the end.
    """
    owned_elsewhere = [bool(spec.name) for spec in layer.spec.parameter.param]
    if not any(owned_elsewhere) or len(sources) > len(layer.blobs):
        return sources
    given = [*sources, *[np.zeros(0, np.float32)] * (len(layer.blobs) - len(sources))]
    return [
        target.detach().cpu().numpy() if not source.size and shared else source
        for source, target, shared in zip(
            given, layer.blobs, owned_elsewhere + [False] * (len(given) - len(owned_elsewhere)), strict=True
        )
    ]


def _fill(target: torch.nn.Parameter, source: Array) -> None:
    """Copies the source into the weight; does nothing if the weight already uses the source's memory.

    The source may be a read-only view of a mapped file, so it is never wrapped in a tensor without a copy.
    """
    values = source.reshape(tuple(target.shape))
    if target.device.type == "cpu":
        if target.data_ptr() != values.ctypes.data:
            np.copyto(target.detach().numpy(), values)
        note_host_write(target)
    else:
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))


def _shape_string(shape: tuple[int, ...]) -> str:
    return " ".join([*map(str, shape), f"({int(np.prod(shape))})"])


def blobs_of(layers: Sequence[Layer]) -> dict[str, list[Array]]:
    """Returns every layer's blobs as host arrays, by layer name, to write to a file."""
    return {
        layer.name: [blob.detach().cpu().contiguous().numpy() for blob in layer.blobs]
        for layer in layers
        if layer.blobs
    }


Arrays = Mapping[str, list[Blob]]

#: Number of floats in 64 bytes, the alignment of PyTorch's own tensors.
ALIGNMENT = 16
#: Number of floats in a memory page of 4096 bytes, the smallest page size of common systems.
PAGE = 1024


def blobs_to_keep(net: caffe_pb2.NetParameter, sources: Sequence[LayerBlobs]) -> Arrays:
    """Returns, by layer name, the file's blobs that layers can use as their own weights.

    Skips layer names that occur twice, since only the first such layer gets weights.
    Also skips layers that share parameters, since a file may leave out their blobs.
    """
    sharers = {layer.name for layer in net.layer if any(param.name for param in layer.param)}
    names = (_once(layer.name for layer in net.layer) & _once(source.name for source in sources)) - sharers
    return {source.name: source.blobs for source in sources if source.name in names}


def _once(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count == 1}


@contextmanager
def copied_beside(blobs: Arrays) -> Iterator[Arrays]:
    """Yields copies of the blobs by layer name; the values are complete only when the `with` block has ended.

    Copies are needed because the bytes of a mapped file are read-only and unaligned. A thread reads them meanwhile.
    """
    copies = _in_one_block(blobs)
    reads = _parts(copies, blobs)
    with ThreadPoolExecutor(1) as beside:
        filled = [beside.submit(file.read_parts, parts) for file, parts in reads.items()]
        yield copies
        for reading in filled:
            reading.result()


def _in_one_block(blobs: Arrays) -> Arrays:
    """Returns uninitialised arrays for the copies, all within one block of memory.

    The system backs one large block with large pages, which is several times faster than many small blocks. Pages are
    placed near the processor that writes first, so this thread touches every page before the reader thread does.
    """
    sizes = [-(-blob.size // ALIGNMENT) * ALIGNMENT for arrays in blobs.values() for blob in arrays]
    block = np.empty(sum(sizes), np.float32)
    block[::PAGE] = 0
    starts = iter([0, *accumulate(sizes)])
    return {name: [_place(block, next(starts), blob) for blob in arrays] for name, arrays in blobs.items()}


def _place(block: Blob, start: int, blob: Blob) -> Blob:
    return block[start : start + blob.size].reshape(blob.shape)


def _parts(copies: Arrays, blobs: Arrays) -> dict[MappedFile, list[Part]]:
    """Returns, by mapped file, the parts to read: offset and target. Copies arrays outside mapped files at once."""
    parts: dict[MappedFile, list[Part]] = {}
    for name, arrays in blobs.items():
        for copy, array in zip(copies[name], arrays, strict=True):
            file = mapping_of(array)
            if file is None:
                np.copyto(copy, array)
            else:
                parts.setdefault(file, []).append((file.offset_of(array), copy))
    return parts
