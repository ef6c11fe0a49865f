"""Caffe's HDF5 files: /data/<layer>/<i> for weights (Net::ToHDF5), /history/<i> for solver states (SGDSolver)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import replacing

_WEIGHTS, _STATE = "weights (/data/<layer>/<i>)", "a solver state (/iter, /history/<i>)"
# Deflate's limit, the best ratio of HDF5's own compression. Higher ratios are refused, so that a small file cannot
# claim much memory.
_MOST_PACKED = 1032
# Errors of h5py for damaged files; the type depends on the damaged part.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def read_weights(path: str | Path) -> dict[str, list[Blob]]:
    """Returns the blobs of every layer in a .caffemodel.h5, by layer name, in HDF5's alphabetical order.

    Caffe leaves out blobs that another layer owns; before a present blob, such a blob is an empty array.
    FormatError for links and for data in other files.
    """
    with _open(path) as file:
        members = _members(path, file)
        if not isinstance(members.get("data"), h5py.Group):
            raise FormatError(f"{path}: expected {_WEIGHTS}, found {_contents(members)}")
        return {name: _numbered(path, group) for name, group in _layers(path, members["data"], "", set())}


def has_gradients(path: str | Path) -> bool:
    """Whether the file has a group /diff, which `snapshot_diff` writes."""
    with _open(path) as file:
        return "diff" in file


def _layers(path: str | Path, group: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yields layers: groups without inner groups, named by their path, since layer names may contain slashes."""
    for name, member in _members(path, group).items():
        if isinstance(member, h5py.Group):
            place = h5py.h5o.get_info(member.id).addr
            if place in seen:
                raise FormatError(f"{path}: expected every group in one place, found {member.name} in another, too")
            seen.add(place)
            inner = list(_layers(path, member, f"{prefix}{name}/", seen))
            yield from inner or [(prefix + name, member)]


def read_solver_state(path: str | Path) -> tuple[int, str, int, list[Blob]]:
    """Returns iter, learned_net, current_step and history of a .solverstate.h5; FormatError for other files."""
    with _open(path) as file:
        members = _members(path, file)
        if "iter" not in members or not isinstance(members.get("history"), h5py.Group):
            raise FormatError(f"{path}: expected {_STATE}, found {_contents(members)}")
        iteration, step = (int(_single(path, members.get(name), 0)) for name in ("iter", "current_step"))
        learned_net = _single(path, members.get("learned_net"), b"").decode(errors="replace")
        return iteration, learned_net, step, _numbered(path, members["history"])


@contextmanager
def _open(path: str | Path) -> Iterator[Any]:
    """Yields the open file; FormatError for damage that is found anywhere in the block."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        raise FormatError(f"{path}: not a readable HDF5 file ({error}); copy or download it again") from error


def _members(path: str | Path, group: Any) -> dict[str, Any]:
    """Returns the members of a group; FormatError for links, which Caffe never writes and which could read any file."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FormatError(f"{path}: expected data of the file itself in {group.name}, found the link '{name}'")
    return dict(group)


def _contents(members: Mapping[str, Any]) -> str:
    """Returns a description of the contents of another HDF5 file, for error messages."""
    names = ", ".join(f"/{name}" for name in members) or "nothing"
    if "history" in members:
        return f"{_STATE}: {names}"
    if isinstance(members.get("data"), h5py.Group):
        return f"{_WEIGHTS}: {names}"
    return f"{names} (data for an HDF5Data layer?)" if "label" in members else names


def _single(path: str | Path, dataset: Any, default: Any) -> Any:
    """The single value of a dataset, which must be of the type of `default`; `default` if there is no dataset."""
    if dataset is None:
        return default
    if not isinstance(dataset, h5py.Dataset) or dataset.size != 1:
        raise FormatError(f"{path}: expected one value in {dataset.name}, found another number")
    value = _values(path, dataset).item()
    if not isinstance(value, type(default)):
        raise FormatError(f"{path}: expected {type(default).__name__} in {dataset.name}, found {value!r}")
    return value


