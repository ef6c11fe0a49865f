import numpy as np
import pytest

from caffe_compat.srn.metrics.average_precision import average_precisions, mean_of_known, rank_images
from tests.srn.metrics.oracle import interpolated_average_precision


def random_case(seed, images, classes, levels):
    """Labels in 1, 0, -1 and confidences of few levels, so that most are ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(-1, 2, size=(images, classes)).astype(np.int8)
    return labels, generator.integers(levels, size=(images, classes)) / levels


@pytest.mark.parametrize(
    ("seed", "images", "classes", "levels"), [(1, 41, 7, 5), (2, 3, 11, 2), (3, 173, 4, 60), (4, 1, 6, 1)]
)
@pytest.mark.parametrize("ignore", [True, False])
def test_equals_the_envelope_over_all_ranks(seed, images, classes, levels, ignore) -> None:
    labels, confidences = random_case(seed, images, classes, levels)
    got = average_precisions(rank_images(labels, confidences, ignore_unspecified=ignore))
    absent = (-1,) if ignore else (-1, 0)
    want = [
        interpolated_average_precision(labels[:, c].tolist(), confidences[:, c].tolist(), absent)
        for c in range(classes)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_ties_keep_the_order_of_the_file() -> None:
    labels = np.array([[0, 1], [1, 0]], dtype=np.int8)
    ap = average_precisions(rank_images(labels, np.full((2, 2), 0.5), ignore_unspecified=False))
    assert ap.tolist() == [0.5, 1.0]


def test_leading_unspecified_images_do_not_count() -> None:
    labels = np.array([[0], [0], [1], [-1], [1]], dtype=np.int8)
    confidences = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]])
    assert average_precisions(rank_images(labels, confidences, ignore_unspecified=True))[0] == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert average_precisions(rank_images(labels, confidences, ignore_unspecified=False))[0] == pytest.approx(2 / 5)


def test_a_class_without_positives_has_no_value() -> None:
    labels = np.array([[1, 0], [0, 0]], dtype=np.int8)
    ap = average_precisions(rank_images(labels, np.array([[0.3, 0.2], [0.1, 0.6]]), ignore_unspecified=False))
    assert ap[0] == 1
    assert np.isnan(ap[1])
    assert mean_of_known(ap) == 1
    assert np.isnan(mean_of_known(ap[1:]))


def test_weights_are_repetitions() -> None:
    labels, confidences = random_case(5, 37, 3, 1000)
    weights = np.bincount(np.random.default_rng(6).integers(37, size=37), minlength=37)
    rankings = rank_images(labels, confidences, ignore_unspecified=True)
    repeated = rank_images(labels.repeat(weights, axis=0), confidences.repeat(weights, axis=0), ignore_unspecified=True)
    np.testing.assert_allclose(average_precisions(rankings, weights), average_precisions(repeated), rtol=1e-13)


def test_weights_of_zero_leave_a_class_without_value() -> None:
    rankings = rank_images(np.ones((2, 1), dtype=np.int8), np.array([[0.1], [0.2]]), ignore_unspecified=False)
    assert np.isnan(average_precisions(rankings, np.array([0, 0]))[0])
