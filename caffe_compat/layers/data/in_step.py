"""Checks, when a net is built, that its image and label sources run in step, by comparing keys and fields.

Labels come from a database. Images come from another database or from a list. A list counts as the database that
convert_imageset would make of it, with the same keys.
"""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np

from caffe_compat.data.sources.datums import record_key
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.data import Data
from caffe_compat.layers.data.image_data import ImageData

logger = logging.getLogger("caffe_compat")

_FIELDS = ("batch_size", "shuffle", "rand_skip")
_NUMBER_DIGITS = 8
#: Largest number of keys compared; of larger databases, this many keys are compared, evenly spread.
_COMPARED_KEYS = 200_000


def check_in_step(layers: Iterable[Layer]) -> None:
    """Refuses a net whose label database (items of 1 x 1 pixels) does not match each of its image sources.

    Two image sources may differ from each other, as in siamese nets.
    """
    found = [layer for layer in layers if isinstance(layer, Data | ImageData)]
    labels = [layer for layer in found if isinstance(layer, Data) and layer.top_shapes()[0][2:] == (1, 1)]
    images = [layer for layer in found if layer not in labels]
    if not images:
        return
    for label in labels:
        reasons = [_mismatch(image, label) for image in images]
        if all(reasons):
            raise DataError(f"{label.spec} is not in step with the images: {'; '.join(filter(None, reasons))}")


def _mismatch(image: Data | ImageData, label: Data) -> str | None:
    """Why the two layers would read different records, or None if they stay in step."""
    theirs, ours = _fields(image), label.spec.parameter.data_param
    for field in _FIELDS:
        if getattr(theirs, field) != getattr(ours, field):
            return (
                f"{image.spec} has {_name(image)}.{field} {getattr(theirs, field)}, this layer {getattr(ours, field)}"
            )
    return _key_mismatch(image, label)


def _name(layer: Data | ImageData) -> str:
    return "data_param" if isinstance(layer, Data) else "image_data_param"


def _fields(layer: Data | ImageData) -> Any:
    return getattr(layer.spec.parameter, _name(layer))


def _key_mismatch(images: Data | ImageData, labels: Data) -> str | None:
    owner = f"{images.spec}"
    if len(images.source) != len(labels.source):
        return f"{owner} has {len(images.source)} records, this layer {len(labels.source)}"
    count = min(len(labels.source), _COMPARED_KEYS)
    for ordinal in np.linspace(0, len(labels.source) - 1, count, dtype=np.int64).tolist():
        image, label = _key(images, ordinal), _key(labels, ordinal)
        if image == label:
            continue
        if not (_is_named(image) and _is_named(label)):
            logger.warning("%s: its keys ('%s') cannot be compared with '%s'", owner, _shown(image), _shown(label))
            return None
        return f"record {ordinal} of {owner} has key '{_shown(image)}', of this layer '{_shown(label)}'"
    return None


def _key(layer: Data | ImageData, ordinal: int) -> bytes:
    key = layer.source.key(ordinal)
    return key if isinstance(layer, Data) else record_key(ordinal, key.decode(errors="surrogateescape"))


def _shown(key: bytes) -> str:
    return key.decode(errors="replace")


def _is_named(key: bytes) -> bool:
    """Whether a key contains the image's name, as in '%08d_name'."""
    return key[:_NUMBER_DIGITS].isdigit() and key[_NUMBER_DIGITS : _NUMBER_DIGITS + 1] == b"_"
