import numpy as np

from caffe_compat.srn.metrics.precision_recall import count_labels, precision_recall_f1
from tests.srn.metrics.oracle import EPS
from tests.srn.metrics.oracle import precision_recall_f1 as by_loops


def random_flags():
    generator = np.random.default_rng(8)
    return generator.random((29, 6)) < 0.3, generator.random((29, 6)) < 0.4


def test_equals_loops_by_class_and_overall() -> None:
    present, decided = random_flags()
    counts = count_labels(present, decided)
    want = [by_loops(present[:, c], decided[:, c]) for c in range(6)]
    np.testing.assert_array_equal(np.transpose(precision_recall_f1(counts)), want)
    np.testing.assert_array_equal(precision_recall_f1(counts.overall()), by_loops(present.ravel(), decided.ravel()))


def test_a_class_neither_present_nor_decided_scores_one() -> None:
    nothing = np.zeros((5, 1), dtype=bool)
    precision, recall, f1 = precision_recall_f1(count_labels(nothing, nothing))
    assert precision == 1
    assert recall == 1 + EPS
    assert f1 == 2 * precision * recall / (precision + recall)


def test_a_class_decided_but_not_present_has_full_recall() -> None:
    precision, recall, f1 = precision_recall_f1(count_labels(np.zeros((4, 1), dtype=bool), np.ones((4, 1), dtype=bool)))
    assert precision == EPS / 4
    assert recall == 1 + EPS
    assert f1[0] < 1e-15
