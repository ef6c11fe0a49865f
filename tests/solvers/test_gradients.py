"""Clipping, normalising and regularising beside plain loops."""

import math

import pytest
import torch

from caffe_compat.errors import SolverError
from caffe_compat.solvers.gradients import check_regularization, clip, normalise, regularise


def tensors(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (2, 1, 3))]


def test_clip_scales_to_the_norm_over_all_gradients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gradients, before = tensors(1), tensors(1)
    norm = math.sqrt(sum(float(value) ** 2 for gradient in before for value in gradient.flatten()))
    clip(gradients, 0.5)
    torch.testing.assert_close(gradients, [gradient * (0.5 / norm) for gradient in before])
    assert caplog.messages == [
        f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > 0.5) by scale factor {0.5 / norm:g}"
    ]


@pytest.mark.parametrize("largest", [-1.0, 100.0])
def test_clip_leaves_small_gradients(largest: float) -> None:
    gradients = tensors(2)
    clip(gradients, largest)
    assert all(map(torch.equal, gradients, tensors(2)))


def test_normalise_divides_by_iter_size() -> None:
    gradients = tensors(3)
    normalise(gradients, 4)
    torch.testing.assert_close(gradients, [gradient / 4 for gradient in tensors(3)])


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_regularise_adds_each_weights_own_decay(kind: str) -> None:
    gradients, weights, decays = tensors(4), tensors(5), [0.3, 0.0, 0.7]
    regularise(gradients, weights, decays, kind)
    for gradient, before, weight, decay in zip(gradients, tensors(4), weights, decays, strict=True):
        penalty = weight if kind == "L2" else weight.sign()
        torch.testing.assert_close(gradient, before + decay * penalty)


def test_another_regularization_is_refused() -> None:
    with pytest.raises(SolverError, match=r"^Unknown regularization type: 'L3'; expected one of: L1, L2"):
        check_regularization("L3")
