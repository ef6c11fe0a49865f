import pytest
from scipy import stats

from caffe_compat.experiments.statistics import over_seeds


def test_the_interval_is_students():
    values = [92.5, 91.0, 95.2, 90.1]
    found = over_seeds(values)
    low, high = stats.t.interval(0.95, 3, sum(values) / 4, stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.mean, found.seeds) == pytest.approx((92.2, 4))
    assert found.excludes(50)
    assert not found.excludes(92)


def test_one_seed_has_no_spread():
    found = over_seeds([50.5])
    assert (found.mean, found.deviation, found.low, found.high, found.seeds) == (50.5, None, None, None, 1)
    assert not found.excludes(0)
