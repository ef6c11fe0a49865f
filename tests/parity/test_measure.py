"""Errors between two blobs."""

import math

import numpy as np
import pytest

from caffe_compat.parity.measure import EQUAL, INCOMPARABLE, errors_between
from caffe_compat.parity.recording import BlobSample


def test_errors_are_absolute_relative_to_the_largest_of_theirs_and_an_angle() -> None:
    errors = errors_between(np.array([3.0, 4.0]), np.array([[4.0], [-3.0]]))
    assert errors.largest == 7
    assert errors.relative == 7 / 4
    assert errors.cosine == pytest.approx(0)


def test_equal_infinities_and_nans_are_equal_and_others_are_not() -> None:
    ours = np.array([1.0, np.inf, np.nan])
    assert errors_between(ours, ours.copy()).largest == 0
    assert errors_between(ours, np.array([1.0, np.inf, 0.0])) == INCOMPARABLE
    assert errors_between(ours, np.array([1.5, np.inf, np.nan])).relative == pytest.approx(1 / 3)


def test_other_numbers_of_elements_cannot_be_compared_and_none_are_equal() -> None:
    assert errors_between(np.zeros(3), np.zeros(4)) == INCOMPARABLE
    assert errors_between(np.zeros((0, 2)), np.zeros((2, 0))) == EQUAL


def test_values_below_the_floor_count_as_zero() -> None:
    assert errors_between(np.array([1e-9]), np.array([2e-9])).relative == pytest.approx(1e-3)
    assert errors_between(np.array([1e-3]), np.array([2e-3]), floor=1.0).relative == pytest.approx(1e-3)
    assert errors_between(np.zeros(2), np.zeros(2)).cosine == 1


def test_a_sample_is_measured_at_its_places_over_the_whole_largest_value() -> None:
    whole = np.arange(20.0)
    sample = BlobSample(BlobSample(np.zeros(6), 0).of(whole) + 0.5, largest=50.0)
    errors = errors_between(whole, sample)
    assert errors.largest == 0.5
    assert errors.relative == 0.01
    assert not math.isnan(errors.cosine)
