"""Hypotheses about BatchNorm and BN: other statistics, or another use of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.layers.normalization.bn import is_segnet_bn
from caffe_compat.parity.causes.trial import Trial


def batch_norm(trial: Trial) -> Iterator[Trial]:
    """Yields trials for BatchNorm: without the scale factor, with the other variance, and with eps elsewhere."""
    mean, variance, factor = trial.blobs
    one = torch.ones_like(factor)
    if factor.item() not in (0.0, 1.0):
        says = f"scale factor: the other side does not divide the statistics by blob 2 ({factor.item():g})"
        yield replace(trial, blobs=(mean, variance, one), says=says)
    squared = variance.square() / torch.where(factor == 0, one, factor)
    says = "variance convention: the other side takes blob 1 for standard deviations"
    yield replace(trial, blobs=(mean, squared, factor), says=says)
    scale = torch.where(factor == 0, one, factor)
    inverse = (variance / scale).reciprocal().square() * scale
    says = "variance convention: the other side takes blob 1 for inverse standard deviations"
    yield replace(trial, blobs=(mean, inverse, factor), says=says)
    yield replace(trial, blobs=(torch.zeros_like(mean), variance, factor), says="mean: the other side leaves it out")
    yield from _stored_variances(trial)
    yield from _batch_variance(trial, trial.parameter.batch_norm_param.eps, slope=None, bias=None)
    if trial.target.kind == "blob" and trial.target.number == 1:
        yield from _biased_statistic(trial)


def _stored_variances(trial: Trial) -> Iterator[Trial]:
    """Yields trials in which the other side reads the stored variance as another quantity."""
    if trial.phase != "TEST":
        return
    mean, stored, factor = trial.blobs
    scale = torch.where(factor == 0, torch.ones_like(factor), factor)
    variance, eps = stored / scale, trial.parameter.batch_norm_param.eps
    count = trial.bottoms[0].numel() // mean.numel()
    others = {
        "variance: the other side does not divide by the deviation": torch.full_like(variance, 1 - eps),
        "variance convention: the other side's blob 1 holds inverse standard deviations, which it reads as variances": (
            variance + eps
        ).rsqrt(),
        f"variance convention: the other side has the unbiased variance of {count} values": (
            variance * count / max(count - 1, 1)
        ),
        f"variance convention: ours is the unbiased variance of {count} values, the other side's the biased one": (
            variance * (count - 1) / count
        ),
    }
    for says, other in others.items():
        yield replace(trial, blobs=(mean, other * scale, factor), says=says)
    if factor.item() not in (0.0, 1.0):
        only = "the other side divides only the {} by blob 2"
        yield replace(trial, blobs=(mean * scale, stored, factor), says="scale factor: " + only.format("variance"))
        yield replace(trial, blobs=(mean, stored * scale, factor), says="scale factor: " + only.format("mean"))


def bn(trial: Trial) -> Iterator[Trial]:
    """Yields trials for BN: another meaning of the fourth blob, and another variance."""
    if is_segnet_bn(trial.parameter):
        return
    slope, bias, mean, variance = trial.blobs
    eps = trial.parameter.bn_param.eps
    says = "variance convention: the other side takes blob 3 for inverse standard deviations (files before April 2016)"
    yield replace(trial, blobs=(slope, bias, mean, variance.reciprocal().square() - eps), says=says)
    says = "variance convention: the other side's blob 3 holds inverse standard deviations, which it reads as variances"
    yield replace(trial, blobs=(slope, bias, mean, (variance + eps).rsqrt()), says=says)
    says = "variance convention: the other side takes blob 3 for standard deviations"
    yield replace(trial, blobs=(slope, bias, mean, variance.square()), says=says)
    yield replace(
        trial, blobs=(bias, slope, mean, variance), says="order of blobs: the other side exchanges slope and bias"
    )
    yield replace(trial, phase="TRAIN", says="statistics: the other side normalises by the batch, ours by running ones")
    yield replace(
        trial, phase="TEST", says="statistics: the other side uses running ones, ours normalises by the batch"
    )
    yield from _batch_variance(trial, eps, slope, bias)
    if trial.target == replace(trial.target, kind="blob", number=3):
        yield from _biased_statistic(trial)


def _batch_variance(trial: Trial, eps: float, slope: Tensor | None, bias: Tensor | None) -> Iterator[Trial]:
    """Yields trials at TRAIN: the other side divides by the unbiased deviation, or adds eps to the deviation."""
    if trial.phase != "TRAIN" or trial.target.kind == "blob":
        return
    values = trial.bottoms[0]
    axes = [axis for axis in range(values.dim()) if axis != 1]
    unbiased = values.var(axes, unbiased=True, keepdim=True)
    biased = values.var(axes, unbiased=False, keepdim=True)
    centred = values - values.mean(axes, keepdim=True)
    for says, top in (
        ("variance convention: the other side uses the unbiased variance", centred / (unbiased + eps).sqrt()),
        ("epsilon: the other side adds it to the deviation, not to the variance", centred / (biased.sqrt() + eps)),
    ):
        yield replace(trial, finish=_given(_scaled(top, slope, bias)), says=says)


def _given(top: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda _: top


def _scaled(top: Tensor, slope: Tensor | None, bias: Tensor | None) -> Tensor:
    if slope is None or bias is None:
        return top
    shape = (1, -1, *[1] * (top.dim() - 2))
    return top * slope.view(shape) + bias.view(shape)


def _biased_statistic(trial: Trial) -> Iterator[Trial]:
    """Yields trials at TRAIN: the running variance was updated with a biased variance, or with an unbiased one."""
    values = trial.bottoms[0]
    count = values.numel() // values.shape[1]
    before = trial.blobs[trial.target.number]
    parameter = trial.parameter
    is_bn = parameter.type == "BN"
    kept = parameter.bn_param.momentum if is_bn else parameter.batch_norm_param.moving_average_fraction
    correction = count / (count - 1) if is_bn else (count - 1) / count
    says = f"variance convention: the other side accumulates the {'unbiased' if is_bn else 'biased'} variance"

    def convert(after: Tensor) -> Tensor:
        return before * kept + (after - before * kept) * correction

    yield replace(trial, finish=convert, says=says)
