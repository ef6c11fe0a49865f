"""Folds normalisation by stored statistics into weights, so that a net for prediction has no such layers.

A normalisation without a convolution before it becomes a Scale. The formulas are in layers/normalization/batch_norm.py.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from caffe_compat.convert.model import Layer, Model, scale_behind
from caffe_compat.convert.norm.to_bn import joined
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.graph.wiring import Wiring
from caffe_compat.layers.normalization.batch_norm import affine_of, fold_into
from caffe_compat.layers.normalization.bn import is_segnet_bn
from caffe_compat.proto.blobs import Blob

#: Types of layers whose weights have outputs as first axis, with their field of LayerParameter (has `bias_term`).
LINEAR = {"Convolution": "convolution_param", "InnerProduct": "inner_product_param"}
NORMS = ("BN", "BatchNorm")


@dataclass(frozen=True)
class _Chain:
    """Indices of a normalisation, of its Scale, and of the linear layer into which both are folded."""

    norm: int
    scale: int | None
    linear: int | None

    @property
    def last(self) -> int:
        return self.norm if self.scale is None else self.scale


def fold_norms(model: Model, report: ConversionReport) -> Model:
    """Returns the model without BN and BatchNorm; SegNet's BN stays, since it has no statistics.

    GraphError for a layer that uses the batch's statistics; ShapeError for a layer without blobs.
    """
    layers = list(model.net.layer)
    wiring = Wiring.of_layers(layers)
    blobs = dict(model.blobs)
    gone: set[int] = set()
    for index, layer in enumerate(layers):
        if layer.type not in NORMS or is_segnet_bn(layer):
            continue
        _require_foldable(model, layer)
        chain = _chain(layers, wiring, index, blobs)
        gone |= _fold_into_linear(chain, layers, blobs, report) if chain.linear is not None else set()
        gone |= _fold_into_scale(chain, layers, blobs, report) if chain.linear is None else set()
    kept = [layer for index, layer in enumerate(layers) if index not in gone]
    names = {layer.name for layer in kept}
    return model.with_layers(kept, {name: arrays for name, arrays in blobs.items() if name in names})


def _chain(layers: list[Layer], wiring: Wiring, norm: int, blobs: dict[str, list[Blob]]) -> _Chain:
    scale = scale_behind(layers, wiring, norm) if layers[norm].type == "BatchNorm" else None
    linear = wiring.maker(norm)
    takes = linear is not None and wiring.only_reader(linear) == norm and _can_take(layers[linear], blobs)
    return _Chain(norm, scale, linear if takes else None)


def _can_take(layer: Layer, blobs: dict[str, list[Blob]]) -> bool:
    if layer.type not in LINEAR or len(layer.bottom) != 1 or layer.name not in blobs:
        return False
    field = getattr(layer, LINEAR[layer.type])
    shared = any(param.name for param in layer.param)
    return field.axis == 1 and not getattr(field, "transpose", False) and not shared


def _require_foldable(model: Model, norm: Layer) -> None:
    field = norm.batch_norm_param
    if field.HasField("use_global_stats") and not field.use_global_stats:
        raise GraphError(
            f"{model.path}: layer '{norm.name}' (BatchNorm): use_global_stats: false normalises by each batch's own "
            "statistics, which cannot be folded; fold the deploy form"
        )
    if norm.name not in model.blobs:
        raise ShapeError(
            f"{model.path}: layer '{norm.name}' ({norm.type}): expected its statistics, found no blobs; "
            "give the weights that belong to this net"
        )


def _fold_into_linear(
    chain: _Chain, layers: list[Layer], blobs: dict[str, list[Blob]], report: ConversionReport
) -> set[int]:
    """Folds a normalisation into weights and bias of the layer before it; returns the indices of layers to remove.

    The linear layer gets the top of the last removed layer.
    """
    linear = _copy(layers[chain.linear or 0])
    weight, *bias = _tensors(blobs[linear.name])
    values = fold_into(_affine(chain, layers, blobs), weight, bias[0] if bias else None)
    blobs[linear.name] = [value.numpy() for value in values]
    getattr(linear, LINEAR[linear.type]).ClearField("bias_term")
    linear.top[:] = layers[chain.last].top
    linear.ClearField("param")
    layers[chain.linear or 0] = linear
    folded = [index for index in (chain.norm, chain.scale) if index is not None]
    report.noted(linear.name, "normalisation folded in, rounded to float32")
    report.replaced([layers[index].name for index in folded], [linear.name], f"folded into {linear.name}")
    return set(folded)


def _fold_into_scale(
    chain: _Chain, layers: list[Layer], blobs: dict[str, list[Blob]], report: ConversionReport
) -> set[int]:
    """Replaces a normalisation without a convolution before it by a Scale; returns the indices of layers to remove."""
    affine = _affine(chain, layers, blobs)
    norm = layers[chain.norm]
    scale = Layer(name=norm.name, type="Scale", bottom=norm.bottom, top=layers[chain.last].top)
    scale.scale_param.bias_term = True
    blobs[norm.name] = [value.float().numpy() for value in affine]
    layers[chain.norm] = scale
    names = [norm.name] + ([] if chain.scale is None else [layers[chain.scale].name])
    report.replaced(names, [norm.name], "as one Scale (no convolution before it), rounded to float32")
    return set() if chain.scale is None else {chain.scale}


def _affine(chain: _Chain, layers: list[Layer], blobs: dict[str, list[Blob]]) -> tuple[Tensor, Tensor]:
    """Returns slope and shift, each (C,), of a normalisation and the Scale behind it."""
    norm = layers[chain.norm]
    parts = blobs[norm.name]
    if norm.type == "BatchNorm":
        parts = joined(parts, [] if chain.scale is None else blobs[layers[chain.scale].name])
    gain, bias, mean, variance = _tensors(parts)
    eps = norm.bn_param.eps if norm.type == "BN" else norm.batch_norm_param.eps
    return affine_of(mean, variance, eps, gain, bias)


def _tensors(blobs: list[Blob]) -> list[Tensor]:
    # Copies, because torch warns about read-only arrays, such as the bytes of a mapped file.
    return [torch.from_numpy(np.array(blob)) for blob in blobs]


def _copy(layer: Layer) -> Layer:
    copy = Layer()
    copy.CopyFrom(layer)
    return copy
