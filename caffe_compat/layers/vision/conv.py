"""Caffe's Convolution."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, conv3d

from caffe_compat.layers.base import Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.base_conv import BaseConvolution
from caffe_compat.layers.vision.windowed import image_columns
from caffe_compat.layers.zero_sums import add_bias, sums_are_careful
from caffe_compat.proto import caffe_pb2

#: torch's convolution by number of spatial axes; other numbers of axes use image_columns.
CONVOLUTIONS = {1: conv1d, 2: conv2d, 3: conv3d}


@register_layer("Convolution")
class Convolution(BaseConvolution):
    """Correlates every window with the kernels and adds a bias; output sizes round toward zero."""

    known_to: ClassVar[tuple[str, ...]] = BVLC_AND_SRN
    meanings = (
        Meaning(
            "BVLC",
            "dilation",
            "dilation",
        ),
        Meaning(
            "DeepLab",
            "the same",
            "hole, or hole_h and hole_w",
            "becomes dilation",
        ),
        Meaning(
            "TSN",
            "the same",
            "dilation_h and dilation_w",
            "refused: write dilation twice",
        ),
        Meaning(
            "Intel",
            "ReLU and sums within the layer",
            "relu, fusion_type",
            "refused: write the layers that were merged",
        ),
    )
    example = "convolution_param { num_output: 1 kernel_size: 1 }"
    blob_names = ("weight", "bias")
    backward_reads_top = False

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return (blob[1] * parameter.convolution_param.group, *[None] * (len(blob) - 2))

    def kernels_and_depth(self) -> tuple[int, int]:
        return self.outputs, self.channels // self.groups

    def output_sizes(self, sizes: Sequence[int]) -> list[int]:
        return self.window.convolved(sizes)

    def convolve(self, bottom: Tensor) -> Tensor:
        return self.convolve_with(bottom, self.blobs[0], self.bias_blob())

    def convolve_with(self, bottom: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The same convolution with the given weight and bias in place of the layer's."""
        if bias is not None and bias.requires_grad and sums_are_careful():
            return add_bias(self.convolve_with(bottom, weight, None), bias)
        sizes = bottom.shape[2:]
        # If the window covers the input, a matrix product is several times faster (SRN's 14x14 kernels).
        # Not while compiling: sizes may be symbolic there, and the compiler selects its own algorithm.
        is_product = not torch.compiler.is_compiling() and self.window.covers(sizes)
        if self.window.axes not in CONVOLUTIONS or is_product:
            return self._convolve_columns(bottom, weight, bias)
        window = self.window
        convolution, bottom = CONVOLUTIONS[window.axes], window.completed(bottom)
        return convolution(bottom, weight, bias, window.stride, window.pad, window.dilation, self.groups)

    def _convolve_columns(self, bottom: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        window, sizes = self.window, bottom.shape[2:]
        # The matrix product needs each group's values next to each other, so channels-last images are copied.
        columns = bottom.contiguous() if window.covers(sizes) else image_columns(bottom, window)
        weight = weight.reshape(self.groups, self.outputs // self.groups, -1)
        columns = columns.reshape(bottom.shape[0], self.groups, weight.shape[2], -1)
        top = torch.einsum("ngkw,gok->ngow", columns, weight).reshape(bottom.shape[0], self.outputs, -1)
        if bias is not None:
            top = top + bias[:, None]
        return top.reshape(*top.shape[:2], *window.convolved(sizes))
