"""Files that SciPy writes are read as SciPy reads them; damaged ones are an error of ours."""

import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from caffe_compat.errors import FormatError
from caffe_compat.srn.metrics.mat5_file import NUMERIC_CLASSES, read_variables

KINDS = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "bool"]


def saved(path, compressed, **variables):
    savemat(path, variables, do_compression=compressed)
    return path.read_bytes()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_every_type(tmp_path: Path, kind: str, compressed: bool) -> None:
    values = np.array([[1, 0, 3], [4, 5, 100]]).astype(kind)
    content = saved(tmp_path / "m.mat", compressed, first=values[:1, :1], numbers=values, words="text")
    found = {each.name: each for each in read_variables(content, 1000)}
    assert list(found) == ["first", "numbers", "words"]
    assert found["numbers"].shape == (2, 3)
    assert found["numbers"].kind in NUMERIC_CLASSES
    assert found["words"].kind not in NUMERIC_CLASSES
    assert found["numbers"].numbers().tolist() == values.ravel(order="F").astype(float).tolist()
    assert found["first"].numbers().tolist() == [float(values[0, 0])]


def put(content, place, value):
    """The content with four bytes replaced."""
    return content[:place] + value.to_bytes(4, "little", signed=True) + content[place + 4 :]


def element(code, content):
    return code.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


#: A file of one variable `numbers`: the header, the matrix at 128, its dimensions at 152, its numbers at 184.
DAMAGE = {
    "expected the header of a MATLAB 5 file": lambda content: b"x" * 200,
    "expected an element of [0-9]+ bytes, found": lambda content: content[:200],
    "expected an element of 2147483647 bytes, found": lambda content: put(content, 132, 2**31 - 1),
    "expected numbers, found an element of type 99": lambda content: put(content, 184, 99),
    "expected 35 numbers, found 5; the file was cut short": lambda content: put(content, 160, 7),
    "expected dimensions from 0 on, found -7": lambda content: put(content, 160, -7),
    "expected flags and dimensions of a variable": lambda content: put(content, 156, 3),
    "expected flags, dimensions and name of a variable": lambda content: content[:128] + element(14, b""),
    "expected a compressed variable, found less than a tag": lambda content: (
        content[:128] + element(15, zlib.compress(b"abc"))
    ),
    "expected compressed data": lambda content: content[:128] + element(15, b"no zlib"),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damaged_files(tmp_path: Path, message: str) -> None:
    content = saved(tmp_path / "m.mat", False, numbers=np.arange(5.0))
    with pytest.raises(FormatError, match=message):
        [variable.numbers() for variable in read_variables(DAMAGE[message](content), 100)]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_changed_bytes_are_numbers_or_an_error(tmp_path: Path, seed: int, compressed: bool) -> None:
    generator = np.random.default_rng(seed)
    content = bytearray(saved(tmp_path / "m.mat", compressed, numbers=np.arange(9.0)))
    for place in generator.integers(124, len(content), size=4):
        content[place] = generator.integers(256)
    with suppress(FormatError):
        for variable in read_variables(bytes(content), 100):
            assert variable.numbers().ndim == 1
