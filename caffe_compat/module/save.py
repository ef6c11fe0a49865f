"""save: writes a module, perhaps after fine-tuning, to a file that `load` and other programs read."""

from pathlib import Path

import numpy as np
from torch import nn

from caffe_compat.convert.conversion import TARGETS
from caffe_compat.convert.model import Model, connect, file_in_errors, path_with_suffix
from caffe_compat.convert.options import Options
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError, MissingFeatureError
from caffe_compat.module.caffe_module import CaffeModule
from caffe_compat.module.replacements import LayerPlace, as_caffe_layer
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.caffe_pb2 import NetParameter
from caffe_compat.proto.write import write_text

#: Format of a file by the suffix of its name.
KINDS = {
    ".safetensors": "safetensors",
    ".pt": "torch",
    ".pth": "torch",
    ".caffemodel": "caffemodel",
    ".onnx": "onnx",
}


def save(module: CaffeModule, path: str, *, dynamic_batch: bool = True) -> None:
    """Writes the whole net with its weights as they are now, in float32.

    The suffix of `path` selects the format: .safetensors, .pt (also writes a .pt.json), .caffemodel (also writes a
    .prototxt of the same name) or .onnx. An ONNX file has an open batch size unless `dynamic_batch` is False.

    PyTorch modules that replaced layers become Caffe layers; MissingFeatureError names the first one that Caffe lacks.
    ShapeError names one that does not fit its bottoms, before anything is written. FormatError for another suffix.
    """
    path = str(path)
    module = _within(module, path)
    kind = KINDS.get(Path(path).suffix)
    if kind is None:
        raise FormatError(f"{path}: expected a name that ends in one of {', '.join(KINDS)}")
    with file_in_errors(path):
        _write(module, path, kind, dynamic_batch)


def _write(module: CaffeModule, path: str, kind: str, dynamic_batch: bool) -> None:
    model = model_of_module(module, path)
    if any(part is not step.layer for step, part in zip(module.net.steps, module.parts(), strict=True)):
        connect(model, model.blobs, allow_python_layers=True)  # replaced layers may not fit their bottoms
    outputs = tuple(module.outputs) if kind == "onnx" else ()
    TARGETS[kind].write(path, model, Options(outputs=outputs, dynamic_batch=dynamic_batch), ConversionReport(model))
    if kind == "caffemodel":
        write_text(path_with_suffix(path, ".prototxt"), model.net, f"the net of {Path(path).name}")


def _within(module: nn.Module, path: str) -> CaffeModule:
    """Returns the module, or the one that torch.compile wrapped; MissingFeatureError for any other."""
    inner = module if isinstance(module, CaffeModule) else module._modules.get("_orig_mod")
    if not isinstance(inner, CaffeModule):
        raise MissingFeatureError(
            f"{path}: expected a module that caffe_compat.load returned, found {type(module).__name__}; of a "
            "DistributedDataParallel give its .module"
        )
    return inner


def model_of_module(module: CaffeModule, path: str) -> Model:
    """Returns the module's net and its float32 weights as a model; `path` is used only in error messages."""
    net = NetParameter(name=module.net.name)
    net.layer.extend(layer for layer in module.net.parameter.layer if layer.type == "Input")
    blobs: dict[str, list[Blob]] = {}
    for step, part in zip(module.net.steps, module.parts(), strict=True):
        layer, tensors = step.layer.spec.parameter, list(step.layer.blobs)
        if part is not step.layer:
            layer, tensors = as_caffe_layer(LayerPlace(step, path), part)
        net.layer.append(layer)
        if any(tensor is None for tensor in tensors):
            raise MissingFeatureError(
                f"{path}: layer '{layer.name}' ({layer.type}): expected {len(tensors)} blobs, found None in place "
                "of one; give it zeros"
            )
        if tensors:
            blobs[layer.name] = [np.ascontiguousarray(tensor.detach().float().cpu().numpy()) for tensor in tensors]
    return Model(net, blobs, module.net.dialect, path, was_training=module.net.was_training)
