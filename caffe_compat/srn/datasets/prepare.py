"""Writes a dataset in the released file layout, whole or not at all, in one run or in several, with checksums."""

import dataclasses
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import cv2

from caffe_compat.errors import DataError, FormatError
from caffe_compat.proto.file_bytes import read_bytes, replacing
from caffe_compat.srn.datasets.label_statistics import count_labels
from caffe_compat.srn.datasets.layout import SplitFiles, check_class_names, write_class_names
from caffe_compat.srn.datasets.outcomes import LabelRules, PictureRules
from caffe_compat.srn.datasets.samples import UNKNOWN, DatasetSource
from caffe_compat.srn.datasets.split_writer import TRAINING, SplitWriter
from caffe_compat.srn.datasets.summary import SplitSummary, Summary, write_summary
from caffe_compat.srn.datasets.summary_picture import write_summary_picture
from caffe_compat.terminal.progress import follow

SETTINGS = "settings.json"
SHOWN = 80  # characters of a setting in a message
_PROGRESS = ".progress"


def prepare(source: DatasetSource, out: Path, rules: PictureRules, processes: int) -> None:
    """Write the dataset into `out`, which appears when all is done; until then, files are in `out`.part.

    The same call continues where a killed one stopped, and does nothing if all is done. Raises DataError if `out` holds
    something else, or another run is preparing it.
    """
    check_class_names(source.name, source.class_names)
    settings = _settings(source, rules)
    if out.exists():
        _check_settings(out, settings)
        return
    unfinished = out.with_name(f"{out.name}.part")
    with _locked(unfinished):
        _begin_or_go_on(unfinished, settings, source)
        _fill(unfinished, source, rules, processes)
        shutil.rmtree(unfinished / _PROGRESS)
        unfinished.rename(out)


def _settings(source: DatasetSource, rules: PictureRules) -> dict[str, Any]:
    """Everything but the data that the written bytes depend on."""
    return {
        "dataset": source.name,
        "splits": list(source.splits),
        "classes": list(source.class_names),
        "opencv": cv2.__version__,
        **dataclasses.asdict(rules),
        **source.options,
    }


def _begin_or_go_on(unfinished: Path, settings: dict[str, Any], source: DatasetSource) -> None:
    if (unfinished / SETTINGS).exists():
        _check_settings(unfinished, settings)
        return
    write_class_names(unfinished, source.class_names)
    with replacing(unfinished / SETTINGS) as beside:
        beside.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    try:
        found = json.loads(read_bytes(folder / SETTINGS, "the settings of prepare"))
    except (OSError, ValueError, RecursionError, FormatError) as error:
        raise DataError(f"{folder}: exists already; remove it or name another place") from error
    if not isinstance(found, dict):
        raise DataError(f"{folder / SETTINGS}: expected the settings of prepare; remove {folder} or name another place")
    for name, value in settings.items():
        if found.get(name) != value:
            raise DataError(
                f"{folder}: was made with {name} {shorten(str(found.get(name)), SHOWN)}, asked for is "
                f"{shorten(str(value), SHOWN)}; remove it or name another place"
            )


def _fill(folder: Path, source: DatasetSource, rules: PictureRules, processes: int) -> None:
    label_rules = LabelRules(source.unknown_labels, source.released_codes)
    summaries: dict[str, SplitSummary] = {}
    for split, read in source.splits.items():
        files = SplitFiles(folder, split)
        writer = SplitWriter(files, rules, folder / _PROGRESS / f"{split}.json", label_rules)
        if not writer.progress.complete:
            writer.write(read(), processes)
        summaries[split] = SplitSummary(
            writer.progress,
            count_labels(files.labels, len(source.class_names), _unknown_code(source, split)),
            source.published.get(split),
            rules.stored_size(split == TRAINING) if rules.database else 0,
        )
    stored = tuple(name for name, is_stored in (("lmdb", rules.database), ("folder", rules.folder)) if is_stored)
    summary = Summary(source.name, source.class_names, summaries, stored, source.unknown_labels, source.notes)
    write_summary(summary, folder)
    write_summary_picture(summary, folder)
    write_manifest(folder)


def _unknown_code(source: DatasetSource, split: str) -> int | None:
    """What stands for an unknown label in the split's label file."""
    if source.released_codes:
        return None if split == TRAINING else 0
    return UNKNOWN if source.unknown_labels else None


@contextmanager
def _locked(unfinished: Path) -> Iterator[None]:
    """Hold the lock of the unfinished folder; the system frees the lock of a killed run."""
    try:
        (unfinished / _PROGRESS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{unfinished}: cannot write here: {error}") from error
    with (unfinished / _PROGRESS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{unfinished}: another run is preparing this dataset; wait for it or end it") from error
        yield


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
