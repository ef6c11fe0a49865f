"""What becomes of a sample: an image record, a label record and a line of text, or a reason to leave it out.

Several processes share this work; the results depend on the sample and the rules alone.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.sources.datums import array_to_datum, encoded_datum, image_to_datum, record_key
from caffe_compat.srn.datasets.image_check import CheckedImage, check_image
from caffe_compat.srn.datasets.regular_file import kind_of_other_file
from caffe_compat.srn.datasets.samples import ABSENT, PRESENT, UNKNOWN, Finding, LabelRow, PictureBox, Sample

Pixels = NDArray[Any]

#: OpenCV's defaults, which convert_imageset uses too.
_ENCODING = {".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95), ".png": ()}
JPEG_SUFFIXES = (".jpg", ".jpeg")
LONGEST_KEY = 511  # bytes, LMDB's limit


@dataclass(frozen=True)
class PictureRules:
    """How pictures are written: into an LMDB, a folder, or both; a size of 0 keeps the size of each picture."""

    database: bool = True
    encoded: bool = True
    size: int = 256  # pixels, both sides, of training pictures in the LMDB
    test_size: int = 224  # the same of other splits: section 3.4 resizes test images to the net's input
    encode_type: str = ""  # "jpg" or "png"; "" as the file's name says
    folder: bool = False
    folder_size: int = 0
    most_pixels: int = 2**28

    def stored_size(self, training: bool) -> int:
        """The side of the pictures in a split's LMDB, in pixels; 0 if each keeps its size."""
        return self.size if training else self.test_size


class LabelRules(NamedTuple):
    """How labels are written. Unknown ones become -1 if `keep_unknown`, which a loss ignores, else absent.

    With `released_codes`, label files of other splits than the training one have -1 for absent and 0 for unknown.
    """

    keep_unknown: bool = False
    released_codes: bool = False


ABSENT_IF_UNKNOWN = LabelRules()


class Outcome(NamedTuple):
    """What a sample became. Records are serialised Datums; a sample without a label record is left out."""

    findings: tuple[Finding, ...]
    tags: int = 0
    image: bytes = b""
    label: bytes = b""
    label_line: str = ""

    @property
    def kept(self) -> bool:
        """Whether the sample goes into the dataset."""
        return bool(self.label)


def outcome_of(
    sample: Sample, rules: PictureRules, images: Path, training: bool, label_rules: LabelRules = ABSENT_IF_UNKNOWN
) -> Outcome:
    """Read, check and convert one sample; a picture for the folder `images` is written at once."""
    unusable = sample.left_out or _name_problem(sample.name)
    checked = unusable or _picture(sample, rules.most_pixels)
    if isinstance(checked, Finding):
        return Outcome((checked,))
    tags = int((sample.labels == PRESENT).sum())
    if rules.folder:
        _write_picture(images / sample.name, _encoded(sample, checked, rules, rules.folder_size))
    return Outcome(
        checked.findings,
        tags,
        _image_record(sample, checked, rules, tags, training) if rules.database else b"",
        _label_record(sample.labels, tags, label_rules),
        _label_line(sample.labels, training, label_rules),
    )


def _name_problem(name: str) -> Finding | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return Finding("bad name", "it must count from the folder of images, without '..'")
    if name.splitlines() != [name.strip()] or "\0" in name or name.encode("utf-8", "ignore").decode() != name:
        return Finding("bad name", "a line of an image list cannot hold it")
    if len(record_key(0, name)) > LONGEST_KEY:
        return Finding("bad name", f"with its number it is longer than {LONGEST_KEY} bytes, LMDB's limit for keys")
    return None


def _picture(sample: Sample, most_pixels: int) -> CheckedImage | Finding:
    checked = _checked_file(sample.path, most_pixels)
    return checked if sample.box is None or isinstance(checked, Finding) else _cut_out(checked, sample.box)


