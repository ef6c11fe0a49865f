"""Correlation of neurons with places."""

import numpy as np
import pytest
from scipy import stats

from caffe_compat.experiments.analysis.neurons import correlate


def drawn(images=90):
    """Neuron 0 follows the vertical place of label 1, neuron 1 is noise, neuron 2 is constant; label 2 is rare."""
    random = np.random.default_rng(5)
    centres = random.uniform(0, 104, (images, 3, 2))
    centres[::3, 1] = np.nan
    centres[7:, 2] = np.nan
    neurons = random.standard_normal((images, 3))
    neurons[:, 0] += 0.1 * np.nan_to_num(centres[:, 1, 0])
    neurons[:, 2] = 4
    return neurons, centres


def test_r_and_p_are_pearsons_times_the_pairs_tried():
    neurons, centres = drawn()
    found = correlate(neurons, centres)
    has = ~np.isnan(centres[:, 1, 0])
    expected = stats.pearsonr(neurons[has, 0], centres[has, 1, 0])
    assert found.r[0, 1, 0] == pytest.approx(expected.statistic)
    assert found.tried == 2 * 2 * 2  # two neurons that vary, two labels with enough images, two axes
    assert found.p[0, 1, 0] == pytest.approx(8 * expected.pvalue, rel=1e-6)
    assert found.interval((0, 1, 0)) == pytest.approx(expected.confidence_interval(0.95))
    assert found.images.tolist() == [90, 60, 7]


def test_only_what_is_certain_counts():
    found = correlate(*drawn())
    assert found.certain == 1
    assert found.strongest(5)[0] == (0, 1, 0)
    assert [neuron for neuron, _, _ in found.strongest(5)] == [0, 1]
    assert np.isnan(found.r[2]).all()
    assert np.isnan(found.r[:, 2]).all()


def test_noise_is_not_certain():
    random = np.random.default_rng(8)
    found = correlate(random.standard_normal((200, 60)), random.uniform(0, 104, (200, 5, 2)))
    assert (found.certain, found.tried) == (0, 600)
