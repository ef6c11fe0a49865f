"""Dumps are read under the keys of record_blobs.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.parity.recording import BlobSample, read_recording


def dump(folder: Path, **arrays: Any) -> Path:
    path = folder / "dump.npz"
    np.savez(path, **arrays)
    return path


def test_every_part_finds_its_place_also_where_names_have_slashes_and_digits(tmp_path: Path) -> None:
    values = {
        "in/data": np.full(1, 1.0), "param/conv4/3x3/0": np.full(1, 2.0),
        "fwd/003/conv4/3x3/conv4/3x3": np.full(1, 3.0), "fwd/004/1/2": np.full(1, 4.0),
        "full/prob": np.full(1, 5.0), "param_after/bn/1": np.full(1, 6.0),
        "out_diff/prob": np.full(1, 7.0), "bwd/002/conv4/3x3/data": np.full(1, 8.0), "diff/data": np.full(1, 9.0),
        "param_diff/conv4/3x3/1": np.full(1, 10.0), "loss": np.full(5, 11.0), "final/ip/0": np.full(1, 12.0),
        "history/0": np.full(1, 13.0), "note/0": np.array("left out: a"), "is_forced": np.array(False),
        "about": np.array("a Caffe"), "stat/data": np.zeros(3),
    }  # fmt: skip
    recording = read_recording(dump(tmp_path, **values))
    assert recording.inputs == {"data": 1}
    assert recording.weights == {"conv4/3x3/0": 2}
    assert recording.tops == {"conv4/3x3/conv4/3x3": 3, "1/2": 4}
    assert recording.blobs == {"prob": 5}
    assert recording.weights_after == {"bn/1": 6}
    assert recording.seeds == {"prob": 7}
    assert recording.bottom_gradients == {"conv4/3x3/data": 8}
    assert recording.blob_gradients == {"data": 9}
    assert recording.weight_gradients == {"conv4/3x3/1": 10}
    assert recording.losses["loss"].tolist() == [11] * 5
    assert recording.final_weights == {"ip/0": 12}
    assert recording.histories == {"0": 13}
    assert recording.notes == ["left out: a"]
    assert recording.is_forced is False
    assert recording.source == f"a Caffe ({tmp_path}/dump.npz)"


def test_samples_keep_the_largest_value_and_the_places_of_their_elements(tmp_path: Path) -> None:
    whole = np.arange(30.0).reshape(5, 6)
    places = np.random.RandomState(1).randint(0, 30, 7)
    values = {
        "sample/012/conv/conv": whole.ravel()[places], "stat/012/conv/conv": np.array([1.0, 2.0, 29.0]),
        "sample/prob": whole.ravel()[places] + 1, "stat/prob": np.array([1.0, 2.0, 30.0]),
    }  # fmt: skip
    recording = read_recording(dump(tmp_path, **values))
    sample = recording.tops["conv/conv"]
    assert isinstance(sample, BlobSample)
    assert sample.largest == 29
    np.testing.assert_array_equal(sample.of(whole), sample.values)
    assert isinstance(recording.blobs["prob"], BlobSample)


def test_the_last_writer_of_a_blob_may_be_meant_by_its_name_alone(tmp_path: Path) -> None:
    recording = read_recording(dump(tmp_path, **{"full/c": np.ones(2), "diff/c": np.ones(3)}))
    assert recording.top("relu", "c", is_last=True) is not None
    assert recording.top("conv", "c", is_last=False) is None
    assert recording.bottom_gradient("relu", "c", is_last=True) is not None
    assert recording.bottom_gradient("relu", "c", is_last=False) is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dump.npz").write_bytes(b"not a zip")
    with pytest.raises(FormatError, match=r"dump\.npz: expected a dump by record_blobs\.py \(\.npz\), found something"):
        read_recording(tmp_path / "dump.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(FormatError, match=r"array\.npy: expected a dump by record_blobs\.py"):
        read_recording(tmp_path / "array.npy")


def test_an_archive_of_other_things_is_refused(tmp_path: Path) -> None:
    path = dump(tmp_path, **{"in/data": np.zeros(3)})
    with pytest.raises(FormatError, match=r"expected keys 'fwd/<n>/<layer>/<top>' or losses .*, found \['in/data'\]"):
        read_recording(path)
