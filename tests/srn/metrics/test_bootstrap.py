import numpy as np
import pytest

from caffe_compat.srn.metrics.average_precision import average_precisions, mean_of_known, rank_images
from caffe_compat.srn.metrics.bootstrap import interval, resampled_figures
from caffe_compat.srn.metrics.released import decided_blocks, measure


def case():
    generator = np.random.default_rng(21)
    labels = (generator.random((47, 5)) < 0.3).astype(np.int8)
    return labels, generator.random((47, 5))


def counted(labels, confidences):
    """The rankings and blocks of labels where about one in ten is not known, and one in five not specified."""
    draws = np.random.default_rng(len(labels)).random(labels.shape)
    known, specified = draws < 0.9, draws < 0.7
    present = labels == 1
    return rank_images(present, confidences, specified), decided_blocks(present, confidences, known, specified)


def resample(rounds, seed, method="released"):
    return resampled_figures(*counted(*case()), rounds=rounds, seed=seed, method=method)


@pytest.mark.parametrize("method", ["released", "voc07", "sklearn"])
def test_each_round_equals_an_evaluation_of_the_drawn_images(method: str) -> None:
    generator = np.random.default_rng(4)
    resampled = resample(rounds=3, seed=4, method=method)
    labels, confidences = case()
    _, blocks = counted(labels, confidences)
    for index in range(3):
        drawn = np.sort(generator.integers(47, size=47))
        of_drawn = {prefix: type(block)(*(flags[drawn] for flags in block)) for prefix, block in blocks.items()}
        specified = np.random.default_rng(47).random(labels.shape)[drawn] < 0.7
        rankings = rank_images(labels[drawn] == 1, confidences[drawn], specified)
        figures = measure(of_drawn) | {"mAP": mean_of_known(average_precisions(rankings, method=method))}
        assert {name: values[index] for name, values in resampled.items()} == pytest.approx(figures, rel=1e-12)


def test_the_seed_decides() -> None:
    first, again, other = resample(4, seed=1)["mAP"], resample(4, seed=1)["mAP"], resample(4, seed=2)["mAP"]
    assert first.tolist() == again.tolist()
    assert not set(first) & set(other)


def test_interval_is_the_central_95_percent() -> None:
    values = np.random.default_rng(0).permutation(np.append(np.arange(1001.0), np.nan))
    assert interval(values) == (25.0, 975.0)


def test_no_interval_without_a_value() -> None:
    assert np.isnan(interval(np.full(3, np.nan))).all()
