"""Every weights file of the records comes back from every format bit for bit."""

import logging
from pathlib import Path

import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel, write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.convert.model import Model
from tests.convert.models import GOLDENS, assert_same_blobs

FILES = sorted(GOLDENS.rglob("*.caffemodel")) + sorted(GOLDENS.rglob("*.caffemodel.h5"))


def in_own_dialect(path: str, model: Model) -> None:
    write_caffemodel(path, model, model.dialect)


WRITERS = {
    "net.safetensors": write_safetensors,
    "net.pt": write_state_dict,
    "net.caffemodel": in_own_dialect,
    "net.caffemodel.h5": write_caffemodel,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_every_recorded_file_comes_back(name: str, tmp_path: Path) -> None:
    for source in FILES:
        model = read_caffemodel(str(source))
        path = str(tmp_path / name)
        WRITERS[name](path, model)
        again = read_model(path)

        assert_same_blobs(again, model) if name != "net.caffemodel.h5" else assert_same_weights(again, model)
        if name != "net.caffemodel.h5":
            assert (again.net, again.dialect) == (model.net, model.dialect), source


def assert_same_weights(one: Model, other: Model) -> None:
    """HDF5 orders layers by name."""
    assert sorted(one.blobs) == sorted(other.blobs)
    assert_same_blobs(Model(one.net, {name: one.blobs[name] for name in other.blobs}, "", ""), other)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["bvlc", "srn_fork"])
def test_a_file_of_today_comes_back_byte_for_byte(folder: str, tmp_path: Path) -> None:
    same = 0
    for source in sorted((GOLDENS / folder).rglob("*.caffemodel")):
        model = read_caffemodel(str(source))
        write_safetensors(str(tmp_path / "a.safetensors"), model)
        in_own_dialect(str(tmp_path / "b.caffemodel"), read_model(str(tmp_path / "a.safetensors")))
        # Caffe itself changes BatchNorm's rates on load; all else is as it was.
        upgraded = any(layer.type == "BatchNorm" for layer in model.net.layer)
        assert upgraded or source.read_bytes() == (tmp_path / "b.caffemodel").read_bytes(), source
        same += not upgraded
    assert same > 30


def test_the_log_names_the_dialect(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        read_caffemodel(str(GOLDENS / "srn_fork" / "released_like" / "weights.caffemodel"))
    assert "read in the srn_fork dialect" in caplog.text
