"""Copies blobs into a net by layer name (Net::CopyTrainedLayersFrom) and reads them out for a file."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import note_host_write
from caffe_compat.proto.blobs import same_shape
from caffe_compat.proto.read import LayerBlobs, read_weights

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
            f"{file}: layer '{lost[0].scale_of}' holds a scale and a shift behind its statistics, for which the net "
            f"has no layer '{lost[0].name}'; write batch_norm_param {{ scale_bias: true }} in the net's prototxt"
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
    """Returns the sources with present values in place of shared blobs that an HDF5 file leaves out.

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
