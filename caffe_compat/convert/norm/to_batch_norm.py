"""Converts the SRN fork's BN to BVLC's BatchNorm and Scale: the same numbers in other blobs.

BN holds slope, bias, mean and variance. Scale holds slope and bias; BatchNorm holds mean and variance times a factor.
The factor is 1 here, so BatchNorm's division changes no bit. A conversion back (to_bn.py) gives identical bits.
Further training differs: BatchNorm's running sums use an unbiased variance, and BN a biased one.
"""

import numpy as np

from caffe_compat.convert.model import Layer, Model
from caffe_compat.convert.report import ConversionReport
from caffe_compat.layers.normalization.bn import is_segnet_bn
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob

FIXED = caffe_pb2.ParamSpec(lr_mult=0, decay_mult=0)


def bn_to_batch_norm(model: Model, report: ConversionReport) -> Model:
    """Returns the model with each BN replaced by a BatchNorm of the same name and a Scale behind it."""
    layers: list[Layer] = []
    blobs = dict(model.blobs)
    taken = {layer.name for layer in model.net.layer}
    for layer in model.net.layer:
        if layer.type != "BN" or is_segnet_bn(layer):
            layers.append(layer)
            continue
        scale_name = _free_name(layer.name, taken)
        taken.add(scale_name)
        layers += [_batch_norm(layer), _scale(layer, scale_name)]
        if layer.name in blobs:
            blobs[layer.name], blobs[scale_name] = _split(blobs[layer.name])
        report.replaced([layer.name], [layer.name, scale_name], "BN as BatchNorm (factor 1) + Scale, bit-exact")
    return model.with_layers(layers, blobs)


def _free_name(name: str, taken: set[str]) -> str:
    """Returns an unused name for the Scale behind a BN, as in public ResNets: scale2a_branch1 for bn2a_branch1."""
    wanted = name.replace("bn", "scale", 1) if name.startswith("bn") else f"{name}_scale"
    while wanted in taken:
        wanted += "_scale"
    return wanted


def _split(blobs: list[Blob]) -> tuple[list[Blob], list[Blob]]:
    slope, bias, mean, variance = (blob.reshape(-1) for blob in blobs)
    return [mean, variance, np.ones(1, np.float32)], [slope, bias]


def _batch_norm(bn: Layer) -> Layer:
    layer = _like(bn, bn.name, "BatchNorm")
    layer.bottom[:] = bn.bottom
    field = layer.batch_norm_param
    if bn.bn_param.HasField("eps"):
        field.eps = bn.bn_param.eps
    # Always written, since the defaults of BN and BatchNorm differ: 0.9 and 0.999.
    field.moving_average_fraction = bn.bn_param.momentum
    if bn.bn_param.frozen:
        field.use_global_stats = True
    if bn.param:
        layer.param.extend([FIXED] * 3)
    return layer


def _scale(bn: Layer, name: str) -> Layer:
    layer = _like(bn, name, "Scale")
    layer.bottom[:] = bn.top
    layer.scale_param.bias_term = True
    layer.scale_param.filler.CopyFrom(bn.bn_param.slope_filler)
    layer.scale_param.bias_filler.CopyFrom(bn.bn_param.bias_filler)
    layer.param.extend([FIXED] * 2 if bn.bn_param.frozen else bn.param[:2])
    return layer


def _like(bn: Layer, name: str, kind: str) -> Layer:
    """Returns a layer of another type with the BN's top, phase and include and exclude rules."""
    layer = Layer(name=name, type=kind, top=bn.top, include=bn.include, exclude=bn.exclude)
    if bn.HasField("phase"):
        layer.phase = bn.phase
    return layer
