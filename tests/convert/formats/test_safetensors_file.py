import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from caffe_compat.convert.formats.description import describe
from caffe_compat.convert.formats.read import is_safetensors
from caffe_compat.convert.formats.safetensors_file import read_safetensors, write_safetensors
from caffe_compat.errors import FormatError
from tests.convert.models import model_of

TEXT = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 3 dim: 2 } } }'


def test_other_programs_read_the_tensors(tmp_path: Path) -> None:
    model = model_of(TEXT)
    write_safetensors(str(tmp_path / "a"), model)

    np.testing.assert_array_equal(load_file(tmp_path / "a")["p.weight"], model.blobs["p"][0])
    assert is_safetensors(str(tmp_path / "a"))


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "a")
    with pytest.raises(
        FormatError, match=r"a: expected a description of the net in the metadata, or the names of a ResNet"
    ):
        read_safetensors(str(tmp_path / "a"))


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_safetensors(str(path), model_of(TEXT))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(FormatError, match=r"a: not a whole safetensors file \(.*\); convert or download it again"):
        read_safetensors(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"\x0a\x04name", b"\x05\0\0\0\0\0\0\0{oops", b"\x99\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"]
)
def test_other_files_are_not_taken_for_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not is_safetensors(str(tmp_path / "a"))


def test_an_empty_file_of_tensors_is_one(tmp_path: Path) -> None:
    header = json.dumps({}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header)
    assert is_safetensors(str(tmp_path / "a"))


def test_halves_are_refused(tmp_path: Path) -> None:
    model = model_of(TEXT)
    save_file({"p.weight": np.zeros((3, 2), np.float16)}, tmp_path / "a", {"caffe_compat": describe(model)})
    with pytest.raises(
        FormatError, match=r"a: expected F32 in tensor 'p.weight', found F16; convert again, and call half"
    ):
        read_safetensors(str(tmp_path / "a"))
