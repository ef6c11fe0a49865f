"""Figure 7: the gain in AP of each label, beside its concurrent labels and training images.

Each part of the page stands apart in a file.
"""

from typing import Any

import numpy as np

from caffe_compat.experiments.runs import Run, predict
from caffe_compat.srn.datasets.layout import class_names_file
from caffe_compat.srn.metrics.comparison import co_occurring_labels, compare
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.metrics.text_matrices import read_labels


def gains_by_label(srn: Run, baseline: Run) -> dict[str, Any]:
    """For each label, sorted by gain: AP of both models and the gain in per cent, concurrent labels, training images.

    Also the correlation of gain and concurrent labels, None where one of them is constant.
    """
    labels = read_labels(srn.files("test").labels)
    measured = [
        measure(run.arm.title, labels, predict(run, run.arm.outputs[0]), DATASETS["coco"]) for run in (baseline, srn)
    ]
    concurrent = co_occurring_labels(labels == 1)
    training = (read_labels(srn.files("train").labels) == 1).sum(0)
    names = class_names_file(srn.files("test").folder).read_text(encoding="utf-8").splitlines()
    comparison = compare(measured[0], measured[1], concurrent)
    order = np.argsort(-comparison.ap_gain, kind="stable")
    known = np.isfinite(comparison.correlation)
    return {
        "correlation": round(comparison.correlation, 3) if known else None,
        "labels": [
            {
                "name": names[label],
                "baseline": round(100 * float(measured[0].ap[label]), 1),
                "srn": round(100 * float(measured[1].ap[label]), 1),
                "gain": round(100 * float(comparison.ap_gain[label]), 1),
                "concurrent": round(float(concurrent[label]), 2),
                "training": int(training[label]),
            }
            for label in order
        ],
    }
