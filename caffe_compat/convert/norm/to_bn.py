"""Converts BVLC's BatchNorm and Scale to the SRN fork's BN.

The statistics are multiplied by 1 / factor in float32, as BatchNorm does in each forward; a factor of 0 gives 0. So BN
normalises by exactly the same numbers. If the factor is a power of two, such as 1, a conversion back loses no bit. For
other factors the original sums cannot be restored, because BN cannot store the factor.
"""

from dataclasses import dataclass

import numpy as np

from caffe_compat.convert.model import Layer, Model, scale_behind
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError
from caffe_compat.graph.wiring import Wiring
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob


@dataclass(frozen=True)
class _Pair:
    norm: Layer
    scale: Layer | None


def batch_norm_to_bn(model: Model, report: ConversionReport) -> Model:
    """Returns the model with each BatchNorm, and its Scale if present, replaced by a BN of the BatchNorm's name."""
    source = list(model.net.layer)
    wiring = Wiring.of_layers(source)
    norms = [index for index, layer in enumerate(source) if layer.type == "BatchNorm"]
    scales = {index: scale_behind(source, wiring, index) for index in norms}
    gone = {index for index in scales.values() if index is not None}
    layers: list[Layer] = []
    blobs = {layer.name: model.blobs[layer.name] for layer in source if layer.name in model.blobs}
    for index, layer in enumerate(source):
        if index in scales:
            scale_index = scales[index]
            pair = _Pair(layer, None if scale_index is None else source[scale_index])
            layers.append(_bn(pair))
            _join_blobs(model, pair, blobs, report)
        elif index not in gone:
            layers.append(layer)
    return model.with_layers(layers, blobs)


def _join_blobs(model: Model, pair: _Pair, blobs: dict[str, list[Blob]], report: ConversionReport) -> None:
    names = [pair.norm.name] + ([pair.scale.name] if pair.scale else [])
    if pair.norm.name in blobs:
        norm_blobs, scale_blobs = model.blobs[names[0]], model.blobs[names[1]] if pair.scale else []
        blobs[names[0]] = joined(norm_blobs, scale_blobs)
        report.replaced(names, names[:1], f"{_types(pair)} as BN, {_exactness(norm_blobs[2])}")
    for name in names[1:]:
        blobs.pop(name, None)


def joined(norm: list[Blob], scale: list[Blob]) -> list[Blob]:
    """Returns BN's four blobs, each (1, C): slope, bias, mean, variance; slope 1 and bias 0 if there is no Scale."""
    mean, variance = stored_statistics(norm)
    slope = scale[0] if scale else np.ones_like(mean)
    bias = scale[1] if len(scale) > 1 else np.zeros_like(mean)
    return [blob.reshape(1, -1) for blob in (slope, bias, mean, variance)]


def stored_statistics(norm: list[Blob]) -> tuple[Blob, Blob]:
    """Returns a BatchNorm's mean and variance, each (C,), computed in float32 as BatchNorm does."""
    factor = np.float32(norm[2].reshape(-1)[0])
    scale = np.float32(0) if factor == 0 else np.float32(1) / factor
    return norm[0] * scale, norm[1] * scale


def _types(pair: _Pair) -> str:
    return "BatchNorm + Scale" if pair.scale else "BatchNorm (slope 1, bias 0)"


def _exactness(factor: Blob) -> str:
    value = float(factor.reshape(-1)[0])
    power_of_two = value > 0 and np.frexp(value)[0] == 0.5
    if power_of_two:
        return "bit-exact"
    return f"statistics divided by their factor {value:g}, exactly as BatchNorm does; the factor is not kept"


def _bn(pair: _Pair) -> Layer:
    norm, scale = pair.norm, pair.scale
    _require_stored_statistics(norm)
    layer = Layer(name=norm.name, type="BN", bottom=norm.bottom, include=norm.include, exclude=norm.exclude)
    layer.top[:] = scale.top if scale else norm.top
    if norm.HasField("phase"):
        layer.phase = norm.phase
    field = layer.bn_param
    if norm.batch_norm_param.HasField("eps"):
        field.eps = norm.batch_norm_param.eps
    field.momentum = norm.batch_norm_param.moving_average_fraction
    field.slope_filler.value = 1
    if scale is not None:
        _take_scale(layer, scale)
    if norm.batch_norm_param.use_global_stats and _is_fixed(scale):
        field.frozen = True
    return layer


def _take_scale(layer: Layer, scale: Layer) -> None:
    if scale.scale_param.HasField("filler"):
        layer.bn_param.slope_filler.CopyFrom(scale.scale_param.filler)
    if scale.scale_param.HasField("bias_filler"):
        layer.bn_param.bias_filler.CopyFrom(scale.scale_param.bias_filler)
    layer.param.extend(scale.param)


def _is_fixed(scale: Layer | None) -> bool:
    """Whether slope and bias are not learnt; BN can freeze statistics only together with slope and bias."""
    return scale is None or (len(scale.param) == 2 and not any(param.lr_mult for param in scale.param))


def _require_stored_statistics(norm: Layer) -> None:
    field = norm.batch_norm_param
    trains = norm.HasField("phase") and norm.phase == caffe_pb2.TRAIN
    if field.HasField("use_global_stats") and not field.use_global_stats and not trains:
        raise GraphError(
            f"layer '{norm.name}' (BatchNorm): use_global_stats: false asks for the batch's statistics in every phase, "
            "which BN cannot do at TEST; remove the field, or convert without --norm bn"
        )
