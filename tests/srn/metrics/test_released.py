import numpy as np
import pytest

from caffe_compat.srn.metrics.released import decided_blocks, measure
from tests.srn.metrics.oracle import precision_recall_f1


def measured(present, confidences, known=None, specified=None, threshold=0.5):
    known = np.ones(present.shape, bool) if known is None else known
    return measure(decided_blocks(present, confidences, known, specified, threshold))


@pytest.mark.parametrize("threshold", [0.5, 0.3])
@pytest.mark.parametrize("prefix", ["", "top3 ", "top3+filter "])
def test_class_figures_are_means_and_overall_figures_count_all(prefix: str, threshold: float) -> None:
    generator = np.random.default_rng(12)
    present, confidences = generator.random((31, 8)) < 0.25, generator.random((31, 8))
    top3 = np.argsort(np.argsort(-confidences, axis=1), axis=1) < 3
    decided_by = {"": confidences > threshold, "top3 ": top3, "top3+filter ": top3 & (confidences >= threshold)}
    decided = decided_by[prefix]
    figures = measured(present, confidences, threshold=threshold)
    by_class = np.array([precision_recall_f1(present[:, c], decided[:, c]) for c in range(8)])
    overall = precision_recall_f1(present.ravel(), decided.ravel())
    for column, letter in enumerate(("P", "R", "F1")):
        assert figures[f"{prefix}{letter}-C"] == pytest.approx(by_class[:, column].mean(), rel=1e-14)
        assert figures[f"{prefix}{letter}-O"] == pytest.approx(overall[column], rel=1e-14)


def test_a_probability_of_one_half_is_no_label_but_stays_among_the_filtered_top_3() -> None:
    figures = measured(np.array([[True]]), np.array([[0.5]]))
    assert figures["R-O"] < 1e-15
    assert figures["top3 R-O"] >= 1
    assert figures["top3+filter R-O"] >= 1


@pytest.mark.parametrize("prefix", ["", "top3 ", "specified "])
def test_cells_that_do_not_count_are_left_out_of_every_count(prefix: str) -> None:
    generator = np.random.default_rng(14)
    present, confidences = generator.random((29, 5)) < 0.4, generator.random((29, 5))
    draws = generator.random((29, 5))
    known, specified = draws < 0.8, draws < 0.6
    counted = specified if prefix == "specified " else known
    top3 = np.argsort(np.argsort(-confidences, axis=1), axis=1) < 3
    decided = top3 if prefix == "top3 " else confidences > 0.5
    figures = measured(present, confidences, known, specified)
    of_class = [precision_recall_f1(present[counted[:, c], c], decided[counted[:, c], c]) for c in range(5)]
    overall = precision_recall_f1(present[counted], decided[counted])
    for column, letter in enumerate(("P", "R", "F1")):
        assert figures[f"{prefix}{letter}-C"] == pytest.approx(np.mean([c[column] for c in of_class]), rel=1e-14)
        assert figures[f"{prefix}{letter}-O"] == pytest.approx(overall[column], rel=1e-14)
