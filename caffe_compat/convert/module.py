"""A converted model as an nn.Module: `caffe_compat.load("net.safetensors")(images)`."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from caffe_compat.convert.build_model import build_model
from caffe_compat.convert.formats.blob_names import blob_keys
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Shape
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.report import Report
from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import as_tuple
from caffe_compat.net.net import Net


class CaffeModule(nn.Module):
    """A net for prediction as a function of tensors; its state dict has the keys of the converted files.

    Batches may be of any size, gradients flow as in PyTorch, and nothing is kept from call to call (but the running
    statistics at TRAIN and the states of recurrent layers).
    """

    def __init__(self, net: Net, outputs: Sequence[str] = ()) -> None:
        super().__init__()
        # Kept out of the tree of modules: its weights are registered once, under their Caffe names.
        self._net = [net]
        self.inputs = list(net.inputs)
        self.outputs = list(outputs) or list(net.outputs)
        self._require_blobs(self.outputs)
        for step in net.steps:
            keys = blob_keys(step.layer.name, step.layer.spec.type, len(step.layer.blobs))
            for key, blob in zip(keys, step.layer.blobs, strict=True):
                _register(self, key.split("."), blob)

    @property
    def net(self) -> Net:
        """The net behind the module: its layers, parameters and prototxt."""
        return self._net[0]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor | dict[str, Tensor]:
        """The output, or a dictionary of outputs by blob name where there are several.

        Inputs come in the order of `inputs` or by name: images (N, channels, height, width), BGR minus the mean.
        """
        values = self._bound(inputs, named)
        for step in self.net.steps:
            if not step.layer.is_input:
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

    def _require_blobs(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.net.blobs:
                raise GraphError(
                    f"net '{self.net.name}': no blob '{name}' to give out; "
                    f"outputs: {', '.join(self.net.outputs)}; any other blob may be named, too"
                )


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
) -> CaffeModule:
    """A module from .safetensors, .pt, .caffemodel or (with its prototxt) .caffemodel.h5.

    `phase` "TRAIN" makes Dropout and BatchNorm act as in training, and asks for gradients where the file's rates are
    not 0. `outputs` names blobs to return in place of the net's own outputs. `input_shapes` is needed only where
    the file holds no shapes and the weights do not tell them.
    """
    model = read_model(path, dialect)
    report = Report(model)
    if prototxt is not None:
        model = with_prototxt(model, prototxt, report)
    net = build_model(deploy_form(model, input_shapes, report), phase)
    for learnable in net.learnable:
        learnable.parameter.requires_grad_(phase == "TRAIN" and learnable.lr_mult != 0)
    return CaffeModule(net, outputs)