def _numbered(path: str | Path, group: Any) -> list[Blob]:
    """Returns the datasets 0, 1, ... of a group; missing ones between them are empty arrays."""
    members = _members(path, group)
    strange = [name for name, member in members.items() if not (name.isdecimal() and isinstance(member, h5py.Dataset))]
    if strange:
        raise FormatError(f"{path}: expected blobs named 0, 1, ... in {group.name}, found '{strange[0]}'")
    count = max(map(int, members), default=-1) + 1
    if count > 100 * max(1, len(members)):
        raise FormatError(f"{path}: expected blobs named 0, 1, ... in {group.name}, found '{count - 1}'")
    return [_blob(path, members[str(i)]) if str(i) in members else np.zeros(0, np.float32) for i in range(count)]


def _blob(path: str | Path, dataset: Any) -> Blob:
    if dataset.dtype.kind not in "fiu":
        raise FormatError(f"{path}: expected numbers in {dataset.name}, found {dataset.dtype}")
    return np.asarray(_values(path, dataset), np.float32)


def _values(path: str | Path, dataset: Any) -> Any:
    """Returns a dataset as an array; FormatError if the file is too small for the declared size."""
    if dataset.external or dataset.is_virtual:
        raise FormatError(f"{path}: expected data of the file itself, found {dataset.name} in another file")
    held = min(dataset.id.get_storage_size(), Path(path).stat().st_size)
    if dataset.nbytes > _MOST_PACKED * held:
        raise FormatError(
            f"{path}: {dataset.name} declares {dataset.nbytes} bytes, the file holds {held}; "
            "the file is damaged: copy or download it again"
        )
    return np.asarray(dataset)


def write_weights(
    path: str | Path, blobs: Mapping[str, Sequence[Blob]], gradients: Mapping[str, Sequence[Blob]] | None = None
) -> None:
    """Writes weights by layer name as in Caffe's HDF5 snapshots; a layer without blobs is an empty group.

    `gradients`, which snapshot_diff requests, go to /diff.
    """
    for name in blobs:
        if "/" in name:
            raise DialectError(
                f"{path}: layer '{name}': Caffe cannot find a name with a slash in an HDF5 file; write a .caffemodel"
            )
        if name in ("", ".") or "\0" in name:
            raise DialectError(f"{path}: layer {name!r}: HDF5 has no such name for a group; write a .caffemodel")
    with _writing(path) as file:
        _write_layers(file.create_group("data"), blobs)
        if gradients is not None:
            _write_layers(file.create_group("diff"), gradients)


@contextmanager
def _writing(path: str | Path) -> Iterator[Any]:
    """Yields a new HDF5 file in memory, and writes it after the block; HDF5 itself handles a full disk badly."""
    with h5py.File(str(path), "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with replacing(path) as beside, open(beside, "wb") as target:
        target.write(image)


def _write_layers(group: Any, blobs: Mapping[str, Sequence[Blob]]) -> None:
    for name, arrays in blobs.items():
        _write_numbered(group.create_group(name), arrays)


def write_solver_state(
    path: str | Path, iteration: int, learned_net: str, current_step: int, history: Sequence[Blob]
) -> None:
    """Writes a solver state as in Caffe's HDF5 snapshots."""
    with _writing(path) as file:
        file.create_dataset("iter", data=np.array([iteration], np.int32))
        _write_string(file, "learned_net", learned_net)
        file.create_dataset("current_step", data=np.array([current_step], np.int32))
        _write_numbered(file.create_group("history"), history)


def _write_string(file: Any, name: str, text: str) -> None:
    """Writes a string with a final zero byte, which Caffe's C code needs and h5py would leave out."""
    encoded = text.encode() + b"\0"
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(encoded))
    dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(encoded, f"S{len(encoded)}"), mtype=kind)


def _write_numbered(group: Any, arrays: Sequence[Blob]) -> None:
    for index, array in enumerate(arrays):
        group.create_dataset(str(index), data=np.asarray(array, np.float32))


def reason_in_words(error: BaseException) -> str:
    """Why something could not be written, in a few words; HDF5 hides the system's own in a long message."""
    found = re.search(r"error message = '([^']*)'", str(error))
    if found:
        return found[1]
    if isinstance(error, OSError) and error.strerror and "\n" not in error.strerror and error.errno:
        return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
