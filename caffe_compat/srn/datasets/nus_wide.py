"""NUS-WIDE: 81 concepts in the order of Concepts81.txt, the official split, images without any concept left out.

Images come from Flickr, where many have vanished: the authors of SRN had 119,986 and 80,283. They lie in a folder per
search word, as the lists name them, or all in one folder.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.layout import read_image_list
from caffe_compat.srn.datasets.regular_file import check_regular_file
from caffe_compat.srn.datasets.samples import DataSet, DatasetSource, Finding, LabelRow, Sample, Samples, SampleSource
from caffe_compat.srn.metrics.accessible_images import read_accessible_images

SPLITS = {"train": "Train", "test": "Test"}
PUBLISHED = {"train": 119_986, "test": 80_283}
UNTAGGED = Finding("untagged", "none of the concepts")
NOT_ACCESSIBLE = Finding("not accessible", "not in the index of accessible images")


class Accessible(NamedTuple):
    """Which images of a split to keep: positions from 1, or a 0 or 1 per line, of a list of image names.

    The authors' index counts the lines of the label file that they published, which need not be the official list.
    """

    positions: Path
    image_list: Path | None = None  # the official one by default


def nus_wide(root: Path, images: Path, accessible: dict[str, Accessible]) -> DatasetSource:
    """The dataset from ImageList, Groundtruth and Concepts81.txt under `root`.

    Labels come from TrainTestLabels, or from AllLabels where that folder is missing. `accessible` says for a split
    which images to keep.
    """
    concepts = _lines(_first_there(root, "Concepts81.txt", "ConceptsList/Concepts81.txt"))
    splits = {split: partial(_split, root, images, split, concepts, accessible.get(split)) for split in SPLITS}
    return DatasetSource("nus_wide", concepts, splits, PUBLISHED)


def _split(root: Path, images: Path, split: str, concepts: list[str], accessible: Accessible | None) -> SampleSource:
    official = root / "ImageList" / f"{SPLITS[split]}Imagelist.txt"
    names = _names(official)
    labels = _labels(root, split, concepts, names)
    wanted = np.ones(len(names), bool) if accessible is None else _wanted(accessible, official, names)
    files = _file_names(names, images)

    def sample(position: int) -> Sample:
        name, row = files[position], labels[position]
        return Sample(name, str(images / name), row, left_out=_unwanted(bool(wanted[position]), row))

    return Samples(range(len(names)), sample)


def _file_names(names: list[str], images: Path) -> list[str]:
    """Names of files under `images`: as listed, or without folders where all images lie in one.

    Raises DataError if two images would have one name there.
    """
    if not images.is_dir() or any(entry.is_dir() for entry in images.iterdir()):
        return names
    flat = [name.rpartition("/")[2] for name in names]
    if len(set(flat)) < len(flat):
        name, times = Counter(flat).most_common(1)[0]
        raise DataError(f"{images}: expected folders of images, or a name of its own for each, found '{name}' {times} "
                        "times in the list; keep the images in the folders of the list")  # fmt: skip
    return flat


def _wanted(accessible: Accessible, official: Path, names: list[str]) -> NDArray[np.bool_]:
    """Which names of the official list the index keeps, (names,)."""
    path = accessible.image_list or official
    listed = _listed_names(path) if accessible.image_list else names
    kept = {listed[position] for position in read_accessible_images(accessible.positions, len(listed), str(path))}
    unknown = sorted(kept.difference(names))
    if unknown:
        raise DataError(
            f"{path}: expected names of {official}, found {len(unknown)} others, such as '{unknown[0]}'; "
            "both must count from the folder of images"
        )
    return np.array([name in kept for name in names])


def _listed_names(path: Path) -> list[str]:
    """Names of an image list, without the numbers of tags."""
    return [image.name.replace("\\", "/") for image in read_image_list(path)]


def _unwanted(accessible: bool, row: LabelRow) -> Finding | None:
    if not row.any():
        return UNTAGGED
    return None if accessible else NOT_ACCESSIBLE


def _names(path: Path) -> list[str]:
    """Names of a list, which was made on Windows and has backslashes."""
    return [line.replace("\\", "/") for line in _lines(path)]


def _labels(root: Path, split: str, concepts: list[str], names: Sequence[str]) -> NDArray[np.int8]:
    """(images, concepts), 0 or 1, from whichever of the two folders is there."""
    folder = _first_there(root, *(f"{parent}{kind}" for kind in LABEL_FOLDERS for parent in ("Groundtruth/", "")))
    return LABEL_FOLDERS[folder.name](root, folder, split, concepts, names)


def _split_labels(root: Path, folder: Path, split: str, concepts: list[str], names: Sequence[str]) -> NDArray[np.int8]:
    columns = [_column(folder / f"Labels_{concept}_{SPLITS[split]}.txt", len(names)) for concept in concepts]
    return np.stack(columns, axis=1)


def _picked_labels(root: Path, folder: Path, split: str, concepts: list[str], names: Sequence[str]) -> NDArray[np.int8]:
    """Labels of the split's images, found by name among those of all images."""
    every = {name: position for position, name in enumerate(_names(root / "ImageList" / "Imagelist.txt"))}
    unknown = next((name for name in names if name not in every), None)
    if unknown is not None:
        raise DataError(
            f"{root / 'ImageList' / 'Imagelist.txt'}: expected '{unknown}', which the {split} list names, found no "
            "such line; the lists must be of one release"
        )
    rows = [every[name] for name in names]
    return np.stack([_column(folder / f"Labels_{concept}.txt", len(every))[rows] for concept in concepts], axis=1)


