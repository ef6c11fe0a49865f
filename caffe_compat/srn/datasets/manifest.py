"""Checksums of a dataset's files, in the format that `sha256sum --check` reads."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from caffe_compat.proto.file_bytes import replacing
from caffe_compat.terminal.progress import follow

NAME = "manifest.sha256"
_LEFT_OUT = {NAME, "lock.mdb"}  # readers of an LMDB change its lock


def write_manifest(folder: Path) -> Path:
    """Write `folder`/manifest.sha256: a line `checksum  path` for each file under the folder, sorted by path."""
    path = folder / NAME
    with replacing(path) as beside, beside.open("w", encoding="utf-8", errors="surrogateescape") as lines:
        for file in follow(list(_files(folder)), "checksums", "files"):
            lines.write(f"{_checksum(file)}  {file.relative_to(folder).as_posix()}\n")
    return path


def _files(folder: Path) -> Iterator[Path]:
    """Visible files; hidden ones belong to a run that is not done."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
