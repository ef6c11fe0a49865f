"""Two layers named BN: the one of SRN's and PSPNet's Caffe, and the one of SegNet."""

from typing import Self

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, channels_of_image, require_channels
from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.normalization.batch_norm import (
    accumulate,
    normalise_by_batch,
    normalise_by_stored,
    require_eps,
)
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_four_axes
from caffe_compat.proto import caffe_pb2

SEGNET_FIELDS = ("scale_filler", "shift_filler", "bn_mode")


def is_segnet_bn(parameter: caffe_pb2.LayerParameter) -> bool:
    """Whether a BN layer is SegNet's; only its fields show the difference."""
    return parameter.type == "BN" and any(parameter.bn_param.HasField(field) for field in SEGNET_FIELDS)


@register_layer("BN")
class BN(Layer):
    """Top slope * (x - mean) / sqrt(variance + eps) + bias per channel.

    Blobs (1, C): slope, bias, running mean, running variance. TRAIN normalises with the batch and updates the running
    statistics: running = momentum * running + (1 - momentum) * batch, with the biased variance. TEST and `frozen`
    normalise with the running statistics; `frozen` also fixes slope and bias.

    From yjxiong/caffe (bn_layer.cpp). Backward at TEST differs: the fork uses the formula for batches there. SegNetBN
    runs instead if bn_param has scale_filler, shift_filler or bn_mode.
    """

    known_to = (SRN_FORK, "PSPNet", "SegNet")
    meanings = (
        Meaning(
            "SRN, TSN, PSPNet",
            "slope, bias, mean and variance; momentum, frozen",
            "bn_param with none of SegNet's fields",
        ),
        Meaning(
            "SegNet, ENet, DeconvNet",
            "scale and shift, which hold the statistics too in bn_mode INFERENCE",
            "scale_filler, shift_filler or bn_mode",
        ),
        Meaning(
            "PSPNet, TSN (some weights)",
            "blob 3 holds 1 / sqrt(variance + eps)",
            "the values of blob 3",
            "told by the values; bn_statistics settles it",
        ),
    )
    blob_names = ("weight", "bias", "running_mean", "running_var")
    backward_reads_top = False
    keeps_shape = True

    @classmethod
    def variant(cls, spec: LayerSpec) -> type[Layer]:
        return SegNetBN if is_segnet_bn(spec.parameter) else cls

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return channels_of_image(blob)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("bn_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.is_frozen: bool = params.frozen
        self.momentum: float = params.momentum
        self.eps: float = require_eps(spec, params.eps)
        self.slope_filler = params.slope_filler
        self.bias_filler = params.bias_filler
        self.fixed_blobs = frozenset(range(4)) if self.is_frozen else frozenset({2, 3})

    def train(self, mode: bool = True) -> Self:
        return super().train(mode and not self.is_frozen)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        if len(shape) < 2:
            raise ShapeError(f"{self.spec}: expected at least 2 axes (num, channels, ...), got {list(shape)}")
        self.channels = shape[1]
        variance_filler = caffe_pb2.FillerParameter(type="constant", value=float(self.is_frozen))
        fillers = (self.slope_filler, self.bias_filler, None, variance_filler)
        for index, filler in enumerate(fillers):
            self.add_blob((1, self.channels), filler, learnable=index not in self.fixed_blobs)

    def forward(self, bottom: Tensor) -> Tensor:
        require_channels(self.spec, bottom.shape, self.channels)
        slope, bias, mean, variance = (blob if blob is None else blob.view(-1) for blob in self.blobs)
        if self.is_frozen or self.phase == "TEST":
            return normalise_by_stored(bottom, mean, variance, self.eps, slope, bias)
        top, *statistics = normalise_by_batch(bottom, self.eps, slope, bias)
        shares = [(1 - self.momentum) * statistic for statistic in statistics]
        accumulate(self.spec, self.blobs[2:], shares, self.momentum)
        return top


class SegNetBN(Layer):
    """Top scale * (x - mean) / sqrt(variance + 1e-9) + shift, with the batch's statistics in both phases.

    Blobs (1, C, 1, 1): scale, shift. `bn_mode: INFERENCE` computes scale * x + shift: SegNet's script stores the
    statistics of the training data in both blobs. From alexgkendall/caffe-segnet (bn_layer.cpp).
    """

    keeps_shape = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("bn_param")
        self.uses_batch: bool = params.bn_mode == "LEARN"
        self.eps = 1e-9
        self.fillers = (params.scale_filler, params.shift_filler)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        require_four_axes(self.spec, shape)
        for filler in self.fillers:
            self.add_blob((1, shape[1], 1, 1), filler)

    def forward(self, bottom: Tensor) -> Tensor:
        scale: Tensor = self.blobs[0]
        shift: Tensor = self.blobs[1]
        if bottom.dim() != 4 or bottom.shape[1] != scale.shape[1]:
            raise ShapeError(
                f"{self.spec}: expected {scale.shape[1]} channels on axis 1 of 4, got {list(bottom.shape)}"
            )
        if not self.uses_batch:
            return bottom * scale + shift
        return normalise_by_batch(bottom, self.eps, scale.view(-1), shift.view(-1))[0]