@lru_cache(maxsize=1)
def _checked_file(path: str, most_pixels: int) -> CheckedImage | Finding:
    """The picture of a file. Caches the last one: a photograph yields many boxes."""
    encoded = _file_bytes(path)
    return encoded if isinstance(encoded, Finding) else check_image(encoded, most_pixels)


def _file_bytes(path: str) -> bytes | Finding:
    other = kind_of_other_file(Path(path))
    if other:
        return Finding("unreadable", f"expected a file, found {other}")
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return Finding("missing", f"no file {path}")
    except OSError as error:
        return Finding("unreadable", str(error))


def _cut_out(image: CheckedImage, box: PictureBox) -> CheckedImage | Finding:
    height, width = image.pixels.shape[:2]
    sides = np.array([box.left, box.top, box.left + box.width, box.top + box.height])
    left, top, right, bottom = np.round(np.clip(sides, 0, [width, height, width, height])).astype(int)
    described = f"{box.width:g} x {box.height:g} at ({box.left:g}, {box.top:g}) in {width} x {height} pixels"
    if left >= right or top >= bottom:
        return Finding("box outside", described)
    outside = sides.min() < 0 or sides[2] > width or sides[3] > height
    findings = (*image.findings, Finding("box cut", described)) if outside else image.findings
    return CheckedImage(np.ascontiguousarray(image.pixels[top:bottom, left:right]), findings)


def _image_record(sample: Sample, image: CheckedImage, rules: PictureRules, tags: int, training: bool) -> bytes:
    size = rules.stored_size(training)
    if rules.encoded:
        datum = encoded_datum(_encoded(sample, image, rules, size), tags)
    else:
        datum = image_to_datum(_resized(image.pixels, size), tags)
    return datum.SerializeToString()


def _encoded(sample: Sample, image: CheckedImage, rules: PictureRules, size: int) -> bytes:
    """The bytes of the file if nothing has to change, else the picture encoded anew."""
    suffix = f".{rules.encode_type}" if rules.encode_type else _suffix(sample.name)
    if not (size or sample.box or image.findings or rules.encode_type):
        return Path(sample.path).read_bytes()
    _, encoded = cv2.imencode(suffix, _resized(image.pixels, size), _ENCODING[suffix])
    return encoded.tobytes()


def _suffix(name: str) -> str:
    """JPEG stays JPEG. Other formats may be without loss, and become PNG."""
    return ".jpg" if name.lower().endswith(JPEG_SUFFIXES) else ".png"


def _resized(pixels: Pixels, size: int) -> Pixels:
    """The picture with both sides of one size, interpolated as in Caffe's ReadImageToCVMat."""
    return cv2.resize(pixels, (size, size)) if size else pixels


def _write_picture(path: Path, encoded: bytes) -> None:
    """Write a file whole or not at all. It is not synced: a run that continues writes the last block's files again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(encoded)
    os.replace(beside, path)


def _label_record(labels: LabelRow, tags: int, rules: LabelRules) -> bytes:
    """The record of a label LMDB: C x 1 x 1 floats of 0 and 1, and -1 for unknown labels if they are kept."""
    values = _unknown_as(labels, UNKNOWN if rules.keep_unknown else ABSENT).astype(np.float32)
    return array_to_datum(values.reshape(-1, 1, 1), tags).SerializeToString()


def _label_line(labels: LabelRow, training: bool, rules: LabelRules) -> str:
    values = labels
    if rules.released_codes:
        values = _unknown_as(labels, ABSENT) if training else _released_codes(labels)
    return " ".join(map(str, values.tolist()))


def _unknown_as(labels: LabelRow, value: int) -> LabelRow:
    return np.where(labels == UNKNOWN, np.int8(value), labels)


def _released_codes(labels: LabelRow) -> LabelRow:
    """Labels in the codes of WIDER-Attribute: 1 present, -1 absent, 0 unspecified."""
    return np.select([labels == ABSENT, labels == UNKNOWN], [np.int8(-1), np.int8(0)], labels)
