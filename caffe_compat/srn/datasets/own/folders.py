"""A folder per label: ROOT/cat/a.jpg. A file that is linked into several folders has all their labels."""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, listed

_Identity = tuple[int, int]  # device and inode


def read_folders(root: Path) -> OwnFormat:
    """The images of a folder: every visible file under a label's folder. Raises DataError if there are no folders."""
    try:
        labels = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: cannot read the folder ({error.strerror}); check the path") from error
    if not labels:
        raise DataError(f"{root}: expected a folder for each label, found none; put images at LABEL/IMAGE")
    return OwnFormat(partial(_rows, root, labels), labels, root)


def _rows(root: Path, labels: list[str]) -> Iterator[OwnRow]:
    shared = _labels_of_linked_files(root, labels)
    for label in labels:
        for path in _files(root / label):
            name, identity = path.relative_to(root).as_posix(), _identity_if_linked(path)
            if identity is None:
                yield OwnRow(str(path), name, listed([label]))
            elif own := shared.pop(identity, None):  # met in another folder before
                yield OwnRow(str(path), name, listed(own))


def _labels_of_linked_files(root: Path, labels: list[str]) -> dict[_Identity, list[str]]:
    found = defaultdict(list)
    for label in labels:
        for path in _files(root / label):
            if identity := _identity_if_linked(path):
                found[identity].append(label)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


def _identity_if_linked(path: Path) -> _Identity | None:
    """The file behind a symbolic or hard link; None for a file of one place, or a link that leads nowhere."""
    try:
        about = path.stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino) if about.st_nlink > 1 or path.is_symlink() else None
