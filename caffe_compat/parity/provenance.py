"""Provenance of a comparison: the facts needed to repeat it and to check that the files are the same."""

import hashlib
import platform
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caffe_compat.parity.measure import Tolerances

#: Number of bytes that are hashed at a time.
CHUNK = 1 << 20


@dataclass(frozen=True)
class FileMark:
    """Identifies a compared file: path, size in bytes and SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """The command, the time (UTC, ISO 8601), versions of programs, marks of files, the seed and the tolerances."""

    command: str
    date: str
    versions: dict[str, str]
    files: list[FileMark]
    seed: int
    tolerances: Tolerances

    def as_dict(self) -> dict[str, Any]:
        """Returns the provenance as a dictionary for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Returns the provenance as rows (name, value) of a table."""
        tolerances = ", ".join(f"{name} {value:g}" for name, value in asdict(self.tolerances).items())
        return [
            ("command", self.command),
            ("date", self.date),
            ("seed", str(self.seed)),
            ("tolerances", tolerances),
            *self.versions.items(),
            *((mark.path, f"{mark.bytes} bytes, SHA-256 {mark.sha256}") for mark in self.files),
        ]


def provenance_of(
    command: Sequence[str], version: str, files: Iterable[str], seed: int, tolerances: Tolerances
) -> Provenance:
    """Returns the provenance of a comparison made now; names in `files` that are not files are left out."""
    versions = {
        "caffe-compat": version,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "NumPy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    marks = [_mark(Path(name)) for name in dict.fromkeys(files) if Path(name).is_file()]
    return Provenance(shlex.join(command), _now(), versions, marks, seed, tolerances)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _mark(path: Path) -> FileMark:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return FileMark(str(path), path.stat().st_size, digest.hexdigest())
