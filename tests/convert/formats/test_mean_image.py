from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from caffe_compat.convert.formats.mean_image import convert_mean, is_mean
from caffe_compat.errors import FormatError
from caffe_compat.proto.write import write_blob
from tests.convert.models import GOLDENS

RECORDED = str(GOLDENS / "bvlc" / "data" / "mean.binaryproto")


def image(folder: Path) -> str:
    path = folder / "mean.binaryproto"
    write_blob(path, np.random.default_rng(3).normal(size=(1, 3, 4, 5)).astype(np.float32))
    return str(path)


def test_there_and_back(tmp_path: Path) -> None:
    source = image(tmp_path)
    array = convert_mean(source, "npy")
    back = convert_mean(array, "binaryproto", str(tmp_path / "back.binaryproto"))

    assert array == str(tmp_path / "mean.npy")
    assert np.load(array).shape == (1, 3, 4, 5)
    assert Path(back).read_bytes() == Path(source).read_bytes()
    assert is_mean(source)


def test_for_other_programs(tmp_path: Path) -> None:
    source = image(tmp_path)
    tensors = load_file(convert_mean(source, "safetensors"))
    state = torch.load(convert_mean(source, "torch"), weights_only=True)

    np.testing.assert_array_equal(tensors["mean"], state["mean"].numpy())


@pytest.mark.parametrize(
    ("to", "out", "message"),
    [
        ("onnx", None, "mean.binaryproto: a mean image becomes one of npy, binaryproto, safetensors, torch, not onnx"),
        ("binaryproto", None, "mean.binaryproto: expected another file than the source; name the target with --out"),
    ],
)
def test_what_cannot_be_is_refused(to: str, out: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        convert_mean(image(tmp_path), to, out)


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(FormatError, match=r"a\.npy: expected float32 values, found float64; save the array as float32"):
        convert_mean(str(tmp_path / "a.npy"), "binaryproto")
    (tmp_path / "b.npy").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"b\.npy: not a whole NumPy array \(.*\); save the image again"):
        convert_mean(str(tmp_path / "b.npy"), "binaryproto")

    np.savez(tmp_path / "c.npz", a=np.zeros(3))
    with pytest.raises(FormatError, match=r"c\.npy: expected one array, found an archive of several \(\.npz\); save"):
        convert_mean(str((tmp_path / "c.npz").rename(tmp_path / "c.npy")), "binaryproto")


def test_an_array_larger_than_its_file_takes_no_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(2, np.float32))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole.replace(b"(2,), }" + b" " * 12, b"(2199023255552,), }"))
    with pytest.raises(
        FormatError, match=r"a\.npy: not a whole NumPy array \(mmap length is greater than file size\); save"
    ):
        convert_mean(str(tmp_path / "a.npy"), "binaryproto")
