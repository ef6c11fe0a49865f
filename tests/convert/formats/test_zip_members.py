import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.zip_members import ALWAYS_ALLOWED, require_no_bomb
from caffe_compat.errors import FormatError


def bomb(path: Path, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data/0", "w") as member:
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return path


def test_a_small_archive_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = bomb(tmp_path / "net.pt", 2 * ALWAYS_ALLOWED)
    message = (
        r"net\.pt: expected arrays of about the file's \d+ bytes, found members that unpack to 134217728; the file"
    )
    with pytest.raises(FormatError, match=message):
        require_no_bomb(path)
    with pytest.raises(FormatError, match=message):
        read_model(str(path))


def test_what_archives_usually_hold_passes(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "zeros.npz", a=np.zeros(1 << 20, np.float32))
    torch.save({"a": torch.ones(1 << 20)}, tmp_path / "ones.pt")
    (tmp_path / "text").write_text("no archive")
    for name in ("zeros.npz", "ones.pt", "text"):
        require_no_bomb(tmp_path / name)
