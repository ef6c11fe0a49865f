"""HDF5Output: writes two blobs to a file (hdf5_output_layer.cpp)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from torch import Tensor

from caffe_compat.data.regular_file import other_kind, shown
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.layers.base import Layer, Shape, exactly, index_type
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto.hdf5 import reason_in_words

_DATASETS = ("data", "label")


@register_layer("HDF5Output")
class HDF5Output(Layer):
    """Writes bottom 0 to the dataset `data` and bottom 1 to `label`; every forward appends rows.

    Datasets have 4 axes: as in Caffe, axes of size 1 are appended to bottoms with fewer. Caffe itself stops at the
    second forward, because its datasets exist already. After one forward, both files are equal.
    """

    known_to = BVLC_AND_SRN
    is_in_onnx = False
    example = "hdf5_output_param { file_name: 'FILES/output.h5' }"
    bottoms = exactly(2)
    tops = exactly(0)
    no_gradient_to = True

    def is_pure(self) -> bool:
        return False  # forward writes to a file

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._path: str = spec.params("hdf5_output_param").file_name
        with self._told_in_a_line():
            self._file = _create(self._path)

    @contextmanager
    def _told_in_a_line(self) -> Iterator[None]:
        """DataError in place of HDF5's own errors, whose words fill several lines."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise DataError(f"{self.spec}: cannot write HDF5 file '{shown(self._path)}': {reason_in_words(error)}; "
                            "make room, or name another hdf5_output_param file_name") from error  # fmt: skip

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """An empty list: the layer has no tops."""
        return []

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """Appends the rows and flushes the file to the disk."""
        data, labels = (bottom.reshape(*bottom.shape, *[1] * (4 - bottom.dim())) for bottom in bottoms)
        if len(data) != len(labels):
            raise ShapeError(
                f"{self.spec}: data and label need equal numbers of rows, got {len(data)} and {len(labels)}"
            )
        with self._told_in_a_line():
            for name, rows in zip(_DATASETS, (data, labels), strict=True):
                self._append(name, rows.detach().to("cpu", index_type(rows)).numpy())
            self._file.flush()
        return ()

    def _append(self, name: str, rows: np.ndarray[Any, Any]) -> None:
        if name not in self._file:
            self._file.create_dataset(name, data=rows, maxshape=(None, *rows.shape[1:]))
            return
        dataset = self._file[name]
        dataset.resize(len(dataset) + len(rows), axis=0)
        dataset[-len(rows) :] = rows

    def close(self) -> None:
        """Closes the file."""
        with self._told_in_a_line():
            self._file.close()


def _create(path: str) -> h5py.File:
    """A new HDF5 file; OSError where something else than a file has this name: opening a pipe could wait for ever."""
    other = other_kind(os.stat(path).st_mode) if os.path.exists(path) else ""
    if other:
        raise OSError(f"expected a file to write, found {other}")
    return h5py.File(path, "w")
