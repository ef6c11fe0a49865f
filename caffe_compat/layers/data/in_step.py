"""Image and label sources of one net must run in step: checked when the net is built, by keys and by fields."""

import logging
from collections.abc import Iterable

import numpy as np

from caffe_compat.data.sources.datums import Datums
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.data import Data

logger = logging.getLogger("caffe_compat")

_FIELDS = ("batch_size", "shuffle", "rand_skip")
_NUMBER_DIGITS = 8
#: Databases up to this size are compared key by key; of larger ones this many keys, evenly spread.
_COMPARED_KEYS = 200_000


def check_in_step(layers: Iterable[Layer]) -> None:
    """Refuses a net whose label database (items of 1 x 1 pixels) does not go with any of its image databases.

    Two image databases may differ: siamese nets read such.
    """
    found = [layer for layer in layers if isinstance(layer, Data)]
    labels = [layer for layer in found if layer.top_shapes()[0][2:] == (1, 1)]
    images = [layer for layer in found if layer not in labels]
    if not images:
        return
    for label in labels:
        reasons = [_mismatch(image, label) for image in images]
        if all(reasons):
            raise DataError(f"{label.spec} is not in step with the images: {'; '.join(filter(None, reasons))}")


def _mismatch(image: Data, label: Data) -> str | None:
    """Why two layers would drift apart, or None."""
    for field in _FIELDS:
        theirs, ours = (getattr(layer.spec.parameter.data_param, field) for layer in (image, label))
        if theirs != ours:
            return f"{image.spec} has data_param.{field} {theirs}, this layer {ours}"
    return _key_mismatch(image.datums, label.datums, f"{image.spec}")


def _key_mismatch(images: Datums, labels: Datums, owner: str) -> str | None:
    if len(images) != len(labels):
        return f"{owner} has {len(images)} records, this layer {len(labels)}"
    count = min(len(images), _COMPARED_KEYS)
    for ordinal in np.linspace(0, len(images) - 1, count, dtype=np.int64).tolist():
        image, label = images.key(ordinal), labels.key(ordinal)
        if image == label:
            continue
        if not (_is_named(image) and _is_named(label)):
            logger.warning("%s: its keys ('%s') cannot be compared with '%s'", owner, image.decode(), label.decode())
            return None
        return f"record {ordinal} of {owner} has key '{image.decode()}', of this layer '{label.decode()}'"
    return None


def _is_named(key: bytes) -> bool:
    """Whether a key tells its image, as '%08d_name' does."""
    return key[:_NUMBER_DIGITS].isdigit() and key[_NUMBER_DIGITS : _NUMBER_DIGITS + 1] == b"_"
