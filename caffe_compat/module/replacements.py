"""Converts PyTorch modules that replaced layers to Caffe layers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step
from caffe_compat.layers.base import Layer
from caffe_compat.proto.caffe_pb2 import LayerParameter


@dataclass(frozen=True)
class LayerPlace:
    """A layer's place in a net, and the path of the file to write."""

    step: Step
    path: str

    def layer(self, layer_type: str) -> LayerParameter:
        """Returns a layer of another type with the old layer's name, bottoms and tops."""
        old = self.step.layer.spec.parameter
        return LayerParameter(name=old.name, type=layer_type, bottom=old.bottom, top=old.top)

    def refuse(self, module: nn.Module, why: str) -> MissingFeatureError:
        """Returns the error for a module that cannot be written, with the reason `why`."""
        return MissingFeatureError(
            f"{self.path}: layer '{self.step.layer.name}': a {type(module).__name__} is in its place, {why}; "
            "save module.state_dict() instead, or put a layer there that Caffe has"
        )


Made = tuple[LayerParameter, list[Tensor]]


def as_caffe_layer(place: LayerPlace, module: nn.Module) -> Made:
    """Returns a layer and its blobs for the module; MissingFeatureError if Caffe has no such layer."""
    if isinstance(module, Layer):
        layer = place.layer(module.spec.type)
        for field, value in module.spec.parameter.ListFields():
            if field.name.endswith("_param"):
                getattr(layer, field.name).CopyFrom(value)
        return layer, list(module.blobs)
    make = MAKERS.get(type(module))
    if make is None:
        raise place.refuse(module, f"known are {', '.join(kind.__name__ for kind in MAKERS)}")
    return make(place, module)


def _linear(place: LayerPlace, module: nn.Linear) -> Made:
    layer = place.layer("InnerProduct")
    layer.inner_product_param.num_output = module.out_features
    layer.inner_product_param.axis = getattr(place.step.layer, "axis", 1)
    layer.inner_product_param.bias_term = module.bias is not None
    return layer, _weight_and_bias(module)


def _convolution(place: LayerPlace, module: nn.Conv2d) -> Made:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise place.refuse(module, f"padded by '{module.padding_mode}' {module.padding}, where Caffe pads with zeros")
    layer = place.layer("Convolution")
    field = layer.convolution_param
    field.num_output, field.group, field.bias_term = module.out_channels, module.groups, module.bias is not None
    field.kernel_size.extend(module.kernel_size)
    field.stride.extend(module.stride)
    field.pad.extend(module.padding)
    field.dilation.extend(module.dilation)
    return layer, _weight_and_bias(module)


def _weight_and_bias(module: nn.Linear | nn.Conv2d) -> list[Tensor]:
    return [module.weight, *([] if module.bias is None else [module.bias])]


def _normalization(place: LayerPlace, module: nn.BatchNorm2d) -> Made:
    """Returns the SRN fork's BN layer, which has the same four vectors as PyTorch's BatchNorm2d."""
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None:
        raise place.refuse(module, "without running statistics")
    layer = place.layer("BN")
    layer.bn_param.eps = module.eps
    layer.bn_param.momentum = 1 - (0.1 if module.momentum is None else module.momentum)
    gain = torch.ones_like(mean) if module.weight is None else module.weight
    shift = torch.zeros_like(mean) if module.bias is None else module.bias
    return layer, [values.view(1, -1) for values in (gain, shift, mean, variance)]


def _dropout(place: LayerPlace, module: nn.Dropout) -> Made:
    layer = place.layer("Dropout")
    layer.dropout_param.dropout_ratio = module.p
    return layer, []


def _of_type(layer_type: str) -> Callable[[LayerPlace, nn.Module], Made]:
    return lambda place, module: (place.layer(layer_type), [])


#: By class of module, the function that makes the layer. Power without fields copies its bottom (y = x).
MAKERS: dict[type[nn.Module], Callable[..., Made]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm2d: _normalization,
    nn.Dropout: _dropout,
    nn.ReLU: _of_type("ReLU"),
    nn.Sigmoid: _of_type("Sigmoid"),
    nn.Tanh: _of_type("TanH"),
    nn.Identity: _of_type("Power"),
}
