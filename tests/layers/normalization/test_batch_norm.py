"""BatchNorm: the batch's statistics, the running sums, and the stored statistics."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom, run
from tests.layers.normalization.oracles import by_channel, statistics

TEXT = "name: 'bn1' type: 'BatchNorm' batch_norm_param { moving_average_fraction: 0.75 eps: 0.25 }"
STORED = [torch.tensor(values, dtype=torch.float64) for values in ([3.0, -2.0, 5.0], [4.0, 7.0, 1.0], [2.0])]


@pytest.mark.parametrize("sizes", [(), (4,), (4, 5), (2, 4, 3)])
def test_train_normalises_by_the_batch(sizes: tuple[int, ...]) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return by_channel(bottom, *statistics(bottom), 0.25)

    check_layer(TEXT, [random_bottom(6, 3, *sizes)], oracle)


def test_train_adds_the_batch_to_the_running_sums() -> None:
    bottom = random_bottom(2, 3, 4, 5)
    layer = build(TEXT, bottom, blobs=STORED)
    means, variances = statistics(bottom.numpy())
    run(layer, bottom)
    for blob, start, batch in zip(layer.blobs, STORED, (means, variances * 40 / 39, np.ones(1)), strict=True):
        assert_close(blob, 0.75 * start.numpy() + batch)


def test_test_uses_the_running_sums_and_leaves_them() -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        return by_channel(bottom, np.array([1.5, -1.0, 2.5]), np.array([2.0, 3.5, 0.5]), 0.25)

    layer = check_layer(TEXT, [random_bottom(2, 3, 4, 5)], oracle, phase="TEST", blobs=STORED)
    for blob, start in zip(layer.blobs, STORED, strict=True):
        assert torch.equal(blob, start)


def test_sums_over_nothing_count_as_zeros() -> None:
    bottom = random_bottom(2, 3, 4)
    assert_close(run(build(TEXT, bottom, phase="TEST"), bottom)[0], bottom / 0.5)


@pytest.mark.parametrize(("phase", "given"), [("TEST", "false"), ("TRAIN", "true")])
def test_use_global_stats_overrules_the_phase(phase: str, given: str) -> None:
    text = f"type: 'BatchNorm' batch_norm_param {{ use_global_stats: {given} }}"
    layer = build(text, (2, 3, 4), phase=phase)
    run(layer, random_bottom(2, 3, 4))
    assert (layer.blobs[2].item() == 0) == (given == "true")


def test_one_axis_is_one_channel() -> None:
    bottom = random_bottom(7)
    layer = check_layer(TEXT, [bottom])
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1,), (1,), (1,)]
    assert_close(run(layer, bottom)[0], (bottom - bottom.mean()) / (bottom.var(correction=0) + 0.25).sqrt())


def test_a_single_value_has_no_variance() -> None:
    bottom = random_bottom(1, 3)
    layer = build(TEXT, bottom)
    assert_close(run(layer, bottom)[0], torch.zeros(1, 3))
    assert layer.blobs[1].tolist() == [0, 0, 0]


def test_statistics_never_learn() -> None:
    layer = build(TEXT, (2, 3, 4))
    assert layer.fixed_blobs == {0, 1, 2}
    assert not any(blob.requires_grad for blob in layer.blobs)


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT, random_bottom(2, 3, 4))
    assert_every_field_matters("type: 'BatchNorm' batch_norm_param { use_global_stats: true }", random_bottom(2, 3, 4))


def test_refuses_other_channels_than_at_setup() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'bn1' \(BatchNorm\): expected 3 channels on axis 1, got 4"):
        build(TEXT, (2, 3, 5))(random_bottom(2, 4, 5))