LABEL_FOLDERS = {"TrainTestLabels": _split_labels, "AllLabels": _picked_labels}


def _column(path: Path, images: int) -> NDArray[np.int8]:
    """The column of a concept, (images,), from a file with a line of 0 or 1 for each image."""
    values = np.array(_lines(path))
    if len(values) != images:
        raise ShapeError(
            f"{path}: expected {images} lines, as the image list has, found {len(values)}; "
            "the files must be of one release"
        )
    foreign = np.flatnonzero((values != "0") & (values != "1"))
    if foreign.size:
        raise DataError(f"{path}, line {foreign[0] + 1}: expected 0 or 1, found '{values[foreign[0]]}'")
    return np.asarray(values == "1", np.int8)


def _lines(path: Path) -> list[str]:
    """Lines of a file that are not blank, without blanks at their ends."""
    check_regular_file(path, "annotations")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error.strerror}); --root must name the folder of it") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text, found {error}; unpack the archive again") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def _first_there(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).exists():
            return root / name
    raise DataError(f"{root}: expected {' or '.join(names)}, found none of them; unpack the archive there")


def _nus_wide_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of NUS-WIDE."""
    parser.add_argument(
        "--root", type=Path, required=True, help="the folder of ImageList/, Groundtruth/, Concepts81.txt"
    )
    parser.add_argument(
        "--images", type=Path, required=True, help="the folder to which the names of image lists are relative (Flickr/)"
    )
    for split in ("train", "test"):
        parser.add_argument(
            f"--accessible-{split}", type=Path, metavar="INDEX",
            help=f"which images of the {split} list to keep: nus_test_accessible.mat, or text",
        )  # fmt: skip
        parser.add_argument(
            f"--accessible-{split}-list", type=Path, metavar="LIST",
            help="the image list whose lines that index counts (default: the official one)",
        )  # fmt: skip


def _nus_wide_source(arguments: argparse.Namespace) -> DatasetSource:
    """Returns NUS-WIDE, read as the command line says."""
    given = {
        split: Accessible(index, getattr(arguments, f"accessible_{split}_list"))
        for split in ("train", "test")
        if (index := getattr(arguments, f"accessible_{split}"))
    }
    return nus_wide(arguments.root, arguments.images, given)


#: `prepare nus_wide`.
NUS_WIDE = DataSet("NUS-WIDE", _nus_wide_arguments, _nus_wide_source)
