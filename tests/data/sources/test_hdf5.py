"""Lists of HDF5 files."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.data.sources.hdf5 import Hdf5Rows
from caffe_compat.errors import DataError

LENGTHS = (3, 5, 2)


def write(folder: Path, **changed: object) -> str:
    """Three files whose rows count on; returns the list."""
    start = 0
    for number, length in enumerate(LENGTHS):
        rows = np.arange(start, start + length)
        with h5py.File(folder / f"{number}.h5", "w") as file:
            file["data"] = np.broadcast_to(rows[:, None, None], (length, 2, 3)).astype(np.float64)
            file["label"] = rows
            for name, value in changed.items():
                file[name] = value
        start += length
    (folder / "list.txt").write_text("\n".join(f"{folder}/{number}.h5" for number in range(len(LENGTHS))))
    return f"{folder}/list.txt"


def labels(rows: Hdf5Rows, places: range) -> list[float]:
    data, found = rows.rows(places)
    assert data.dtype == found.dtype == np.float32
    assert np.array_equal(data, np.broadcast_to(found[:, None, None], data.shape))
    return [float(label) for label in found]


def test_reads_in_order_and_goes_round(tmp_path: Path) -> None:
    rows = Hdf5Rows(write(tmp_path), ["data", "label"], False, 0, "layer")
    assert (len(rows), rows.row_shapes()) == (10, [(2, 3), ()])
    assert labels(rows, range(1, 23)) == [*range(1, 10), *range(10), 0, 1, 2]


def test_shuffles_files_and_rows_every_epoch(tmp_path: Path) -> None:
    rows = Hdf5Rows(write(tmp_path), ["data", "label"], True, 6, "layer")
    epochs = [labels(rows, range(10 * epoch, 10 * epoch + 10)) for epoch in range(4)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    file_of = [0] * 3 + [1] * 5 + [2] * 2
    for epoch in epochs:
        files = [file_of[int(label)] for label in epoch]
        assert len([1 for one, other in itertools.pairwise(files) if one != other]) == 2


def test_refuses_bad_lists(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^layer: failed to open source file \(a text file that lists .h5 files\) '.*/none'"
    ):
        Hdf5Rows(f"{tmp_path}/none", ["data"], False, 0, "layer")
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(DataError, match=r"^layer: must have at least 1 HDF5 filename listed in '.*/list.txt'"):
        Hdf5Rows(f"{tmp_path}/list.txt", ["data"], False, 0, "layer")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/none.h5")
    with pytest.raises(DataError, match=r"^layer: failed opening HDF5 file '.*/none.h5': "):
        Hdf5Rows(f"{tmp_path}/list.txt", ["data"], False, 0, "layer")


def test_refuses_bad_files(tmp_path: Path) -> None:
    path = write(tmp_path, short=np.zeros((1, 2)), text=np.bytes_("x"))
    with pytest.raises(DataError, match=r"^layer: failed to find HDF5 dataset 'top' in '.*0.h5', which has \['data', "):
        Hdf5Rows(path, ["top"], False, 0, "layer")
    with pytest.raises(DataError, match=r"^layer: the datasets of '.*0.h5' have different numbers of rows: {'data': 3"):
        Hdf5Rows(path, ["data", "short"], False, 0, "layer")
    with pytest.raises(DataError, match=r"^layer: dataset 'text' in '.*0.h5' has type \|S1 and shape \(\); expected"):
        Hdf5Rows(path, ["text"], False, 0, "layer")


def test_files_of_other_rows_are_cut_into_rows_of_the_first_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Caffe steps through a file's numbers by the first file's row, and here what is behind the end is 0."""
    for name, shape in (("a", (2, 3)), ("b", (4, 2)), ("c", (1, 3, 1))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"] = np.arange(1, 1 + np.prod(shape)).reshape(shape)
    (tmp_path / "list.txt").write_text("".join(f"{tmp_path}/{name}.h5\n" for name in "abc"))
    rows = Hdf5Rows(f"{tmp_path}/list.txt", ["data"], False, 0, "layer")
    (found,) = rows.rows(range(7))
    assert found.tolist() == [[1, 2, 3], [4, 5, 6], [1, 2, 3], [4, 5, 6], [7, 8, 0], [0, 0, 0], [1, 2, 3]]
    warned = [message for message in caplog.messages if "b.h5" in message]
    assert len(warned) == 1
    assert warned[0].startswith("layer: rows of '")
    assert "b.h5' have shape (2,), rows of" in warned[0]


def rows_of(folder: Path, names: Sequence[str] = ("data",)) -> Hdf5Rows:
    (folder / "list").write_text(f"{folder}/a.h5\n")
    return Hdf5Rows(f"{folder}/list", names, False, 0, "layer")


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = np.zeros((3, 2))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = h5py.ExternalLink("secret.h5", "/data")
        file["group/inner"] = h5py.ExternalLink("secret.h5", "/")
    for name in ("data", "group/inner/data"):
        with pytest.raises(
            DataError, match=rf"^layer: dataset '{name}' in .* is a link to another file, 'secret.h5', w"
        ):
            rows_of(tmp_path, [name])


def test_data_in_other_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (4, 2), "f4", external=[(str(tmp_path / "secret"), 0, 32)])
        layout = h5py.VirtualLayout((3, 2), "f4")
        layout[:] = h5py.VirtualSource("b.h5", "data", (3, 2))
        file.create_virtual_dataset("virtual", layout)
    for name in ("data", "virtual"):
        with pytest.raises(
            DataError, match=rf"^layer: dataset '{name}' in .* has its data in other files, which are not"
        ):
            rows_of(tmp_path, [name])


def test_sizes_that_the_file_cannot_hold_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", (2**20, 2**20), "f4", chunks=(64, 64))
    with pytest.raises(
        DataError, match=r"^layer: dataset 'data' in .* declares 4398046511104 bytes, the file holds 0; it"
    ):
        rows_of(tmp_path)


def test_damage_is_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.arange(4000.0).reshape(400, 10), chunks=(10, 10), compression="gzip")
    rows = rows_of(tmp_path)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[len(content) // 2 :: 3] = bytes(len(content[len(content) // 2 :: 3]))
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(
        DataError, match=r"^layer: failed opening HDF5 file .*; it is damaged, or no HDF5 file"
    ) as error:
        rows.check()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_file_that_became_shorter_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros((5, 2))
    rows = rows_of(tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros((4, 2))
    with pytest.raises(DataError, match=r"^layer: '.*a.h5' had 5 rows, and has others now; do not change it meanwhile"):
        rows.rows([0])


def test_a_group_is_no_dataset(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("data")
    with pytest.raises(
        DataError, match=r"^layer: dataset 'data' in .* has no numbers; expected numbers with at least 1"
    ):
        rows_of(tmp_path)
