"""Caffe's HDF5 files: /data/<layer>/<i> for weights (Net::ToHDF5), /history/<i> for solver states (SGDSolver)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from caffe_compat.errors import FormatError
from caffe_compat.proto.atomic_file import replacing
from caffe_compat.proto.blobs import Blob


def read_weights(path: str | Path) -> dict[str, list[Blob]]:
    """The blobs of every layer in a .caffemodel.h5, by layer name (in HDF5's order, which is alphabetical)."""
    with _open(path) as file:
        layers = file.get("data")
        if not isinstance(layers, h5py.Group):
            raise FormatError(f"{path}: expected weights (/data/<layer>/<i>), found {_contents(file)}")
        if any(not isinstance(layer, h5py.Group) for layer in layers.values()):
            raise FormatError(
                f"{path}: expected weights (/data/<layer>/<i>), found a dataset in /data (training data?)"
            )
        return {name: _numbered(path, layer) for name, layer in layers.items()}


def read_solver_state(path: str | Path) -> tuple[int, str, int, list[Blob]]:
    """iter, learned_net, current_step and history of a .solverstate.h5."""
    with _open(path) as file:
        if "iter" not in file or not isinstance(file.get("history"), h5py.Group):
            raise FormatError(f"{path}: expected a solver state (/iter, /history/<i>), found {_contents(file)}")
        learned_net = file["learned_net"][()] if "learned_net" in file else b""
        step = _integer(file["current_step"]) if "current_step" in file else 0
        return _integer(file["iter"]), learned_net.decode(), step, _numbered(path, file["history"])


def _open(path: str | Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path}: not a readable HDF5 file ({error}); copy or download it again") from error


def _contents(file: Any) -> str:
    names = ", ".join(f"/{name}" for name in file)
    if "data" in file and "label" in file:
        return f"{names} (training data for an HDF5Data layer?)"
    kind = "a solver state" if "history" in file else "weights" if isinstance(file.get("data"), h5py.Group) else None
    return f"{kind} ({names})" if kind else names or "an empty file"


def _integer(dataset: Any) -> int:
    return int(np.asarray(dataset).reshape(-1)[0])


def _numbered(path: str | Path, group: Any) -> list[Blob]:
    """The datasets 0, 1, ... of a group as float32."""
    names = [str(index) for index in range(len(group))]
    missing = [name for name in names if name not in group]
    if missing:
        raise FormatError(f"{path}: {group.name} has {len(group)} members but no '{missing[0]}'")
    return [np.asarray(group[name], np.float32) for name in names]


def write_weights(path: str | Path, blobs: Mapping[str, Sequence[Blob]]) -> None:
    """Weights by layer name, as Caffe's HDF5 snapshots hold them; a layer without blobs is an empty group."""
    with replacing(path) as beside, h5py.File(beside, "w") as file:
        layers = file.create_group("data")
        for name, arrays in blobs.items():
            _write_numbered(layers.create_group(name), arrays)


def write_solver_state(
    path: str | Path, iteration: int, learned_net: str, current_step: int, history: Sequence[Blob]
) -> None:
    """A solver state, as Caffe's HDF5 snapshots hold it."""
    with replacing(path) as beside, h5py.File(beside, "w") as file:
        file.create_dataset("iter", data=np.array([iteration], np.int32))
        file.create_dataset("learned_net", data=np.bytes_(learned_net.encode() + b"\0"))
        file.create_dataset("current_step", data=np.array([current_step], np.int32))
        _write_numbered(file.create_group("history"), history)


def _write_numbered(group: Any, arrays: Sequence[Blob]) -> None:
    for index, array in enumerate(arrays):
        group.create_dataset(str(index), data=np.asarray(array, np.float32))
