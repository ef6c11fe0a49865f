"""Convolution with one group a channel, as later forks have it under two names."""

from caffe_compat.errors import FieldError
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.conv import Convolution


@register_layer("DepthwiseConvolution", "ConvolutionDepthwise")
class DepthwiseConvolution(Convolution):
    """A Convolution whose group is its number of channels, with that many outputs unless num_output says otherwise.

    From yonghenglh6/DepthwiseConvolution and sp2823/caffe.
    """

    def complete_fields(self) -> None:
        if self.groups not in (1, self.channels):
            raise FieldError(f"{self.spec}: expected group {self.channels} (one a channel) or none, got {self.groups}")
        self.groups = self.channels
        self.outputs = self.outputs or self.channels
