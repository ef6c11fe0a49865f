"""From raw scores to the labels that an image is given."""

import numpy as np
from numpy.typing import NDArray


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sigmoid in the released code's own form, so that scores that it rounds to one value are ties here too."""
    with np.errstate(over="ignore"):  # exp(800) is inf and gives the right 0
        return 1.0 / (1.0 + np.exp(-scores))


def most_confident(confidences: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Mark the `count` largest of each row; of equal ones the first, as MATLAB's stable descending sort."""
    remaining = confidences.copy()
    chosen = np.zeros(confidences.shape, dtype=bool)
    rows = np.arange(len(confidences))
    for _ in range(min(count, confidences.shape[1])):
        columns = remaining.argmax(axis=1)
        chosen[rows, columns] = True
        remaining[rows, columns] = -np.inf
    return chosen
