"""Plain loops for normalisation by channel."""

import numpy as np

from tests.layers.harness import Array


def by_channel(bottom: Array, means: Array, variances: Array, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps), channel by channel."""
    top = np.empty_like(bottom)
    for place in np.ndindex(*bottom.shape):
        channel = place[1]
        top[place] = (bottom[place] - means[channel]) / np.sqrt(variances[channel] + eps)
    return top


def statistics(bottom: Array) -> tuple[Array, Array]:
    """Mean and biased variance of every channel, by sums."""
    rows = [np.take(bottom, channel, axis=1).ravel() for channel in range(bottom.shape[1])]
    means = np.array([sum(row) / len(row) for row in rows])
    variances = np.array([sum((row - mean) ** 2) / len(row) for row, mean in zip(rows, means, strict=True)])
    return means, variances
