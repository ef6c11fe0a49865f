"""BN of the SRN fork: batch statistics, moving averages, and the frozen form; and SegNet's BN."""

import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom, run
from tests.layers.normalization.oracles import by_channel, statistics

FILLERS = "slope_filler { type: 'gaussian' mean: 1 std: 0.3 } bias_filler { type: 'uniform' min: -1 max: 2 }"
BLOBS = [
    torch.tensor([values], dtype=torch.float64)
    for values in ([1.5, -0.5, 2.0], [0.3, 0.2, -0.7], [1.0, -2.0, 3.0], [0.5, 2.0, 4.0])
]


def bn(fields: str = "") -> str:
    return f"name: 'bn1' type: 'BN' bn_param {{ eps: 0.25 momentum: 0.625 {FILLERS} {fields} }}"


def affine(top: Array, slope: Array, bias: Array) -> Array:
    axes = [1] * (top.ndim - 2)
    mapped: Array = top * slope.reshape(1, -1, *axes) + bias.reshape(1, -1, *axes)
    return mapped


def by_running(blobs: list[Array], bottom: Array) -> Array:
    slope, bias, mean, variance = blobs
    return affine(by_channel(bottom, mean[0], variance[0], 0.25), slope, bias)


@pytest.mark.parametrize("sizes", [(), (4, 5)])
def test_train_normalises_by_the_batch(sizes: tuple[int, ...]) -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return affine(by_channel(bottom, *statistics(bottom), 0.25), blobs[0], blobs[1])

    layer = check_layer(bn(), [random_bottom(6, 3, *sizes)], oracle)
    assert layer.fixed_blobs == {2, 3}
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1, 3)] * 4


def test_train_moves_the_running_statistics() -> None:
    bottom = random_bottom(2, 3, 4, 5)
    layer = build(bn(), bottom, blobs=BLOBS)
    run(layer, bottom)
    for blob, start, batch in zip(layer.blobs[2:], BLOBS[2:], statistics(bottom.numpy()), strict=True):
        assert_close(blob, 0.625 * start.numpy() + 0.375 * batch)


@pytest.mark.parametrize(("fields", "phase"), [("", "TEST"), ("frozen: true", "TRAIN"), ("frozen: true", "TEST")])
def test_running_statistics_in_use(fields: str, phase: str) -> None:
    layer = check_layer(bn(fields), [random_bottom(2, 3, 4, 5)], by_running, phase=phase, blobs=BLOBS)
    for blob, start in zip(layer.blobs, BLOBS, strict=True):
        assert torch.equal(blob, start)


def test_frozen_fixes_all_and_starts_at_variance_one() -> None:
    layer = build(bn("frozen: true"), (2, 3, 4))
    assert layer.fixed_blobs == {0, 1, 2, 3}
    assert not any(blob.requires_grad for blob in layer.blobs)
    assert layer.blobs[3].tolist() == [[1, 1, 1]]


def test_without_fillers_slope_and_bias_are_zero() -> None:
    layer = build("type: 'BN'", (2, 3, 4))
    assert all(not blob.any() for blob in layer.blobs)


def test_every_field_matters() -> None:
    assert_every_field_matters(bn("engine: CAFFE"), random_bottom(2, 3, 4), without_effect=["engine"])
    assert_every_field_matters(f"type: 'BN' bn_param {{ frozen: true {FILLERS} }}", random_bottom(2, 3, 4))


def test_refuses_other_channels_than_at_setup() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'bn1' \(BN\): expected 3 channels on axis 1, got 4"):
        build(bn(), (2, 3, 5))(random_bottom(2, 4, 5))
    with pytest.raises(ShapeError, match=r"^layer 'bn1' \(BN\): expected 3 channels on axis 1, got the shape \[30\]"):
        build(bn(), (2, 3, 5))(random_bottom(30))


SEGNET = "scale_filler { type: 'gaussian' mean: 1 std: 0.3 } shift_filler { type: 'uniform' min: -1 max: 2 }"


def segnet_bn(fields: str = "") -> str:
    return f"name: 'bn1' type: 'BN' bn_param {{ {SEGNET} {fields} }}"


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_segnets_normalises_by_the_batch_in_both_phases(phase: str) -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return affine(by_channel(bottom, *statistics(bottom), 1e-9), blobs[0], blobs[1])

    layer = check_layer(segnet_bn(), [random_bottom(2, 3, 4, 5)], oracle, phase=phase)
    assert [tuple(blob.shape) for blob in layer.blobs] == [(1, 3, 1, 1)] * 2
    assert not layer.fixed_blobs


def test_segnets_inference_scales_and_shifts() -> None:
    def oracle(blobs: list[Array], bottom: Array) -> Array:
        return affine(bottom, blobs[0], blobs[1])

    check_layer(segnet_bn("bn_mode: INFERENCE"), [random_bottom(2, 3, 4, 5)], oracle, phase="TEST")


def test_every_field_of_segnets_matters() -> None:
    assert_every_field_matters(segnet_bn("bn_mode: INFERENCE"), random_bottom(2, 3, 4, 5))


@pytest.mark.parametrize(
    ("fields", "field"), [("momentum: 0.9", "momentum"), ("eps: 0.1", "eps"), ("frozen: true", "frozen")]
)
def test_segnets_refuses_the_other_ones_fields(fields: str, field: str) -> None:
    with pytest.raises(FieldError, match=rf"^layer 'bn1' \(BN\): bn_param.{field} is set but BN does not honour it"):
        build(segnet_bn(fields), (2, 3, 4, 5))


def test_segnets_refuses_other_shapes() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'bn1' \(BN\): expected 4 axes .* got \[2, 3\]"):
        build(segnet_bn(), (2, 3))
    with pytest.raises(
        ShapeError, match=r"^layer 'bn1' \(BN\): expected 3 channels on axis 1 of 4, got \[2, 4, 5, 6\]"
    ):
        build(segnet_bn(), (2, 3, 5, 6))(random_bottom(2, 4, 5, 6))
