"""Reads Caffe's files as messages and NumPy arrays: nets, solvers, weights, solver states, means and Datums.

Code in a file is never run. Sizes declared in a file are checked against the file's length before use.
"""

import logging
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto import caffe_pb2, hdf5
from caffe_compat.proto.blobs import NET_BLOBS, STATE_BLOBS, Blob, Tree, decode_blob, has_gradient, is_of_c3d, take_out
from caffe_compat.proto.dialects.translate import BVLC, READ_SCHEMAS, Fit, decode_net, detect, net_misfits
from caffe_compat.proto.file_bytes import (
    is_hdf5,
    map_bytes,
    read_bytes,
    refuse_other_kinds,
    refuse_other_messages,
    text_of,
)
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import complete_snapshot_prefix, upgrade_net, upgrade_solver
from caffe_compat.proto.upgrade.on_load import holds_scale
from caffe_compat.proto.upgrade.v1 import name_types_of_c3d
from caffe_compat.proto.wire import decode

#: Axes of a 3D filter in C3D 1.0; weights of other V1 nets have four sizes.
AXES_OF_C3D = 5

_LOG = logging.getLogger(__name__)

MessageType = TypeVar("MessageType", bound=Message)


@dataclass(frozen=True)
class LayerBlobs:
    """The weights of one layer: float32 arrays, read-only views on the file if possible.

    `scale_of` names the BatchNorm that held this Scale's numbers, as in NVIDIA's and Intel's Caffe.
    """

    name: str
    type: str
    blobs: list[Blob]
    scale_of: str = ""


@dataclass(frozen=True)
class Weights:
    """The contents of a .caffemodel.

    `net` is the saved net, upgraded and without numbers; empty for HDF5, which holds only layer names. Caffe saves the
    names of `input:` fields without shapes; such names stay in `net.input`. `has_gradients` says that the file holds
    diffs (`snapshot_diff`), which Caffe does not read either.
    """

    net: caffe_pb2.NetParameter
    layers: list[LayerBlobs]
    dialect: str
    path: str
    unknown_fields: list[str] = field(default_factory=list)
    upgrades: list[str] = field(default_factory=list)  # the log lines of what was upgraded
    has_gradients: bool = False


@dataclass(frozen=True)
class SolverState:
    """The contents of a .solverstate: one history blob per learnable parameter, two for AdaDelta and Adam."""

    iter: int
    learned_net: str
    current_step: int
    history: list[Blob]


def read_text(path: str | Path, message_type: type[MessageType]) -> MessageType:
    """Returns the message in a file in protobuf's text format, without upgrades; FormatError for other content."""
    wanted = f"a {message_type.DESCRIPTOR.name} as text"
    data = read_bytes(path, wanted)
    return parse_text(text_of(path, data, wanted), message_type, str(path))


def read_net(path: str | Path) -> caffe_pb2.NetParameter:
    """Returns the net in a prototxt, with every upgrade that Caffe applies on load."""
    net = read_text(path, caffe_pb2.NetParameter)
    _log(upgrade_net(net, path))
    return net


def read_solver(path: str | Path) -> caffe_pb2.SolverParameter:
    """Returns the solver in a prototxt, with Caffe's upgrades."""
    solver = read_text(path, caffe_pb2.SolverParameter)
    _log(upgrade_solver(solver, path) + complete_snapshot_prefix(solver, path))
    return solver


def _log(lines: list[str]) -> None:
    for line in lines:
        _LOG.info(line)


def read_weights(path: str | Path, dialect: str | None = None) -> Weights:
    """Returns the weights in a .caffemodel or .caffemodel.h5; `dialect` None ('bvlc' or 'srn_fork') is detected.

    FormatError for a file without weights; DialectError if the file is not in the given dialect.
    """
    if dialect not in (None, *READ_SCHEMAS):
        raise DialectError(f"{path}: no dialect '{dialect}'; choose from {', '.join(READ_SCHEMAS)}")
    wanted = "weights (.caffemodel)"
    data = map_bytes(path, wanted)
    if is_hdf5(data):
        layers = [LayerBlobs(name, "", blobs) for name, blobs in hdf5.read_weights(path).items()]
        return Weights(caffe_pb2.NetParameter(), layers, BVLC, str(path), has_gradients=hdf5.has_gradients(path))
    structure, blobs, gradients = _split(path, data, NET_BLOBS, "NetParameter", wanted)
    weights = _weights(path, structure, blobs, _fit(path, structure, dialect))
    return replace(weights, has_gradients=gradients)


