"""Layers that OpenCV's Caffe importer lacks, said with layers that it has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caffe_compat.layers.base import Shape
from caffe_compat.proto import caffe_pb2

Layer = caffe_pb2.LayerParameter
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Rewrite:
    """Layers with their blobs in place of one layer, and what to say about it. The last one makes the old top."""

    layers: list[Layer]
    blobs: dict[str, list[Array]] = field(default_factory=dict)
    note: str = ""


def rewrite_bn(layer: Layer, blobs: list[Array], bottom: Shape) -> Rewrite:
    """The fork's BN as BatchNorm with Scale: (x - mean) / sqrt(variance + eps) * slope + bias."""
    slope, bias, mean, variance = (blob.ravel() for blob in blobs)
    norm = _layer(f"{layer.name}/batch_norm", "BatchNorm", layer.bottom, [f"{layer.top[0]}/normalised"])
    norm.batch_norm_param.eps = layer.bn_param.eps
    norm.batch_norm_param.use_global_stats = True
    scale = _layer(layer.name, "Scale", norm.top, layer.top)
    scale.scale_param.bias_term = True
    ones = np.ones(1, np.float32)
    return Rewrite(
        [norm, scale], {norm.name: [mean, variance, ones], layer.name: [slope, bias]}, "BN as BatchNorm + Scale"
    )


def rewrite_reduction(layer: Layer, blobs: list[Array], bottom: Shape) -> Rewrite | None:
    """A sum or mean over the space of (N, C, H, W) as global average pooling; OpenCV cannot run Reduction."""
    operation = caffe_pb2.ReductionParameter.ReductionOp.Name(layer.reduction_param.operation)
    if len(bottom) != 4 or layer.reduction_param.axis not in (2, -2) or operation not in ("SUM", "MEAN"):
        return None
    pool = _layer(f"{layer.name}/pool", "Pooling", layer.bottom, [f"{layer.top[0]}/mean"])
    pool.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    pool.pooling_param.global_pooling = True
    flat = _layer(f"{layer.name}/flat", "Flatten", pool.top, [f"{layer.top[0]}/flat"])
    power = _layer(layer.name, "Power", flat.top, layer.top)
    power.power_param.scale = layer.reduction_param.coeff * (bottom[2] * bottom[3] if operation == "SUM" else 1)
    return Rewrite([pool, flat, power], note="Reduction as global average Pooling + Power")


REWRITES: dict[str, Callable[[Layer, list[Array], Shape], Rewrite | None]] = {
    "BN": rewrite_bn,
    "Reduction": rewrite_reduction,
}


def _layer(name: str, type_: str, bottoms: Any, tops: Any) -> Layer:
    return Layer(name=name, type=type_, bottom=list(bottoms), top=list(tops))
