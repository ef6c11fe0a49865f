import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.metrics.decisions import are_probabilities, most_confident, probabilities


def test_of_equal_confidences_the_first_is_taken() -> None:
    confidences = np.array([[0.2, 0.7, 0.7, 0.1, 0.7], [0.4, 0.4, 0.4, 0.4, 0.9]])
    want = [[False, True, True, False, False], [True, False, False, False, True]]
    assert most_confident(confidences, 2).tolist() == want


def test_equals_a_stable_sort_of_each_row() -> None:
    confidences = np.random.default_rng(3).integers(4, size=(23, 9)) / 4
    want = np.zeros((23, 9), dtype=bool)
    for row, values in enumerate(confidences):
        want[row, sorted(range(9), key=(-values).__getitem__)[:3]] = True
    np.testing.assert_array_equal(most_confident(confidences, 3), want)


def test_fewer_classes_than_asked_for_are_all_taken() -> None:
    assert most_confident(np.array([[0.1, 0.3]]), 3).all()


def test_the_input_is_not_changed() -> None:
    confidences = np.array([[0.1, 0.3, 0.2]])
    most_confident(confidences, 1)
    assert confidences.tolist() == [[0.1, 0.3, 0.2]]


def test_sigmoid_saturates_without_warning() -> None:
    assert probabilities(np.array([-800.0, -np.inf, 0.0, 40.0, 50.0])).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(("kind", "taken"), [("auto", True), ("probabilities", True), ("logits", False)])
def test_scores_within_0_and_1_are_probabilities_unless_the_user_says_otherwise(kind: str, taken: bool) -> None:
    assert are_probabilities(np.array([[0.0, 1.0, 0.3]]), kind, "srn") is taken


def test_one_score_outside_makes_raw_scores_of_all() -> None:
    assert not are_probabilities(np.array([[0.2, 1.0001], [0.3, 0.4]]), "auto", "srn")
    with pytest.raises(DataError, match=r"^srn: expected probabilities within 0..1, found -0.5 to 0.9; leave --scores"):
        are_probabilities(np.array([[0.9, -0.5]]), "probabilities", "srn")
