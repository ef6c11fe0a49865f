"""Where a comparison comes from: what a reader needs to run it again and to know that the files are the same."""

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

#: Bytes that are hashed at a time.
CHUNK = 1 << 20


@dataclass(frozen=True)
class FileMark:
    """A file as it was when it was compared."""

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
        """The same for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """What and how, for a table."""
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
    """The provenance of a comparison that this version of the program makes now; names of no files are left out."""
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
