"""BatchNorm: the batch's statistics, the running sums, and the stored statistics; the same formulas for BN."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.normalization.batch_norm import affine_of, fold_into, normalise_by_batch, normalise_by_stored
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
    with pytest.raises(
        ShapeError, match=r"^layer 'bn1' \(BatchNorm\): expected 1 channels on axis 1, got the shape \[\]"
    ):
        build(TEXT, (7,))(random_bottom())


EPS = 0.01
MEAN, VARIANCE = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), torch.tensor([2.0, 0.5, 1.5], dtype=torch.float64)


def in_memory_order(values: Tensor, order: tuple[int, ...]) -> Tensor:
    """The same values, with the axes in this order in memory."""
    return values.permute(order).contiguous().permute([order.index(axis) for axis in range(values.dim())])


def formula(bottom: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return (bottom - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + EPS).sqrt()


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 1), (2, 3, 1, 5), (1, 3, 4, 5), (2, 3, 4, 5)])
def test_gradients_of_every_layout(shape: tuple[int, ...], stored: bool) -> None:
    values, gradient = random_bottom(*shape), random_bottom(*shape, seed=1)
    whole = values.clone().requires_grad_()
    statistics = (MEAN, VARIANCE) if stored else (whole.mean((0, 2, 3)), whole.var((0, 2, 3), correction=0))
    formula(whole, *statistics).backward(gradient)
    for order, gradients_order in itertools.product(itertools.permutations(range(4)), repeat=2):
        bottom = in_memory_order(values, order).requires_grad_()
        top = normalise_by_stored(bottom, MEAN, VARIANCE, EPS) if stored else normalise_by_batch(bottom, EPS)[0]
        top.backward(in_memory_order(gradient, gradients_order))
        assert bottom.grad is not None
        assert whole.grad is not None
        assert_close(bottom.grad, whole.grad)


@pytest.mark.parametrize("text", ["type: 'BatchNorm' batch_norm_param { eps: -1 }", "type: 'BN' bn_param { eps: -2 }"])
def test_an_eps_below_0_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match=r"^layer 'layer' \(B.*\): expected eps of at least 0, got "):
        build(text, (2, 3))


def test_one_layer_does_the_work_of_two() -> None:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(4, 3, 2, 5, generator=generator, dtype=torch.float64)
    bias, mean, gain, shift = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    variance = torch.rand(4, generator=generator, dtype=torch.float64) + 0.5
    images = torch.randn(2, 3, 6, 7, generator=generator, dtype=torch.float64)
    convolve = torch.nn.functional.conv2d

    raw = convolve(images, weight, bias)
    scaled = gain.view(-1, 1, 1) * (raw - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 0.25).sqrt()
    wanted = scaled + shift.view(-1, 1, 1)
    folded = fold_into(affine_of(mean, variance, 0.25, gain, shift), weight, bias)
    torch.testing.assert_close(convolve(images, *folded), wanted, rtol=1e-12, atol=1e-12)


def test_gain_and_biases_may_be_missing() -> None:
    mean, variance = torch.tensor([3.0, -1.0]), torch.tensor([3.75, 0.0])
    weight, bias = fold_into(affine_of(mean, variance, 0.25), torch.tensor([[2.0], [4.0]]), None)

    assert weight.tolist() == [[1.0], [8.0]]
    assert bias.tolist() == [-1.5, 2.0]
    assert weight.dtype == torch.float32


def test_statistics_of_one_row_each_are_taken_as_channels() -> None:
    slope, shift = affine_of(torch.zeros(1, 3), torch.ones(1, 3), 0.0, torch.full((1, 3), 2.0), torch.ones(1, 3))
    assert (slope.tolist(), shift.tolist()) == ([2.0] * 3, [1.0] * 3)
    assert slope.dtype == torch.float64
