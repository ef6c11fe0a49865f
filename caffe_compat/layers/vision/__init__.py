"""Caffe's vision layers."""

from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.vision.crop import Crop
from caffe_compat.layers.vision.deconv import Deconvolution
from caffe_compat.layers.vision.depthwise_conv import ConvolutionDepthwise, DepthwiseConvolution
from caffe_compat.layers.vision.im2col import Im2col
from caffe_compat.layers.vision.imresize import ImResize
from caffe_compat.layers.vision.interp import Interp
from caffe_compat.layers.vision.mask_pooling import MaskPooling
from caffe_compat.layers.vision.mask_resize import MaskResize
from caffe_compat.layers.vision.pooling import Pooling
from caffe_compat.layers.vision.prior_box import PriorBox
from caffe_compat.layers.vision.psroi_pooling import PSROIPooling
from caffe_compat.layers.vision.reorg import Reorg
from caffe_compat.layers.vision.roi_pooling import ROIPooling
from caffe_compat.layers.vision.roi_warping import ROIWarping
from caffe_compat.layers.vision.spp import SPP
from caffe_compat.layers.vision.unpooling import Unpooling
from caffe_compat.layers.vision.upsample import Upsample

__all__ = [
    "SPP",
    "Convolution",
    "ConvolutionDepthwise",
    "Crop",
    "Deconvolution",
    "DepthwiseConvolution",
    "Im2col",
    "ImResize",
    "Interp",
    "MaskPooling",
    "MaskResize",
    "PSROIPooling",
    "Pooling",
    "PriorBox",
    "ROIPooling",
    "ROIWarping",
    "Reorg",
    "Unpooling",
    "Upsample",
]
