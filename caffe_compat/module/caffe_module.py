"""CaffeModule: a trained net as a function of tensors."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.convert.model import Assembly, require_blobs
from caffe_compat.convert.stored_preprocessing import image_inputs, preprocessing_of
from caffe_compat.data.preprocessing import Preprocessing
from caffe_compat.errors import GraphError, MissingFeatureError, ShapeError
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import Layer, as_tuple
from caffe_compat.layers.normalization.batch_norm import BatchNorm
from caffe_compat.module.fast_forward import FastForward

#: "fast" fuses layers, "exact" runs them one by one, and the last three run the net in another runtime.
ENGINES = ("fast", "exact", "onnxruntime", "openvino", "openvino-bf16")


class CaffeModule(nn.Module):
    """A net for prediction and fine-tuning, with a submodule per layer under the layer's name.

    A dot in a layer's name makes nested modules: layer `a.b` is submodule `b` of `a`. Any submodule can be replaced:
    the new module gets the layer's bottoms, flattened to (items, features) if the layer is an InnerProduct.

    The state dict has the keys of the converted files. Batches and images may have any size that the layers allow.

    As in PyTorch, `train()` makes BatchNorm and BN normalise by the batch and makes Dropout drop. This also holds if a
    deploy net says `use_global_stats: true`. Layers that were frozen in training stay in `eval`. Other layers can be
    frozen as well: `module.train(); module.bn1.eval()`.

    `engine` "fast" fuses layers in eval, if gradients, hooks and replaced layers are absent. "exact" always runs
    layer by layer. Their results differ by rounding. "onnxruntime", "openvino" and "openvino-bf16" run our ONNX export
    in that runtime under the conditions of "fast".
    """

    def __init__(self, net: Assembly, outputs: Sequence[str] = (), engine: str = "fast") -> None:
        super().__init__()
        self._net = net
        self._outputs = list(outputs) or list(net.outputs)
        require_blobs(net, self._outputs)
        self._paths: list[tuple[str, ...]] = []
        for step in net.steps:
            _adopt(step.layer, net.was_training)
            self._paths.append(_place(self, step.layer))
        self._gone = Wiring.of_steps(net.steps).last_uses(self._outputs)
        self.use_engine(engine)
        self.eval()

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute of the module, or replaces a layer, where both have the same name (`training`)."""
        if name not in self.__dict__ or name not in self.__dict__.get("_modules", ()):
            super().__setattr__(name, value)
        elif isinstance(value, nn.Module):
            self._modules[name] = value
        else:
            object.__setattr__(self, name, value)

    def use_engine(self, name: str) -> None:
        """Selects the engine for later calls, by a name of ENGINES; MissingFeatureError for an unknown name."""
        if name not in ENGINES:
            raise MissingFeatureError(f"no engine '{name}' for a module; expected one of: {', '.join(ENGINES)}")
        self._engine = name
        self._fast = _forward_of(name, self._net, self._outputs)

    # Properties, so that a layer of one of these names can be replaced like any other.
    net = property(lambda self: self._net, doc="The layers and blobs of the net, in order.")
    inputs = property(lambda self: list(self._net.inputs), doc="The names of the inputs, in order.")
    outputs = property(lambda self: self._outputs, doc="The names of the blobs that a call returns.")
    engine = property(lambda self: self._engine, doc="How the net runs; `use_engine` changes it.")

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor | dict[str, Tensor]:
        """Returns the output, or a dictionary by blob name if there are several outputs.

        Inputs are given in the order of `inputs` or by name. Images are (N, channels, height, width), BGR, minus the
        mean. ShapeError for missing or unknown inputs.
        """
        values = self._bound(inputs, named)
        fast = self._engine != "exact" and self._fast.allows(self.parts(), values.values())
        results = self._fast(values) if fast else self._run(values)
        return results if len(results) > 1 else results[self._outputs[0]]

    def _repr_html_(self) -> str:
        from caffe_compat.pages.notebook import notebook_table  # a late import: only notebooks need Jinja2

        rows = [
            (name, type(part).__name__, f"{_count(part):,}" if _count(part) else "")
            for name, part in self.layers().items()
        ]
        sentence = f"{_count(self):,} weights, engine {self.engine}, {'training' if self.training else 'evaluation'}. "
        sentence += f"Inputs: {', '.join(self.inputs)}. Outputs: {', '.join(self.outputs)}."
        return notebook_table(f"CaffeModule {self._net.name}", sentence, ("submodule", "type", "weights"), rows)

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the net expects of an image, as stored in its file; None if it is not known."""
        return preprocessing_of(self._net.parameter, self._net.inputs)

    def preprocess(self, images: Any, size: tuple[int, int] | None = None) -> Tensor:
        """Returns the net's input for one image or a list: a tensor (images, channels, height, width), whole images.

        An image is a path, a PIL image, or an array of uint8: RGB (height, width, 3), or grey (height, width). `size`
        (height, width) is the input's own by default. The tensor has the device and the precision of the weights.

        MissingFeatureError if it is not known what the net expects; DataError or ShapeError for other images.
        """
        preprocessing, names = self.preprocessing, image_inputs(self._net.inputs)
        if preprocessing is None or not names:
            raise MissingFeatureError(
                f"net '{self._net.name}': what it expects of an image is stored nowhere; convert it with "
                "--mean 104,117,123 (and --channels, --scale, --size), or load(path, preprocessing=Preprocessing(...))"
            )
        height, width = _size(size) or self._net.inputs[names[0]][2:]
        each = images if isinstance(images, list | tuple) else [images]
        if not each:
            raise ShapeError(f"net '{self._net.name}': expected an image or a list of images, got an empty list")
        made = torch.from_numpy(np.stack([preprocessing.input_of(image, height, width) for image in each]))
        like = next((weight for weight in self.parameters() if weight.is_floating_point()), made)
        return made.to(like.device, like.dtype)

    def parts(self) -> list[nn.Module]:
        """Returns the modules in the order of the layers: each layer itself, or the module that replaced it."""
        return [_at(self, path) for path in self._paths]

    def layers(self) -> dict[str, nn.Module]:
        """Returns `parts` by the layers' names, in order; the last of equally named layers counts."""
        return {step.layer.name: part for step, part in zip(self._net.steps, self.parts(), strict=True)}

    def _run(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        """Runs layer by layer and calls each as a module, so that hooks and replaced layers take effect."""
        for index, step in enumerate(self._net.steps):
            module = _at(self, self._paths[index])
            bottoms = [values[bottom] for bottom in step.bottoms]
            if module is step.layer:
                tops = as_tuple(module(*bottoms))
            else:
                tops = _of_replacement(step, module, module(*_for_replacement(step, bottoms)))
            values.update(zip(step.tops, tops, strict=True))
            for name in self._gone.get(index, ()):
                values.pop(name, None)
        return {name: values[name] for name in self._outputs}

    def _bound(self, inputs: Sequence[Tensor], named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = list(self._net.inputs)
        values = dict(zip(names, inputs, strict=False)) | dict(named)
        if len(inputs) + len(named) != len(names) or sorted(values) != sorted(names):
            found = f"{len(inputs)} in order" + (f" and {', '.join(named)}" if named else "")
            raise ShapeError(f"net '{self._net.name}': expected inputs {', '.join(names)}, got {found}")
        for name, value in values.items():
            if not isinstance(value, Tensor):
                raise ShapeError(
                    f"net '{self._net.name}': expected a tensor as input '{name}', got {type(value).__name__}; "
                    "torch.from_numpy and preprocess make tensors"
                )
        return values


def _size(size: Any) -> tuple[int, int] | None:
    """Returns (height, width), or None where none is given; ShapeError for anything else."""
    if size is None:
        return None
    try:
        height, width = (operator.index(number) for number in size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ShapeError(f"size: expected (height, width), each from 1 on, got {size!r}")
    return height, width


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _forward_of(engine: str, net: Assembly, outputs: list[str]) -> FastForward:
    """Returns the object that runs the whole net when fused layers make no visible difference."""
    if engine in ("fast", "exact"):
        return FastForward(net, outputs)
    from caffe_compat.module.exported_forward import ExportedForward  # a late import: onnx is slow to import

    return ExportedForward(net, outputs, engine)


def _adopt(layer: Layer, was_training: bool) -> None:
    """Makes a layer behave as a PyTorch module: statistics become buffers, and `train` sets the phase."""
    if isinstance(layer, BatchNorm):
        layer.is_frozen = was_training and layer.use_global_stats is True
        layer.use_global_stats = None
    layer.buffer_statistics()


def _place(module: nn.Module, layer: Layer) -> tuple[str, ...]:
    """Registers a layer under its name and returns its path, the parts between dots.

    Adds "'" to a name that another layer already has. Writes to `_modules` directly, because `add_module` refuses
    names of a module's own attributes ("eval", "type").
    """
    name = layer.name or layer.spec.type
    while True:
        *parents, leaf = name.split(".")
        place = module
        for part in parents:
            place = place._modules.setdefault(part, nn.Module()) or place
        taken = place._modules.get(leaf)
        if not isinstance(taken, Layer):
            break
        name += "'"
    if taken is not None:  # a container made for "a.b" before layer "a" came
        layer._modules.update(taken._modules)
    place._modules[leaf] = layer
    return (*parents, leaf)


def _at(module: nn.Module, path: Sequence[str]) -> nn.Module:
    """Returns the module at a layer's path; GraphError if it was taken away."""
    for part in path:
        inner = module._modules.get(part)
        if inner is None:
            raise GraphError(
                f"layer '{'.'.join(path)}': expected a module in its place, found none; nn.Identity() does nothing"
            )
        module = inner
    return module


def _for_replacement(step: Step, bottoms: list[Tensor]) -> list[Tensor]:
    """Returns the inputs of a module that replaced a layer; vectors if the layer was an InnerProduct."""
    axis = getattr(step.layer, "axis", 1)
    return [bottom.flatten(axis) for bottom in bottoms] if step.layer.spec.type == "InnerProduct" else bottoms


def _of_replacement(step: Step, module: nn.Module, found: Any) -> tuple[Tensor, ...]:
    """Returns the tops that a module in a layer's place gave; ShapeError unless they are tensors, one per top."""
    tops = tuple(found) if isinstance(found, tuple | list) else (found,)
    if len(tops) != len(step.tops) or not all(isinstance(top, Tensor) for top in tops):
        raise ShapeError(
            f"layer '{step.layer.name}': expected a tensor for each of {', '.join(step.tops)} from the "
            f"{type(module).__name__} in its place, got {', '.join(type(top).__name__ for top in tops) or 'none'}"
        )
    return tops
