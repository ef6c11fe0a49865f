"""Writes messages and arrays as Caffe's files: text, .caffemodel, .solverstate and .binaryproto, binary or HDF5.

Files appear whole or not at all, and hold bytes as Caffe's own do: fields in order of number, packed floats, `shape`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from caffe_compat.errors import DialectError, ShapeError
from caffe_compat.proto import caffe_pb2, hdf5
from caffe_compat.proto.blobs import NET_BLOBS, STATE_BLOBS, Blob, Chunk, encode_blob, put_back
from caffe_compat.proto.dialects.translate import encode_nearest, encode_net
from caffe_compat.proto.file_bytes import write_bytes
from caffe_compat.proto.read import SolverState
from caffe_compat.proto.text import format_text

logger = logging.getLogger("caffe_compat")

CAFFE_LIMIT = 2**31 - 1


def write_text(path: str | Path, message: Message, header: str | None = None) -> None:
    """Writes a message as a prototxt, with `header` as comment lines at the top."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines()) if header else ""
    write_bytes(path, [(comment + format_text(message)).encode()])


def write_weights(
    path: str | Path,
    net: caffe_pb2.NetParameter,
    blobs: Mapping[str, Sequence[Blob]],
    dialect: str = "auto",
    gradients: Mapping[str, Sequence[Blob]] | None = None,
) -> None:
    """Writes a .caffemodel (HDF5 if the path ends in .h5): the net's layers, each with the blobs of its name.

    `dialect` is 'bvlc', 'srn_fork', 'own' (all fields, for this program only) or 'auto'. 'auto' selects the SRN fork's
    dialect if only the fork has all fields, else BVLC's; it leaves out unknown fields with a warning. A named dialect
    must have all fields: DialectError names the layer and field. `gradients` are the diffs that snapshot_diff adds.
    """
    _refuse_unknown_layers(path, net, blobs)
    if str(path).endswith(".h5"):
        named = {layer.name: blobs.get(layer.name, ()) for layer in net.layer}
        hdf5.write_weights(path, named, gradients)
        return
    write_bytes(path, weights_chunks(net, blobs, dialect, gradients))


def weights_chunks(
    net: caffe_pb2.NetParameter,
    blobs: Mapping[str, Sequence[Blob]],
    dialect: str = "auto",
    gradients: Mapping[str, Sequence[Blob]] | None = None,
) -> Iterable[Chunk]:
    """Returns the bytes of a .caffemodel in pieces; parameters are those of `write_weights`."""
    structure = caffe_pb2.NetParameter()
    structure.CopyFrom(net)
    arrays: list[Blob] = []
    differences: list[Blob | None] = []
    for layer in structure.layer:
        layer.ClearField("blobs")
        for array in blobs.get(layer.name, ()):
            layer.blobs.add(num=len(arrays))
            arrays.append(array)
        differences.extend((gradients or {}).get(layer.name, ()))
    size = sum(4 * array.size for array in arrays)
    if size >= CAFFE_LIMIT:
        raise DialectError(
            f"net '{net.name}': {size} bytes of weights, but Caffe reads no binary file above {CAFFE_LIMIT} (2 GB); "
            "write HDF5, to a name that ends in .caffemodel.h5"
        )
    encoded = _encode_nearest(structure) if dialect == "auto" else encode_net(structure, dialect)
    return put_back(encoded, NET_BLOBS, arrays, differences)


def _encode_nearest(net: caffe_pb2.NetParameter) -> bytes:
    encoded, dialect, left_out = encode_nearest(net)
    if left_out:
        fields = "; ".join(dict.fromkeys(left_out))
        logger.warning("no Caffe can say all of net '%s': written for %s, which lacks %s", net.name, dialect, fields)
    return encoded


def _refuse_unknown_layers(path: str | Path, net: caffe_pb2.NetParameter, blobs: Mapping[str, Sequence[Blob]]) -> None:
    unknown = set(blobs) - {layer.name for layer in net.layer}
    if unknown:
        raise ShapeError(f"{path}: blobs for {sorted(unknown)}, but the net has no such layers")


def write_solver_state(path: str | Path, state: SolverState) -> None:
    """Writes a .solverstate (HDF5 if the path ends in .h5); the format is the same in both dialects."""
    if str(path).endswith(".h5"):
        hdf5.write_solver_state(path, state.iter, state.learned_net, state.current_step, state.history)
        return
    message = caffe_pb2.SolverState(iter=state.iter, learned_net=state.learned_net, current_step=state.current_step)
    for index in range(len(state.history)):
        message.history.add(num=index)
    write_bytes(path, put_back(message.SerializeToString(deterministic=True), STATE_BLOBS, state.history))


def write_blob(path: str | Path, array: Blob) -> None:
    """Writes an array as a mean image or another single BlobProto (.binaryproto)."""
    write_bytes(path, encode_blob(np.asarray(array)))
