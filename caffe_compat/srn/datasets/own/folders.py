"""A folder per label: ROOT/cat/a.jpg. A file that is linked into several folders has all their labels."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.repeats import SHOWN
from caffe_compat.srn.datasets.own.rows import SPLIT_WORDS, OwnFormat, OwnRow, listed

_Identity = tuple[int, int]  # device and inode


def read_folders(root: Path) -> OwnFormat:
    """The images of a folder: every visible file under a label's folder.

    Raises DataError if there are no folders, or if their names show that they are of something else.
    """
    try:
        labels = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: cannot read the folder ({error.strerror}); check the path") from error
    if not labels:
        raise DataError(f"{root}: expected a folder for each label, found none; put images at LABEL/IMAGE")
    _refuse_if_no_labels(root, labels)
    return OwnFormat(partial(_rows, root, labels), labels, root, ["a folder per label", *_same_names(root, labels)])


def _refuse_if_no_labels(root: Path, folders: list[str]) -> None:
    """Raise DataError for a folder of splits, or for one of PASCAL VOC's: its folders are not called after labels."""
    words = {word: split for split, spelled in SPLIT_WORDS.items() for word in spelled}
    if all(name.lower() in words for name in folders):
        flags = " ".join(f"--{words[name.lower()]} {shlex.quote(str(root / name))}" for name in folders)
        raise DataError(
            f"{root}: expected a folder for each label, found folders of splits: {', '.join(folders)}; give {flags}"
        )
    if {"Annotations", "JPEGImages"} <= set(folders):
        raise DataError(
            f"{root}: expected a folder for each label, found PASCAL VOC's folders; give an image set, such as "
            f"{root}/ImageSets/Main/trainval.txt, or {root}/Annotations"
        )


def _same_names(root: Path, labels: list[str]) -> Iterator[str]:
    """A note on files of one name in several folders, which may be copies of one image that has several labels."""
    places: dict[str, set[str]] = {}
    for label in labels:
        for path in _files(root / label):
            if _identity_if_linked(path) is None:
                places.setdefault(path.name, set()).add(label)
    shared = [name for name, found in places.items() if len(found) > 1]
    if shared:
        first = ", ".join(f"'{name[:60]}'" for name in shared[:SHOWN])
        yield (
            f"{len(shared):,} file names occur in several folders and are taken as different images: {first}; links in "
            "place of copies make one image with several labels"
        )


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
