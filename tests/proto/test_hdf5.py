from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto import hdf5
from caffe_compat.proto.read import read_solver_state, read_weights

FOLDER = Path(__file__).parents[1] / "goldens/bvlc/solvers/sgd_hdf5"
WEIGHTS, STATE = FOLDER / "s_iter_10.caffemodel.h5", FOLDER / "s_iter_10.solverstate.h5"


def dump(path: Path) -> dict[str, tuple[object, ...]]:
    """Every dataset with its value and the type that it has in the file."""
    found: dict[str, tuple[object, ...]] = {}

    def visit(name: str, member: h5py.Group | h5py.Dataset) -> None:
        if isinstance(member, h5py.Group):
            found[name] = ()
        else:
            kind = member.id.get_type()
            strings = (kind.get_strpad(), kind.get_cset()) if isinstance(kind, h5py.h5t.TypeStringID) else ()
            value = np.asarray(member)
            found[name] = (member.shape, kind.get_size(), kind.get_class(), *strings, value.tobytes())

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_reads_weights_of_a_real_caffe() -> None:
    layers = {layer.name: layer.blobs for layer in read_weights(WEIGHTS).layers}
    assert {name: len(blobs) for name, blobs in layers.items() if blobs} == {"bn": 3, "conv": 2, "ip": 2, "sc": 2}
    with h5py.File(WEIGHTS) as file:
        np.testing.assert_array_equal(layers["conv"][0], file["data/conv/0"])
    assert layers["conv"][0].shape == (6, 3, 3, 3)


def test_reads_a_solver_state_of_a_real_caffe() -> None:
    state = read_solver_state(STATE)
    assert (state.iter, state.learned_net, state.current_step) == (10, "s_iter_10.caffemodel.h5", 0)
    assert [blob.size for blob in state.history] == [162, 6, 6, 6, 1, 6, 6, 384, 4]


def test_writes_what_a_real_caffe_writes(tmp_path: Path) -> None:
    hdf5.write_weights(tmp_path / "w.h5", hdf5.read_weights(WEIGHTS))
    assert dump(tmp_path / "w.h5") == dump(WEIGHTS)
    hdf5.write_solver_state(tmp_path / "s.h5", *hdf5.read_solver_state(STATE))
    assert dump(tmp_path / "s.h5") == dump(STATE)


def test_a_blob_that_another_layer_owns_is_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/a/1"] = np.ones(3, np.float64)
        file.create_group("data/inception/1x1")
    weights = hdf5.read_weights(tmp_path / "w.h5")
    assert [blob.tolist() for blob in weights["a"]] == [[], [1, 1, 1]]
    assert weights["a"][1].dtype == np.float32
    assert weights["inception/1x1"] == []


@pytest.mark.parametrize(
    ("contents", "reader", "message"),
    [
        ({}, hdf5.read_weights, r"f.h5: expected weights \(/data/<layer>/<i>\), found nothing"),
        (
            {"data": [1.0], "label": [1]},
            hdf5.read_weights,
            r"found /data, /label \(data for an HDF5Data layer\?\)",
        ),
        ({"data/a/0": [1.0]}, hdf5.read_solver_state, r"expected a solver state .* found weights .*: /data"),
        ({"data/a/w": [1.0]}, hdf5.read_weights, r"f.h5: expected blobs named 0, 1, ... in /data/a, found 'w'"),
        ({"data/a/999999999": [1.0]}, hdf5.read_weights, r"expected blobs named 0, 1, .* found '999999999'"),
    ],
)
def test_names_what_another_file_holds(
    tmp_path: Path, contents: dict[str, list[float]], reader: Callable[[Path], object], message: str
) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for name, value in contents.items():
            file[name] = value
    with pytest.raises(FormatError, match=message):
        reader(tmp_path / "f.h5")


def test_a_dataset_larger_than_the_file_takes_no_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("data/a/0", (2**40,), np.float32)
    with pytest.raises(
        FormatError, match=r"f.h5: /data/a/0 declares 4398046511104 bytes, the file holds 0; the file is dam"
    ):
        hdf5.read_weights(tmp_path / "f.h5")


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "f.h5").write_bytes(WEIGHTS.read_bytes()[:3000])
    with pytest.raises(FormatError, match=r"f.h5: not a readable HDF5 file \(.*\); copy or download it again"):
        read_weights(tmp_path / "f.h5")


def test_refuses_names_that_caffe_could_not_find(tmp_path: Path) -> None:
    with pytest.raises(
        DialectError, match=r"f.h5: layer 'a/b': Caffe cannot find a name with a slash in an HDF5 file; w"
    ):
        hdf5.write_weights(tmp_path / "f.h5", {"a/b": []})


@pytest.mark.parametrize("name", ["", ".", "a\0b"])
def test_refuses_names_that_hdf5_does_not_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(DialectError, match=r"f.h5: layer '.*': HDF5 has no such name for a group; write a .caffemodel"):
        hdf5.write_weights(tmp_path / "f.h5", {name: []})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "link"),
    [
        ("data", h5py.ExternalLink("other.h5", "/data")),
        ("data/a", h5py.ExternalLink("other.h5", "/data/a")),
        ("data/a/0", h5py.ExternalLink("other.h5", "/data/a/0")),
        ("data/a/0", h5py.SoftLink("/nothing")),
    ],
)
def test_links_are_refused(tmp_path: Path, place: str, link: h5py.SoftLink | h5py.ExternalLink) -> None:
    hdf5.write_weights(tmp_path / "other.h5", {"a": [np.ones(3, np.float32)]})
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file[place] = link
    name = place.rpartition("/")[2]
    with pytest.raises(FormatError, match=rf"f.h5: expected data of the file itself in /.*, found the link '{name}'$"):
        hdf5.read_weights(tmp_path / "f.h5")


def test_data_in_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(8))
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("data/a/0", (2,), np.float32, external=[(str(tmp_path / "secret"), 0, 8)])
    with pytest.raises(FormatError, match=r"f.h5: expected data of the file itself, found /data/a/0 in another file$"):
        hdf5.read_weights(tmp_path / "f.h5")


def test_a_group_within_itself_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_group("data/a")
        file["data/a/0"] = file["data"]
    with pytest.raises(
        FormatError, match=r"f.h5: expected every group in one place, found /data/a/0/a in another, too"
    ):
        hdf5.read_weights(tmp_path / "f.h5")


def test_text_is_no_blob(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["data/a/0"] = ["x"]
    with pytest.raises(FormatError, match=r"f.h5: expected numbers in /data/a/0, found object$"):
        hdf5.read_weights(tmp_path / "f.h5")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], r"f.h5: expected one value in /iter, found another number$"),
        (b"x", r"f.h5: expected int in /iter, found b'x'$"),
    ],
)
def test_a_state_with_another_iter(tmp_path: Path, value: list[int] | bytes, message: str) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_group("history")
        file["iter"] = value
    with pytest.raises(FormatError, match=message):
        hdf5.read_solver_state(tmp_path / "f.h5")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "a/b"), "No space left on device (a/b)"),
        (
            OSError("Can't write\n (errno = 28, error message = 'No space left on device', buf"),
            "No space left on device",
        ),
        (RuntimeError("Unable to close"), "Unable to close"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_reasons_are_a_few_words(error: Exception, words: str) -> None:
    assert hdf5.reason_in_words(error) == words
