"""Dropout: which share it drops, what it scales, and that TEST passes through."""

import pytest
import torch

from caffe_compat.errors import FieldError
from tests.layers.harness import assert_every_field_matters, build, check_layer, random_bottom, run

TEXT = "name: 'drop6' type: 'Dropout' dropout_param { dropout_ratio: 0.25 }"


def test_train_drops_a_share_and_scales_the_rest() -> None:
    bottom = torch.ones(100, 200, dtype=torch.float64)
    (top,) = run(build(TEXT, bottom), bottom)
    assert sorted(top.unique().tolist()) == [0, pytest.approx(4 / 3)]
    assert abs(float((top == 0).double().mean()) - 0.25) < 0.0125  # four deviations of 20 000 draws


def test_unscaled_training_is_scaled_at_test() -> None:
    text = TEXT.replace("0.25", "0.25 scale_train: false")
    bottom = torch.ones(50, 20, dtype=torch.float64)
    (top,) = run(build(text, bottom), bottom)
    assert sorted(top.unique().tolist()) == [0, pytest.approx(1)]
    check_layer(text, [random_bottom(2, 3, 4)], lambda _, bottom: bottom * 0.75, phase="TEST")


def test_holds_what_every_layer_holds() -> None:
    check_layer(TEXT, [random_bottom(2, 3, 4)])
    check_layer(TEXT, [random_bottom(2, 3, 4)], lambda _, bottom: bottom, phase="TEST")


def test_bayesian_segnets_samples_at_test() -> None:
    bottom = torch.ones(100, 200, dtype=torch.float64)
    (top,) = run(build(TEXT.replace("0.25", "0.25 sample_weights_test: true"), bottom, phase="TEST"), bottom)
    assert sorted(top.unique().tolist()) == [0, pytest.approx(4 / 3)]
    assert abs(float((top == 0).double().mean()) - 0.25) < 0.0125


def test_draws_from_the_global_generator() -> None:
    bottom = random_bottom(50, 3)
    layer = build(TEXT, bottom)
    torch.manual_seed(7)
    first, second = layer(bottom), layer(bottom)
    torch.manual_seed(7)
    assert torch.equal(layer(bottom), first)
    assert not torch.equal(second, first)


def test_every_field_matters() -> None:
    assert_every_field_matters(TEXT.replace("0.25", "0.25 scale_train: false"), random_bottom(2, 30))
    sampling = TEXT.replace("0.25", "0.25 sample_weights_test: true")
    assert_every_field_matters(sampling, random_bottom(2, 30), phase="TEST")


@pytest.mark.parametrize("ratio", [1, -0.5])
def test_refuses_ratios(ratio: float) -> None:
    message = rf"^layer 'drop6' \(Dropout\): expected dropout_ratio from 0 to below 1, got {ratio}"
    with pytest.raises(FieldError, match=message):
        build(TEXT.replace("0.25", str(ratio)), (2, 3))
