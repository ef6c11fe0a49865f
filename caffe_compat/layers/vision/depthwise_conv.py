"""Convolutions with one group per channel: two variants of later forks."""

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Shape
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.proto import caffe_pb2


@register_layer("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """A Convolution with one group per channel; num_output defaults to the number of channels.

    From yonghenglh6/DepthwiseConvolution.
    """

    known_to = ("MobileNet forks",)
    example = "convolution_param { num_output: 1 kernel_size: 1 }"
    blob_names = ("weight", "bias")

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        group = parameter.convolution_param.group
        return (group if group > 1 else blob[0], *[None] * (len(blob) - 2))

    def complete_fields(self) -> None:
        if self.groups not in (1, self.channels):
            raise FieldError(f"{self.spec}: expected group {self.channels} (one a channel) or none, got {self.groups}")
        self.groups = self.channels
        self.outputs = self.outputs or self.channels


@register_layer("ConvolutionDepthwise")
class ConvolutionDepthwise(DepthwiseConvolution):
    """A DepthwiseConvolution with one output per channel; another num_output is refused.

    That Caffe never reads num_output, so a different number would mislead. From sp2823/caffe (conv_dw_layer.cpp).
    """

    known_to = ("MobileNet forks",)
    example = "convolution_param { num_output: 1 kernel_size: 1 }"
    blob_names = ("weight", "bias")

    def complete_fields(self) -> None:
        super().complete_fields()
        if self.outputs != self.channels:
            raise FieldError(
                f"{self.spec}: expected num_output {self.channels} (one a channel) or none, got {self.outputs}; "
                "DepthwiseConvolution has more outputs a channel"
            )
