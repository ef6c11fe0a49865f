import numpy as np
import pytest

from caffe_compat.srn.metrics.average_precision import rank_images
from caffe_compat.srn.metrics.later_papers import measure


def measured(labels, confidences, ignore=False):
    present, known = labels == 1, np.ones(labels.shape, bool)
    return measure(present, confidences, rank_images(present, confidences, (labels != 0) | (not ignore)), known)


def test_raw_average_precision_is_the_mean_precision_at_positives() -> None:
    labels = np.array([[1], [0], [1], [0], [1]], dtype=np.int8)
    confidences = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]])
    assert measured(labels, confidences).ap[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_unspecified_images_are_left_out_of_average_precision_only() -> None:
    labels = np.array([[0], [1], [-1], [1]], dtype=np.int8)
    confidences = np.array([[0.9], [0.8], [0.7], [0.6]])
    later = measured(labels, confidences, ignore=True)
    assert later.ap[0] == pytest.approx((1 + 2 / 3) / 2)
    assert later.figures["OP"] == 0.5


@pytest.mark.parametrize("prefix", ["", "top3 "])
def test_f1_is_that_of_mean_precision_and_mean_recall(prefix: str) -> None:
    generator = np.random.default_rng(5)
    labels = (generator.random((27, 6)) < 0.4).astype(np.int8)
    labels[:, 4] = 0
    confidences = generator.random((27, 6))
    top3 = np.argsort(np.argsort(-confidences, axis=1), axis=1) < 3
    decided = (confidences >= 0.5) & (top3 | (not prefix))
    known = [0, 1, 2, 3, 5]
    right = [sum(decided[:, c] & (labels[:, c] == 1)) for c in range(6)]
    precision = np.mean([right[c] / decided[:, c].sum() for c in known])
    recall = np.mean([right[c] / labels[:, c].sum() for c in known])
    figures = measured(labels, confidences).figures
    assert figures[f"{prefix}CP"] == pytest.approx(precision)
    assert figures[f"{prefix}CR"] == pytest.approx(recall)
    assert figures[f"{prefix}CF1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert figures[f"{prefix}OP"] == pytest.approx(sum(right) / decided.sum())
    assert figures[f"{prefix}OR"] == pytest.approx(sum(right) / labels.sum())


def test_a_score_of_zero_is_a_label() -> None:
    assert measured(np.array([[1]], dtype=np.int8), np.array([[0.5]])).figures["OR"] == 1


def test_nothing_predicted_and_nothing_present() -> None:
    later = measured(np.array([[0, 1]], dtype=np.int8), np.array([[0.2, 0.1]]))
    assert np.isnan(later.ap[0])
    assert later.figures["mAP"] == 1
    assert later.figures["CF1"] == later.figures["OP"] == 0


def test_no_positives_at_all_have_no_value() -> None:
    figures = measured(np.array([[0]], dtype=np.int8), np.array([[0.2]])).figures
    assert np.isnan(figures["mAP"])
    assert np.isnan(figures["CF1"])
    assert figures["OF1"] == 0


def test_unknown_labels_and_another_threshold() -> None:
    present = np.array([[True, False], [True, True]])
    confidences = np.array([[0.7, 0.9], [0.4, 0.8]])
    known = np.array([[True, False], [True, True]])
    figures = measure(present, confidences, rank_images(present, confidences, known), known, 0.4).figures
    assert (figures["OP"], figures["OR"]) == (1, 1)
