"""Attention as numbers: does A, and does U, look where the label truly is?

Each part of the page stands apart in a file.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from caffe_compat.experiments.analysis.observed import Observed
from caffe_compat.srn.metrics.attention_scores import AttentionScore, Box, mean_scores, score_labels

#: Bootstrap over images.
ROUNDS, SEED = 500, 0


def attention_numbers(
    observed: Observed, boxes: Sequence[Mapping[int, Sequence[Box]]], picture: tuple[int, int], labels: slice
) -> dict[str, dict[str, list[float]]]:
    """For A (before weighting) and U (after): hit, mass and area of the present `labels`, each [mean, low, high].

    `picture` is (height, width) in pixels. Intervals are 95 %, by a bootstrap over images.
    """
    wanted = range(*labels.indices(len(observed.classes)))
    images = [
        score_labels(attention, weighted, {label: of[label] for label in wanted if label in of}, picture)
        for attention, weighted, of in zip(observed.attention, observed.weighted, boxes, strict=True)
    ]
    return {name: _means([scores[name] for scores in images if scores[name]]) for name in ("A", "U")}


def _means(images: Sequence[Sequence[AttentionScore]]) -> dict[str, list[float]]:
    rows = [mean_scores(scores) for scores in images]
    values = np.array([(row.hit, row.mass, row.area) for row in rows])
    random = np.random.default_rng(SEED)
    drawn = values[random.integers(len(values), size=(ROUNDS, len(values)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    columns = zip(values.mean(0).tolist(), low.tolist(), high.tolist(), strict=True)
    return dict(zip(("hit", "mass", "area"), map(list, columns), strict=True))
