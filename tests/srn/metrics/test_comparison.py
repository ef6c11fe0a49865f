import numpy as np
import pytest

from caffe_compat.srn.metrics.comparison import co_occurring_labels, compare
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure


def case(rounds=0):
    generator = np.random.default_rng(31)
    labels = (generator.random((61, 5)) < 0.4).astype(np.int8)
    labels[:, 3] = 0
    scores = generator.normal(size=(61, 5))
    other = scores + 0.5 * labels
    rules = DATASETS["coco"]
    return labels, *(measure(name, labels, s, rules, rounds=rounds) for name, s in (("plain", scores), ("srn", other)))


def test_co_occurring_labels_are_those_beside_the_class() -> None:
    present = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0]], dtype=bool)
    assert co_occurring_labels(present)[:3].tolist() == [1.0, 1.5, 1.5]
    assert np.isnan(co_occurring_labels(present)[3])


def test_gains_are_differences() -> None:
    labels, base, other = case()
    comparison = compare(base, other, co_occurring_labels(labels == 1))
    np.testing.assert_array_equal(comparison.ap_gain, other.ap - base.ap)
    assert comparison.gains["F1-C"] == other.figures["F1-C"] - base.figures["F1-C"]
    assert comparison.gain_intervals == {}
    known = [0, 1, 2, 4]
    want = np.corrcoef(comparison.ap_gain[known], co_occurring_labels(labels == 1)[known])[0, 1]
    assert comparison.correlation == pytest.approx(want)


def test_gain_intervals_are_of_paired_rounds() -> None:
    labels, base, other = case(rounds=20)
    low, high = compare(base, other, co_occurring_labels(labels == 1)).gain_intervals["mAP"]
    gains = other.resampled["mAP"] - base.resampled["mAP"]
    assert [low, high] == pytest.approx(np.percentile(gains, [2.5, 97.5]).tolist())


def test_no_correlation_without_variation() -> None:
    labels, base, _ = case()
    assert np.isnan(compare(base, base, co_occurring_labels(labels == 1)).correlation)
