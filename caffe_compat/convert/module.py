"""A converted model as an nn.Module: `caffe_compat.load("net.safetensors")(images)`."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from caffe_compat.convert.assemble import Assembly, connect, require_blobs
from caffe_compat.convert.file_in_errors import file_in_errors
from caffe_compat.convert.formats.blob_names import blob_keys
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Shape
from caffe_compat.convert.norm.bn_statistics import AUTO, to_variance
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.report import Report
from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import as_tuple
from caffe_compat.net.collector_paused import collector_paused
from caffe_compat.net.own_copies import copied_beside


class CaffeModule(nn.Module):
    """A net for prediction as a function of tensors; its state dict has the keys of the converted files.

    Batches may be of any size, gradients flow as in PyTorch, and nothing is kept from call to call (but the running
    statistics at TRAIN and the states of recurrent layers).
    """

    def __init__(self, net: Assembly, outputs: Sequence[str] = ()) -> None:
        super().__init__()
        self.net = net
        self.inputs = list(net.inputs)
        self.outputs = list(outputs) or list(net.outputs)
        require_blobs(net, self.outputs)
        for step in net.steps:
            keys = blob_keys(step.layer.name, step.layer.spec.type, len(step.layer.blobs))
            for key, blob in zip(keys, step.layer.blobs, strict=True):
                _register(self, key.split("."), blob)

    def __deepcopy__(self, memo: dict[int, Any]) -> "CaffeModule":
        """A module with weights of its own; what the layers were built from is shared, as nothing changes it."""
        memo |= {id(step.layer.spec): step.layer.spec for step in self.net.steps}
        other = CaffeModule.__new__(CaffeModule)
        memo[id(self)] = other
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor | dict[str, Tensor]:
        """The output, or a dictionary of outputs by blob name where there are several.

        Inputs come in the order of `inputs` or by name: images (N, channels, height, width), BGR minus the mean.
        """
        values = self._bound(inputs, named)
        for step in self.net.steps:
            tops = as_tuple(step.layer(*(values[bottom] for bottom in step.bottoms)))
            values.update(zip(step.tops, tops, strict=True))
        results = {name: values[name] for name in self.outputs}
        return results if len(results) > 1 else results[self.outputs[0]]

    def _bound(self, inputs: Sequence[Tensor], named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        values = dict(zip(self.inputs, inputs, strict=False)) | dict(named)
        if len(inputs) > len(self.inputs) or sorted(values) != sorted(self.inputs):
            found = f"{len(inputs)} in order" + (f" and {', '.join(named)}" if named else "")
            raise ShapeError(f"net '{self.net.name}': expected inputs {', '.join(self.inputs)}, got {found}")
        return values


def _register(module: nn.Module, path: Sequence[str], blob: nn.Parameter) -> None:
    """Puts a parameter under `a.b.weight`, through modules a and b.

    Written into the tables themselves: register_module refuses names that modules use otherwise ("eval", "type").
    """
    *parents, leaf = path
    for name in parents:
        module._modules.setdefault(name, nn.Module())
        module = module._modules[name]  # type: ignore[assignment]
    module._parameters[leaf] = blob


def load(
    path: str,
    *,
    prototxt: str | None = None,
    phase: str = "TEST",
    outputs: Sequence[str] = (),
    input_shapes: Mapping[str, Shape] | None = None,
    dialect: str | None = None,
    bn_statistics: str = AUTO,
    allow_python_layers: bool = False,
) -> CaffeModule:
    """A module from .safetensors, .pt, .caffemodel or (with its prototxt) .caffemodel.h5.

    `phase` "TRAIN" makes Dropout and BatchNorm act as in training, and lets the weights (not the running statistics)
    ask for gradients. `outputs` names blobs to return in place of the net's own outputs. `input_shapes` is needed only
    where the file holds no shapes and the weights do not tell them. `bn_statistics` says what BN's fourth blob holds
    ("variance", "inverse_deviation"), which its values tell otherwise. `allow_python_layers` lets layers of type
    Python, without weights of their own, run the code that they name.
    """
    with collector_paused(), file_in_errors(path, prototxt):
        model = read_model(path, dialect)
        report = Report(model)
        if prototxt is not None:
            model = with_prototxt(model, prototxt, report)
        model = to_variance(model, bn_statistics, report)
        deployed = deploy_form(model, input_shapes, report, outputs)
        with copied_beside(deployed.blobs) as blobs:
            return CaffeModule(connect(deployed, blobs, phase, allow_python_layers), outputs)
