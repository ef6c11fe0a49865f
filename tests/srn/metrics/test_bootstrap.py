import numpy as np
import pytest

from caffe_compat.srn.metrics.average_precision import average_precisions, mean_of_known, rank_images
from caffe_compat.srn.metrics.bootstrap import interval, resampled_figures
from caffe_compat.srn.metrics.released import measure


def case():
    generator = np.random.default_rng(21)
    labels = (generator.random((47, 5)) < 0.3).astype(np.int8)
    return labels, generator.random((47, 5))


def resample(rounds, seed):
    labels, confidences = case()
    rankings = rank_images(labels, confidences, ignore_unspecified=False)
    return resampled_figures(rankings, labels == 1, confidences, rounds=rounds, seed=seed)


def test_each_round_equals_an_evaluation_of_the_drawn_images() -> None:
    labels, confidences = case()
    generator = np.random.default_rng(4)
    resampled = resample(rounds=3, seed=4)
    for index in range(3):
        drawn = np.sort(generator.integers(47, size=47))
        rankings = rank_images(labels[drawn], confidences[drawn], ignore_unspecified=False)
        figures = measure(labels[drawn] == 1, confidences[drawn])
        figures["mAP"] = mean_of_known(average_precisions(rankings))
        assert {name: values[index] for name, values in resampled.items()} == pytest.approx(figures, rel=1e-12)


def test_the_seed_decides() -> None:
    first, again, other = resample(4, seed=1)["mAP"], resample(4, seed=1)["mAP"], resample(4, seed=2)["mAP"]
    assert first.tolist() == again.tolist()
    assert not set(first) & set(other)


def test_interval_is_the_central_95_percent() -> None:
    values = np.random.default_rng(0).permutation(np.append(np.arange(1001.0), np.nan))
    assert interval(values) == (25.0, 975.0)
