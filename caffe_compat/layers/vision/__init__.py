"""Caffe's vision layers."""

from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.vision.crop import Crop
from caffe_compat.layers.vision.deconv import Deconvolution
from caffe_compat.layers.vision.depthwise_conv import ConvolutionDepthwise, DepthwiseConvolution
from caffe_compat.layers.vision.im2col import Im2col
from caffe_compat.layers.vision.interp import Interp
from caffe_compat.layers.vision.pooling import Pooling
from caffe_compat.layers.vision.prior_box import PriorBox
from caffe_compat.layers.vision.roi_pooling import ROIPooling
from caffe_compat.layers.vision.spp import SPP
from caffe_compat.layers.vision.upsample import Upsample

__all__ = [
    "SPP",
    "Convolution",
    "ConvolutionDepthwise",
    "Crop",
    "Deconvolution",
    "DepthwiseConvolution",
    "Im2col",
    "Interp",
    "Pooling",
    "PriorBox",
    "ROIPooling",
    "Upsample",
]
