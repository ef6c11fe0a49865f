"""Plain loops for the losses that look up a class."""

from collections.abc import Iterator

import numpy as np

from tests.layers.harness import Array


def softmax(scores: Array, axis: int) -> Array:
    """exp(x) over its sum."""
    powers: Array = np.exp(scores - scores.max(axis, keepdims=True))
    powers /= powers.sum(axis, keepdims=True)
    return powers


def predictions(scores: Array, labels: Array, axis: int, ignore: int | None = None) -> Iterator[tuple[Array, int]]:
    """Every prediction's scores over the classes with its label, but for ignored ones."""
    rows = np.moveaxis(scores, axis, -1)
    for place, label in zip(np.ndindex(*rows.shape[:-1]), labels.flatten(), strict=True):
        if int(label) != ignore:
            yield rows[place], int(label)