def _fit(path: str | Path, structure: bytes, asked: str | None) -> Fit:
    """Returns the requested dialect, or the one that fits; DialectError if only another dialect fits."""
    spoken = detect(structure)
    if asked is None:
        _LOG.info("%s: read in the %s dialect", path, spoken.dialect)
        return spoken
    fit = Fit(asked, net_misfits(structure, asked))
    if fit.misfits and not spoken.misfits:
        raise DialectError(f"{path}: speaks the {spoken.dialect} dialect, not {asked} as asked; leave the dialect out")
    return fit


def _weights(path: str | Path, structure: bytes, blobs: list[Blob], fit: Fit) -> Weights:
    dialect, unknown = fit.dialect, sorted(set(fit.misfits))
    if unknown:
        _LOG.warning("%s: fields of another Caffe are left out: %s", path, ", ".join(unknown))
    try:
        net = decode_net(structure, dialect)
    except FormatError as error:
        raise FormatError(f"{path}: {error}; the file is damaged or of another Caffe") from error
    shapeless_inputs = [] if net.input_shape or net.input_dim else list(net.input)
    if any(blobs[blob.num].ndim == AXES_OF_C3D for layer in net.layers for blob in layer.blobs):
        name_types_of_c3d(net)  # before the upgrades, which take its numbers for BVLC's
    scaled = {layer.name for layer in net.layer if holds_scale(layer)}
    upgrades = upgrade_net(net, path)
    _log(upgrades)
    net.input.extend(shapeless_inputs)
    scale_of = {scale.name: norm.name for norm, scale in pairwise(net.layer) if norm.name in scaled}
    layers = [
        LayerBlobs(layer.name, layer.type, [blobs[blob.num] for blob in layer.blobs], scale_of.get(layer.name, ""))
        for layer in net.layer
    ]
    for layer in net.layer:
        layer.ClearField("blobs")
    return Weights(net, layers, dialect, str(path), unknown, upgrades)


def _split(path: str | Path, data: bytes, tree: Tree, name: str, wanted: str) -> tuple[bytes, list[Blob], bool]:
    """Returns a binary message's structure, its blobs, and whether it has diffs (Caffe writes all or none).

    FormatError if the file is not a message `name`.
    """
    refuse_other_kinds(path, data, wanted)
    try:
        structure, places = take_out(data, tree)
    except FormatError as error:
        refuse_other_messages(path, data, name, wanted)
        raise _damaged(path, wanted, error) from error
    refuse_other_messages(path, structure, name, wanted)
    try:
        blobs = [decode_blob(data, place) for place in places]
        return structure, blobs, bool(places) and has_gradient(data, places[0])
    except FormatError as error:
        raise _damaged(path, wanted, error) from error


def _damaged(path: str | Path, wanted: str, error: FormatError) -> FormatError:
    return FormatError(f"{path}: expected {wanted}, but {error}; the file is damaged: copy it again")


def read_solver_state(path: str | Path) -> SolverState:
    """Returns the solver state in a .solverstate or .solverstate.h5; the format is the same in both dialects."""
    wanted = "a solver state (.solverstate)"
    data = read_bytes(path, wanted)
    if is_hdf5(data):
        return SolverState(*hdf5.read_solver_state(path))
    structure, blobs, _ = _split(path, data, STATE_BLOBS, "SolverState", wanted)
    state = _decode(path, structure, caffe_pb2.SolverState, wanted)
    return SolverState(state.iter, state.learned_net, state.current_step, [blobs[blob.num] for blob in state.history])


def read_blob(path: str | Path) -> Blob:
    """Returns the array of a mean image or another single BlobProto (.binaryproto)."""
    wanted = "a blob (.binaryproto)"
    data = read_bytes(path, wanted)
    refuse_other_kinds(path, data, wanted)
    try:
        known = is_of_c3d(data)
    except FormatError:
        known = False
    if not known:
        refuse_other_messages(path, data, "BlobProto", wanted)
    try:
        return decode_blob(data, (0, len(data)))
    except FormatError as error:
        raise FormatError(f"{path}: expected {wanted}, but {error}; the file is damaged: copy it again") from error


def read_datum(path: str | Path) -> caffe_pb2.Datum:
    """Returns the Datum in a file, in the format of a LevelDB or LMDB record."""
    wanted = "a Datum"
    data = read_bytes(path, wanted)
    refuse_other_kinds(path, data, wanted)
    refuse_other_messages(path, data, "Datum", wanted)
    return _decode(path, data, caffe_pb2.Datum, wanted)


def _decode(path: str | Path, data: bytes, message_type: type[MessageType], wanted: str) -> MessageType:
    try:
        return decode(data, message_type)
    except FormatError as error:
        raise FormatError(f"{path}: expected {wanted}, found bytes that are {error}; copy the file again") from error
