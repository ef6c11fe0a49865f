"""Files and folders that a command will write: made or refused before its work, so that no hour of work is lost."""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.proto.file_bytes import replacing


def claim_files(paths: Iterable[str | Path | None]) -> None:
    """Makes the folders of these files (None: no file) and tries to write there.

    Raises DataError where a file cannot be written, or where a folder has its name.
    """
    for path in paths:
        if path is not None:
            _claim_file(Path(path))


def claim_folder(path: str | Path) -> None:
    """Makes the folder and tries to write there; DataError where that fails."""
    _try_to_write(Path(path), Path(path))


def write_json(path: str | Path, figures: object) -> None:
    """Writes figures for programs, whole or not at all."""
    text = json.dumps(figures, indent=1, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(f"{text}\n", encoding="utf-8")


def figure(value: float) -> float | None:
    """A number as JSON can hold it: None for NaN and infinity."""
    return value if math.isfinite(value) else None


def _claim_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: expected a file to write, found a folder; name a file in it")
    if path.exists() and not path.is_file():
        return  # a device or a pipe, which can only be opened once
    _try_to_write(path.parent, path)


def _try_to_write(folder: Path, wanted: Path) -> None:
    trial = folder / f".{wanted.name}.{os.getpid()}.trial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except ValueError as error:  # a zero byte in the name
        raise DataError(f"{wanted}: no file has such a name ({error}); name another place") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{wanted}: cannot be written ({reason}: '{error.filename}'); name another place") from error
