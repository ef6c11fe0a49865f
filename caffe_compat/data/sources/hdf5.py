"""Lists of HDF5 files (hdf5_data_layer.cpp): rows by position, with a single file in memory at a time."""

import logging
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import permutation
from caffe_compat.data.regular_file import open_regular, open_text, shown
from caffe_compat.errors import DataError

logger = logging.getLogger("caffe_compat")

Floats = NDArray[np.float32]

# Largest ratio of HDF5's own compressions (that of deflate); with it, a small file cannot demand much memory.
_MOST_PACKED = 1032
# Exceptions of h5py for a damaged file; the type depends on the part of the file that is damaged.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)


class Hdf5Rows:
    """The rows of all files of a list; `shuffle` reorders the files, and the rows of each file, in every epoch.

    Every dataset is read as a whole, as float32, from the dataset of that name in each file. Rows lie along the first
    axis.
    """

    def __init__(self, source: str, datasets: Sequence[str], shuffle: bool, seed: int, owner: str) -> None:
        self._owner = owner
        self._datasets = tuple(datasets)
        self._shuffle = shuffle
        self.seed = seed
        self._files = self._read_list(source)
        self._lengths = [self._length(file) for file in self._files]
        self._loaded: tuple[str, list[Floats]] | None = None
        self._strange_files: set[str] = set()

    def __len__(self) -> int:
        return sum(self._lengths)

    def row_shapes(self) -> list[tuple[int, ...]]:
        """The shape of one row of each dataset, from the first file."""
        return list(self._row_shapes)

    @cached_property
    def _row_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(array.shape[1:] for array in self._load(self._files[0]))

    def rows(self, places: Sequence[int]) -> list[Floats]:
        """The rows at these positions of the endless sequence, one array per dataset."""
        found = [self._locate(*divmod(place, len(self))) for place in places]
        tops: list[list[Floats]] = [[] for _ in self._datasets]
        for file, row in found:
            for top, array, shape in zip(tops, self._load(file), self._row_shapes, strict=True):
                top.append(array[row] if array.shape[1:] == shape else self._as_caffe_reads(array, row, shape, file))
        return [np.stack(top) for top in tops]

    def _as_caffe_reads(self, array: Floats, row: int, shape: tuple[int, ...], file: str) -> Floats:
        """A row of a file whose rows differ in size from those of the first file.

        Caffe reads the file's numbers in steps of the first file's row size, whatever the file's own row size is.
        Beyond the last number, Caffe reads whatever the memory holds; here these values are zeros.
        """
        size = prod(shape)
        values = array.reshape(-1)[row * size : (row + 1) * size]
        if file not in self._strange_files:
            self._strange_files.add(file)
            logger.warning(
                "%s: rows of '%s' have shape %s, rows of '%s' %s: its numbers are cut into rows of the latter, as in "
                "Caffe; give every file rows of one shape", self._owner, file, array.shape[1:], self._files[0], shape
            )  # fmt: skip
        return np.pad(values, (0, size - values.size)).reshape(shape)

    def _locate(self, epoch: int, within: int) -> tuple[str, int]:
        files, ends = self._epoch(self.seed, epoch)
        number = bisect_right(ends, within)
        row = within - (ends[number - 1] if number else 0)
        file = files[number]
        if self._shuffle:
            row = int(permutation(self._lengths[file], self.seed, epoch, file)[row])
        return self._files[file], row

    def _epoch(self, seed: int, epoch: int) -> tuple[list[int], list[int]]:
        files = list(range(len(self._files)))
        if self._shuffle:
            files = permutation(len(files), seed, epoch).tolist()
        return files, list(accumulate(self._lengths[file] for file in files))

    def check(self) -> None:
        """Reads every file once; DataError at the first damaged file."""
        for file in self._files:
            self._load(file)

    def _read_list(self, source: str) -> list[str]:
        with open_text(source, self._owner, "failed to open source file (a text file that lists .h5 files)") as file:
            names = file.read().split()
        if not names:
            raise DataError(f"{self._owner}: must have at least 1 HDF5 filename listed in '{source}'")
        return names

    @contextmanager
    def _open(self, file: str) -> Iterator[Any]:
        """Context manager that opens a file; DataError for damage that the library meets anywhere in the block."""
        os.close(open_regular(file, self._owner, "failed opening HDF5 file"))
        try:
            with h5py.File(file, "r") as content:
                yield content
        except _DAMAGE as error:
            raise DataError(
                f"{self._owner}: failed opening HDF5 file '{shown(file)}': {_words(error)}; "
                "it is damaged, or no HDF5 file: copy it again, or write it again"
            ) from error

    def _length(self, file: str) -> int:
        with self._open(file) as content:
            lengths = {name: self._dataset(content, name, file).shape[0] for name in self._datasets}
        if len(set(lengths.values())) != 1:
            raise DataError(f"{self._owner}: the datasets of '{file}' have different numbers of rows: {lengths}")
        return int(lengths[self._datasets[0]])

    def _dataset(self, content: Any, name: str, file: str) -> Any:
        self._refuse_links(content, name, file)
        if name not in content:
            raise DataError(
                f"{self._owner}: failed to find HDF5 dataset '{name}' in '{file}', which has "
                f"{sorted(content)[:20]}; tops and datasets go by one name"
            )
        dataset = content[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu" or dataset.ndim < 1:
            raise DataError(
                f"{self._owner}: dataset '{name}' in '{file}' has {_kind(dataset)}; "
                "expected numbers with at least 1 axis"
            )
        self._require_content(dataset, name, file)
        return dataset

    def _refuse_links(self, content: Any, name: str, file: str) -> None:
        """Refuses a dataset whose data would come from another file through an external link."""
        group = content
        for part in filter(None, name.split("/")):
            link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
            if isinstance(link, h5py.ExternalLink):
                raise DataError(
                    f"{self._owner}: dataset '{name}' in '{file}' is a link to another file, '{shown(link.filename)}', "
                    "which is not followed; list that file itself"
                )
            group = group.get(part) if isinstance(group, h5py.Group) else None

    def _require_content(self, dataset: Any, name: str, file: str) -> None:
        """Refuses data stored in other files, and a size that the file cannot hold, before memory is allocated."""
        if dataset.external or dataset.is_virtual:
            raise DataError(
                f"{self._owner}: dataset '{name}' in '{file}' has its data in other files, which are not read; "
                "write the data into the file itself"
            )
        held = min(dataset.id.get_storage_size(), os.stat(file).st_size)
        if dataset.nbytes > _MOST_PACKED * held:
            raise DataError(
                f"{self._owner}: dataset '{name}' in '{file}' declares {dataset.nbytes} bytes, the file holds {held}; "
                "it is damaged: copy it again, or write it again"
            )

    def _load(self, file: str) -> list[Floats]:
        if self._loaded is None or self._loaded[0] != file:
            self._loaded = None  # frees the memory of the previous file before the next is read
            with self._open(file) as content:
                arrays = [np.asarray(self._dataset(content, name, file), np.float32) for name in self._datasets]
            self._require_same_lengths(file, arrays)
            self._loaded = (file, arrays)
        return self._loaded[1]

    def _require_same_lengths(self, file: str, arrays: list[Floats]) -> None:
        """Refuses a file that became shorter after its rows were counted."""
        counted = self._lengths[self._files.index(file)]
        if any(len(array) != counted for array in arrays):
            raise DataError(
                f"{self._owner}: '{file}' had {counted} rows, and has others now; do not change it meanwhile"
            )


def _kind(dataset: Any) -> str:
    return f"type {dataset.dtype} and shape {dataset.shape}" if isinstance(dataset, h5py.Dataset) else "no numbers"


def _words(error: BaseException) -> str:
    """The library's message on a single line of at most 200 characters."""
    return " ".join(ascii(str(error))[1:-1].replace("\\n", " ").split())[:200] or type(error).__name__
