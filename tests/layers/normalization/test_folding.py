"""A linear layer and the normalisation behind it as one linear layer."""

import torch

from caffe_compat.layers.normalization.folding import affine_of, fold_into


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
