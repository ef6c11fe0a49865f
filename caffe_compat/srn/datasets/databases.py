"""Image and label LMDBs from image lists and label files, record for record in the same order."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.regular_file import read_regular
from caffe_compat.data.sources.datums import array_to_datum, decode_image, encoded_datum, record_key
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.layout import ListLine, image_path, listed_images, read_image_list
from caffe_compat.srn.datasets.new_folder import new_folder
from caffe_compat.srn.datasets.samples import LabelRow
from caffe_compat.srn.metrics.text_matrices import label_rows

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
    written = 0
    with new_folder(out) as folder, LmdbWriter(str(folder)) as database:
        for image, row in _in_step(listed_images(image_list), image_list, label_rows(labels), labels):
            values = row.astype(np.float32).reshape(-1, 1, 1)
            database.put(record_key(written, image.name), array_to_datum(values, int(row.sum())))
            written += 1
    return written


def _in_step(
    images: Iterator[ListLine], image_list: Path, rows: Iterator[tuple[int, LabelRow]], labels: Path
) -> Iterator[tuple[ListLine, LabelRow]]:
    """Each image with its row of labels; one image and one row are in memory at a time."""
    for place in count():
        image, (line, row) = next(images, None), next(rows, (0, None))
        if image is None and row is None and place:
            return
        if image is None or row is None:
            listed = place + (image is not None) + sum(1 for _ in images)
            found = place + (row is not None) + sum(1 for _ in rows)
            raise ShapeError(
                f"{labels}: expected {listed} lines, as {image_list} lists images, found {found}; "
                "both files must come from one list"
            )
        _check(image, row, f"{labels}: line {line}", image_list)
        yield image, row


def _read_encoded(path: Path) -> bytes:
    encoded = read_regular(str(path), "image list", "cannot read the image")
    decode_image(encoded, ANY_COLOUR, str(path))
    return encoded


def _check(image: ListLine, row: LabelRow, owner: str, image_list: Path) -> None:
    if row.min() < 0:
        raise DataError(
            f"{owner}: a net is trained on labels 0 and 1, found {row.min()}; write unspecified and absent labels as 0"
        )
    if image.tags is not None and image.tags != row.sum():
        raise DataError(
            f"{owner}: expected {image.tags} labels that are 1, as {image_list} says of '{image.name}', "
            f"found {row.sum()}; the files are of different images or orders"
        )
