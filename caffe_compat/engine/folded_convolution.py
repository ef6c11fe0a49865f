"""Convolutions whose weights include a normalisation: made once, and again when a weight has changed."""

from typing import cast

from torch import Tensor

from caffe_compat.engine.watched_weights import MadeOfWeights
from caffe_compat.layers.base import Layer
from caffe_compat.layers.normalization.batch_norm import BatchNorm, affine_of, fold_into
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.vision.conv import Convolution


class FoldedConvolution:
    """Runs a convolution whose weight and bias include a normalisation."""

    def __init__(self, convolution: Convolution, behind: list[Layer]) -> None:
        self._convolution = convolution
        self._weights = MadeOfWeights([convolution, *behind], lambda: fold(convolution, *behind))

    def __call__(self, bottom: Tensor) -> Tensor:
        return self._convolution.convolve_with(bottom, *self._weights())


def fold(convolution: Layer, norm: Layer, scale: Layer | None = None) -> tuple[Tensor, Tensor]:
    """Returns weight and bias of one convolution equal to convolution, normalisation and Scale."""
    weight, *bias = convolution.blobs
    return fold_into(_affine(norm, scale), weight, bias[0] if bias else None)


def _affine(norm: Layer, scale: Layer | None) -> tuple[Tensor, Tensor]:
    """Returns slope and shift per channel, shape (C,), of a normalisation and the Scale behind it."""
    if isinstance(norm, BatchNorm):
        return affine_of(*norm.stored_statistics(), norm.eps, *(scale.blobs if scale is not None else ()))
    gain, bias, mean, variance = norm.blobs
    eps = cast(BN, norm).eps  # `_by_stored_statistics` lets no third type through
    return affine_of(mean, variance, eps, gain, bias)
