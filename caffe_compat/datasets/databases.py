"""Image and label LMDBs from image lists and label files, record for record in the same order."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.datum import array_to_datum, decode_image, encoded_datum, record_key
from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.datasets.layout import ListedImage, image_path, read_image_list
from caffe_compat.datasets.new_folder import new_folder
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.evaluation.text_matrices import read_labels

ANY_COLOUR = -1


def write_image_database(root: str, image_list: Path, out: Path) -> int:
    """Put the image files of a list into a new LMDB as they are; returns how many.

    Keys, labels and Datum fields as `convert_imageset --encoded` writes them.
    """
    images = read_image_list(image_list)
    with new_folder(out) as folder, LmdbWriter(str(folder)) as database:
        for ordinal, image in enumerate(images):
            encoded = _read_encoded(Path(image_path(root, image.name)))
            database.put(record_key(ordinal, image.name), encoded_datum(encoded, image.tags or 0))
    return len(images)


def write_label_database(labels: Path, image_list: Path, out: Path) -> int:
    """Put a label file's lines into a new LMDB, with the keys of the image list; returns how many.

    Each Datum holds C x 1 x 1 floats and, as its label, the number of tags (the released create_label_lmdb.py).
    Raises ShapeError or DataError where the two files do not fit.
    """
    images, rows = read_image_list(image_list), read_labels(labels)
    if len(images) != len(rows):
        raise ShapeError(
            f"{labels}: expected {len(images)} lines, as {image_list} lists images, found {len(rows)}; "
            "both files must come from one list"
        )
    for number, (image, row) in enumerate(zip(images, rows, strict=True), start=1):
        _check(image, row, f"{labels}: line {number}", image_list)
    with new_folder(out) as folder, LmdbWriter(str(folder)) as database:
        for ordinal, (image, row) in enumerate(zip(images, rows, strict=True)):
            values = row.astype(np.float32).reshape(-1, 1, 1)
            database.put(record_key(ordinal, image.name), array_to_datum(values, int(row.sum())))
    return len(images)


def _read_encoded(path: Path) -> bytes:
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read the image: {error}") from error
    decode_image(encoded, ANY_COLOUR, str(path))
    return encoded


def _check(image: ListedImage, row: NDArray[Any], owner: str, image_list: Path) -> None:
    if row.min() < 0:
        raise DataError(
            f"{owner}: a net is trained on labels 0 and 1, found {row.min()}; write unspecified and absent labels as 0"
        )
    if image.tags is not None and image.tags != row.sum():
        raise DataError(
            f"{owner}: expected {image.tags} labels that are 1, as {image_list} says of '{image.name}', "
            f"found {row.sum()}; the files are of different images or orders"
        )
