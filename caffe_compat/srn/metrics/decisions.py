"""Scores as probabilities, and the labels that an image is given because of them."""

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError

SCORE_KINDS = ("auto", "logits", "probabilities")


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sigmoid in the released code's form, so that scores which it rounds to one value are ties here too."""
    with np.errstate(over="ignore"):  # exp(800) is inf and gives the right 0
        return 1.0 / (1.0 + np.exp(-scores))


def are_probabilities(scores: NDArray[np.float64], kind: str, owner: str) -> bool:
    """Whether scores of this kind (one of SCORE_KINDS) are probabilities; `auto` looks whether all lie within 0..1.

    Raises DataError, which names `owner`, where scores that are said to be probabilities are not.
    """
    within = bool(((scores >= 0) & (scores <= 1)).all())
    if kind == "probabilities" and not within:
        raise DataError(
            f"{owner}: expected probabilities within 0..1, found {scores.min():g} to {scores.max():g}; "
            "leave --scores probabilities out if these are raw scores"
        )
    return within and kind != "logits"


def most_confident(confidences: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Mark the `count` largest values of each row, (images, classes); of equal ones the first, as in MATLAB."""
    remaining = confidences.copy()
    chosen = np.zeros(confidences.shape, dtype=bool)
    rows = np.arange(len(confidences))
    for _ in range(min(count, confidences.shape[1])):
        columns = remaining.argmax(axis=1)
        chosen[rows, columns] = True
        remaining[rows, columns] = -np.inf
    return chosen
