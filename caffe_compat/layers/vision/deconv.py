"""Caffe's Deconvolution."""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import conv_transpose1d, conv_transpose2d, conv_transpose3d

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.base import Reach, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.conv import BaseConvolution
from caffe_compat.proto import caffe_pb2

DECONVOLUTIONS = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}


@register_layer("Deconvolution")
class Deconvolution(BaseConvolution):
    """The transpose of a Convolution: each bottom value adds its multiple of a kernel to a window of the top.

    The weight is (in, out / group, *kernel).
    """

    known_to = BVLC_AND_SRN
    example = "convolution_param { num_output: 1 kernel_size: 1 }"
    blob_names = ("weight", "bias")

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return (blob[0], *[None] * (len(blob) - 2))

    def setup(self, *bottom_shapes: Shape) -> None:
        super().setup(*bottom_shapes)
        if self.window.axes > max(DECONVOLUTIONS):
            raise MissingFeatureError(f"{self.spec}: expected at most 3 spatial axes, got {self.window.axes}")

    def kernels_and_depth(self) -> tuple[int, int]:
        return self.channels, self.outputs // self.groups

    def output_sizes(self, sizes: Sequence[int]) -> list[int]:
        return self.window.deconvolved(sizes)

    def swept_shapes(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> Sequence[Shape]:
        """The bottoms: a kernel is applied for each bottom value."""
        return bottom_shapes

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        """The number of kernels that overlap at a top place; the top has `stride` places per bottom place."""
        if not self.window.axes:
            return Reach()
        extent = self.window.dilation[-1] * (self.window.kernel[-1] - 1) + 1
        return Reach(math.ceil(extent / self.window.stride[-1]))

    def convolve(self, bottom: Tensor) -> Tensor:
        window = self.window
        if not window.axes:
            return conv_transpose1d(bottom[..., None], self.blobs[0][..., None], self.bias_blob(), groups=self.groups)[
                ..., 0
            ]
        deconvolution = DECONVOLUTIONS[window.axes]
        return deconvolution(
            bottom, self.blobs[0], self.bias_blob(), window.stride, window.pad, 0, self.groups, window.dilation
        )
