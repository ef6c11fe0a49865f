import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from caffe_compat.srn.metrics.average_precision import AP_METHODS, average_precisions, mean_of_known, rank_images
from tests.srn.metrics.oracle import eleven_point_average_precision, interpolated_average_precision


def ranked(labels, confidences, ignore):
    return rank_images(labels == 1, confidences, (labels != 0) | (not ignore))


def random_case(seed, images, classes, levels):
    """Labels in 1, 0, -1 and confidences of few levels, so that most are ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(-1, 2, size=(images, classes)).astype(np.int8)
    return labels, generator.integers(levels, size=(images, classes)) / levels


@pytest.mark.parametrize(
    ("seed", "images", "classes", "levels"), [(1, 41, 7, 5), (2, 3, 11, 2), (3, 173, 4, 60), (4, 1, 6, 1)]
)
@pytest.mark.parametrize("ignore", [True, False])
def test_equals_the_envelope_over_all_ranks(seed: int, images: int, classes: int, levels: int, ignore: bool) -> None:
    labels, confidences = random_case(seed, images, classes, levels)
    got = average_precisions(ranked(labels, confidences, ignore=ignore))
    absent = (-1,) if ignore else (-1, 0)
    want = [
        interpolated_average_precision(labels[:, c].tolist(), confidences[:, c].tolist(), absent)
        for c in range(classes)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_ties_keep_the_order_of_the_file() -> None:
    labels = np.array([[0, 1], [1, 0]], dtype=np.int8)
    ap = average_precisions(ranked(labels, np.full((2, 2), 0.5), ignore=False))
    assert ap.tolist() == [0.5, 1.0]


def test_leading_unspecified_images_do_not_count() -> None:
    labels = np.array([[0], [0], [1], [-1], [1]], dtype=np.int8)
    confidences = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]])
    assert average_precisions(ranked(labels, confidences, ignore=True))[0] == pytest.approx((1 + 2 / 3) / 2)
    assert average_precisions(ranked(labels, confidences, ignore=False))[0] == pytest.approx(2 / 5)


def test_a_class_without_positives_has_no_value() -> None:
    labels = np.array([[1, 0], [0, 0]], dtype=np.int8)
    ap = average_precisions(ranked(labels, np.array([[0.3, 0.2], [0.1, 0.6]]), ignore=False))
    assert ap[0] == 1
    assert np.isnan(ap[1])
    assert mean_of_known(ap) == 1
    assert np.isnan(mean_of_known(ap[1:]))


@pytest.mark.parametrize(("seed", "images", "classes", "levels"), [(7, 43, 6, 5), (8, 4, 9, 2), (9, 167, 3, 60)])
@pytest.mark.parametrize("ignore", [True, False])
def test_equals_scikit_learn(seed: int, images: int, classes: int, levels: int, ignore: bool) -> None:
    labels, confidences = random_case(seed, images, classes, levels)
    got = average_precisions(ranked(labels, confidences, ignore), method="sklearn")
    for c in range(classes):
        counted = (labels[:, c] != 0) | (not ignore)
        present = labels[counted, c] == 1
        if present.any():
            assert got[c] == pytest.approx(average_precision_score(present, confidences[counted, c]), rel=1e-13)
        else:
            assert np.isnan(got[c])


@pytest.mark.parametrize(("seed", "images", "classes", "levels"), [(7, 43, 6, 5), (8, 4, 9, 2), (9, 167, 3, 60)])
@pytest.mark.parametrize("ignore", [True, False])
def test_equals_the_loop_over_eleven_recalls(seed: int, images: int, classes: int, levels: int, ignore: bool) -> None:
    labels, confidences = random_case(seed, images, classes, levels)
    got = average_precisions(ranked(labels, confidences, ignore), method="voc07")
    absent = (-1,) if ignore else (-1, 0)
    want = [
        eleven_point_average_precision(labels[:, c].tolist(), confidences[:, c].tolist(), absent)
        for c in range(classes)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_a_recall_of_three_tenths_reaches_the_third_point() -> None:
    """3 of 10 positives come first: 0.3 counts as reached, though 3 * 0.1 is above it in binary fractions."""
    labels = np.array([1] * 3 + [0] * 90 + [1] * 7, np.int8)[:, None]
    confidences = np.linspace(1, 0, 100)[:, None]
    ap = average_precisions(ranked(labels, confidences, ignore=False), method="voc07")
    assert ap[0] == pytest.approx((4 * 1 + 7 * 0.1) / 11)


@pytest.mark.parametrize("method", AP_METHODS)
@pytest.mark.parametrize("levels", [1000, 3])
def test_weights_are_repetitions(method: str, levels: int) -> None:
    labels, confidences = random_case(5, 37, 3, levels)
    weights = np.bincount(np.random.default_rng(6).integers(37, size=37), minlength=37)
    rankings = ranked(labels, confidences, ignore=True)
    repeated = ranked(labels.repeat(weights, axis=0), confidences.repeat(weights, axis=0), ignore=True)
    got, want = average_precisions(rankings, weights, method), average_precisions(repeated, method=method)
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_weights_of_zero_leave_a_class_without_value() -> None:
    rankings = ranked(np.ones((2, 1), dtype=np.int8), np.array([[0.1], [0.2]]), ignore=False)
    assert np.isnan(average_precisions(rankings, np.array([0, 0]))[0])
