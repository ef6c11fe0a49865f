"""A file that is not there; the formats have tests of their own."""

from pathlib import Path

import pytest

from caffe_compat.convert.formats.read import read_model
from caffe_compat.errors import FormatError


@pytest.mark.parametrize("name", ["resnet101.pth", "net.safetensors", "net.caffemodel", "net"])
def test_a_missing_file_is_told_with_all_kinds(name: str, tmp_path: Path) -> None:
    wanted = r"weights \(\.caffemodel, \.caffemodel\.h5, \.safetensors, \.pt or \.pth\)"
    with pytest.raises(FormatError, match=rf"{name}: no such file; expected {wanted}$"):
        read_model(str(tmp_path / name))
