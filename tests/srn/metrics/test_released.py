import numpy as np
import pytest

from caffe_compat.srn.metrics.released import measure
from tests.srn.metrics.oracle import precision_recall_f1


@pytest.mark.parametrize("prefix", ["", "top3 ", "top3+filter "])
def test_class_figures_are_means_and_overall_figures_count_all(prefix) -> None:
    generator = np.random.default_rng(12)
    present, confidences = generator.random((31, 8)) < 0.25, generator.random((31, 8))
    top3 = np.argsort(np.argsort(-confidences, axis=1), axis=1) < 3
    decided = {"": confidences > 0.5, "top3 ": top3, "top3+filter ": top3 & (confidences > 0.5)}[prefix]
    figures = measure(present, confidences)
    by_class = np.array([precision_recall_f1(present[:, c], decided[:, c]) for c in range(8)])
    overall = precision_recall_f1(present.ravel(), decided.ravel())
    for column, letter in enumerate(("P", "R", "F1")):
        assert figures[f"{prefix}{letter}-C"] == pytest.approx(by_class[:, column].mean(), rel=1e-14)
        assert figures[f"{prefix}{letter}-O"] == pytest.approx(overall[column], rel=1e-14)


def test_a_probability_of_one_half_is_not_a_label() -> None:
    figures = measure(np.array([[True]]), np.array([[0.5]]))
    assert figures["R-O"] < 1e-15
    assert figures["top3 R-O"] >= 1
