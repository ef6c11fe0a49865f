"""What becomes of a sample: an image record, a label record and a line of text, or a reason to leave it out.

This is the work that several processes share; everything here depends on the sample and the rules alone.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.datum import array_to_datum, encoded_datum, image_to_datum, record_key
from caffe_compat.srn.datasets.image_check import CheckedImage, check_image
from caffe_compat.srn.datasets.samples import PRESENT, Box, Finding, LabelRow, Sample

Pixels = NDArray[Any]

#: OpenCV's own parameters, so those of convert_imageset.
_ENCODING = {".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95), ".png": ()}
JPEG_SUFFIXES = (".jpg", ".jpeg")
LONGEST_KEY = 511  # bytes, LMDB's limit


@dataclass(frozen=True)
class PictureRules:
    """How pictures are written: into an LMDB, a folder, or both; a size of 0 keeps each picture's own."""

    database: bool = True
    encoded: bool = True
    size: int = 256  # pixels, both sides
    encode_type: str = ""  # "jpg" or "png"; "" as the file's name says
    folder: bool = False
    folder_size: int = 0


class Outcome(NamedTuple):
    """The records are serialised Datums; a sample is kept if it has a label record."""

    findings: tuple[Finding, ...]
    tags: int = 0
    image: bytes = b""
    label: bytes = b""
    label_line: str = ""

    @property
    def kept(self) -> bool:
        """Whether the sample goes into the dataset."""
        return bool(self.label)


def outcome_of(sample: Sample, rules: PictureRules, images: Path, training: bool) -> Outcome:
    """Read, check and convert one sample; a picture for the folder `images` is written here and now."""
    unusable = sample.left_out or _name_problem(sample.name)
    checked = unusable or _picture(sample)
    if isinstance(checked, Finding):
        return Outcome((checked,))
    tags = int((sample.labels == PRESENT).sum())
    if rules.folder:
        _write_picture(images / sample.name, _encoded(sample, checked, rules, rules.folder_size))
    return Outcome(
        checked.findings,
        tags,
        _image_record(sample, checked, rules, tags) if rules.database else b"",
        _label_record(sample.labels, tags),
        _label_line(sample.labels, training),
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


def _picture(sample: Sample) -> CheckedImage | Finding:
    checked = _checked_file(sample.path)
    return checked if sample.box is None or isinstance(checked, Finding) else _cut_out(checked, sample.box)


@lru_cache(maxsize=1)
def _checked_file(path: str) -> CheckedImage | Finding:
    """The last one stays, for a photograph of many boxes is asked for as many times."""
    encoded = _file_bytes(path)
    return encoded if isinstance(encoded, Finding) else check_image(encoded)


def _file_bytes(path: str) -> bytes | Finding:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return Finding("missing", f"no file {path}")
    except OSError as error:
        return Finding("unreadable", str(error))


def _cut_out(image: CheckedImage, box: Box) -> CheckedImage | Finding:
    height, width = image.pixels.shape[:2]
    sides = np.array([box.left, box.top, box.left + box.width, box.top + box.height])
    left, top, right, bottom = np.round(np.clip(sides, 0, [width, height, width, height])).astype(int)
    described = f"{box.width:g} x {box.height:g} at ({box.left:g}, {box.top:g}) in {width} x {height} pixels"
    if left >= right or top >= bottom:
        return Finding("box outside", described)
    outside = sides.min() < 0 or sides[2] > width or sides[3] > height
    findings = (*image.findings, Finding("box cut", described)) if outside else image.findings
    return CheckedImage(np.ascontiguousarray(image.pixels[top:bottom, left:right]), findings)


def _image_record(sample: Sample, image: CheckedImage, rules: PictureRules, tags: int) -> bytes:
    if rules.encoded:
        datum = encoded_datum(_encoded(sample, image, rules, rules.size), tags)
    else:
        datum = image_to_datum(_resized(image.pixels, rules.size), tags)
    return datum.SerializeToString()


def _encoded(sample: Sample, image: CheckedImage, rules: PictureRules, size: int) -> bytes:
    """The file as it is where nothing has to change, else encoded anew."""
    suffix = f".{rules.encode_type}" if rules.encode_type else _suffix(sample.name)
    if not (size or sample.box or image.findings or rules.encode_type):
        return Path(sample.path).read_bytes()
    _, encoded = cv2.imencode(suffix, _resized(image.pixels, size), _ENCODING[suffix])
    return encoded.tobytes()


def _suffix(name: str) -> str:
    """JPEG stays JPEG; whatever else there is may be without loss, and stays so as PNG."""
    return ".jpg" if name.lower().endswith(JPEG_SUFFIXES) else ".png"


def _resized(pixels: Pixels, size: int) -> Pixels:
    """Both sides of one size, by the interpolation of Caffe's ReadImageToCVMat."""
    return cv2.resize(pixels, (size, size)) if size else pixels


def _write_picture(path: Path, encoded: bytes) -> None:
    """Whole or not at all; not synced one by one, for a run that goes on writes the last block's again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(encoded)
    os.replace(beside, path)


def _label_record(labels: LabelRow, tags: int) -> bytes:
    """C x 1 x 1 of 0 and 1: what is not present counts as absent in training."""
    present = (labels == PRESENT).astype(np.float32)
    return array_to_datum(present.reshape(-1, 1, 1), tags).SerializeToString()


def _label_line(labels: LabelRow, training: bool) -> str:
    """0 or 1 a label in training; other splits keep what is told apart."""
    values = (labels == PRESENT).astype(np.int8) if training else labels
    return " ".join(map(str, values.tolist()))
