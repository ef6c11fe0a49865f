"""Python: runs layers that users write (python_layer.hpp, layer_factory.cpp)."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, MissingFeatureError
from caffe_compat.layers.base import Blobs, Layer, LayerSpec, Shape, Tops, at_least, is_transformed
from caffe_compat.layers.caffes import BVLC_AND_SRN, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.python_blob import PythonBlob, PythonParameters
from caffe_compat.layers.utility.python_interface import Phase, PythonLayer


@register_layer("Python")
class Python(Layer):
    """Runs the class `layer` of `module`, which derives from caffe.Layer, with float32 arrays on the host.

    The layer executes a user's code, so the command needs --allow-python-layers. Errors of that code are passed on
    unchanged.
    """

    known_to = BVLC_AND_SRN
    is_in_onnx = False
    meanings = (
        Meaning(
            "BVLC",
            "the layer class that the module defines, on one host",
            "python_param",
        ),
    )
    example = "python_param { module: 'caffe_compat.layers.utility.python_interface' layer: 'PythonLayer' }"
    bottoms = at_least(0)
    tops = at_least(0)

    def is_pure(self) -> bool:
        return False  # a user's code may do anything

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        # `net.to(device)` moves this empty buffer; its device is used for tops of a layer without bottoms.
        self.register_buffer("_home", torch.empty(0), persistent=False)
        params = spec.params("python_param")
        params.ignore("share_in_parallel")  # no effect: each process has its own layer, as in pycaffe's train.py
        if not spec.allow_python_layers:
            raise MissingFeatureError(
                f"{spec}: runs the code of '{params.module}'; if you trust it, allow it with --allow-python-layers "
                "(allow_python_layers=True in Python)"
            )
        #: What torch says where the layer cannot be part of a graph.
        self._outside_of_graphs = (
            f"{spec}: runs the code of '{params.module}' on arrays, which torch.export, torch.func and forward-mode "
            "derivatives cannot enter; torch.compile can go around it without fullgraph=True"
        )
        self.instance = load_class(spec, params.module, params.layer)(spec.parameter)
        self.instance.param_str = self.instance.param_str_ = params.param_str
        self.instance.phase = Phase[spec.phase]
        # Without the layer's attributes, of which the instance is one: this would be a reference cycle.
        self.instance.blobs = PythonParameters(Blobs(self._parameters, self._buffers, self._names))
        names = dict.fromkeys([*spec.parameter.bottom, *spec.parameter.top])
        blobs = {name: PythonBlob() for name in names}  # for an in-place layer, bottom and top are the same blob
        self.bottom = [blobs[name] for name in spec.parameter.bottom]
        self.top = [blobs[name] for name in spec.parameter.top]

    def setup(self, *bottom_shapes: Shape) -> None:
        self._shape_bottoms(bottom_shapes)
        self.instance.setup(self.bottom, self.top)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes that the user's `reshape` sets."""
        self._shape_bottoms(bottom_shapes)
        self.instance.reshape(self.bottom, self.top)
        return [blob.shape for blob in self.top]

    def forward(self, *bottoms: Tensor) -> Tops:
        run: Callable[..., Any] = _UserCode.apply
        if torch.compiler.is_dynamo_compiling():
            # Compilers would translate the user's code: torch's random numbers in place of NumPy's, state left out.
            torch._dynamo.graph_break(msg=self._outside_of_graphs)
            run = torch.compiler.disable(run, reason=self._outside_of_graphs)
        elif is_transformed():
            raise MissingFeatureError(self._outside_of_graphs)
        tops: tuple[Tensor, ...] = run(self, len(bottoms), *bottoms, *self.blobs)
        return tops

    def _shape_bottoms(self, shapes: Sequence[Shape]) -> None:
        for blob, shape in zip(self.bottom, shapes, strict=True):
            blob.reshape(*shape)

    def run_forward(self, bottoms: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Calls the user's `reshape` and `forward`; returns the tops."""
        for blob, values in zip(self.bottom, bottoms, strict=True):
            blob.load(values)
        self.instance.reshape(self.bottom, self.top)
        self.instance.forward(self.bottom, self.top)
        self._write_back()
        like = bottoms[0] if bottoms else self.get_buffer("_home")
        # Autocast leaves tops in float32: a user's labels and coordinates must not be rounded to 8 bits.
        dtype = torch.float32 if torch.is_autocast_enabled(like.device.type) else like.dtype
        return tuple(torch.tensor(blob.data, dtype=dtype, device=like.device) for blob in self.top)

    def run_backward(
        self, top_gradients: Sequence[Tensor], propagate_down: Sequence[bool]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Calls the user's `backward`; returns the gradients of the bottoms and those of the weights.

        The latter are the amounts that the call added to the gradients of the weights.
        """
        before = [weight.gradient().clone() for weight in self.instance.blobs]
        for blob in self.bottom:
            blob.diff[...] = 0
        for blob, gradient in zip(self.top, top_gradients, strict=True):
            blob.diff[...] = gradient.detach().to("cpu", torch.float32).numpy()
        self.instance.backward(self.top, list(propagate_down), self.bottom)
        self._write_back()
        added = []
        for weight, old in zip(self.instance.blobs, before, strict=True):
            added.append(weight.gradient() - old)
            weight.gradient().copy_(old)
        return [torch.tensor(blob.diff) for blob in self.bottom], added

    def _write_back(self) -> None:
        for weight in self.instance.blobs:
            weight.write_back()


class _UserCode(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, layer: Python, bottoms: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        context.layer, context.bottoms, context.inputs = layer, bottoms, [(i.dtype, i.device) for i in inputs]
        context.save_for_backward(*inputs)
        return layer.run_forward(inputs[:bottoms])

    @staticmethod
    def backward(context: Any, *top_gradients: Tensor) -> tuple[Tensor | None, ...]:
        wanted = context.needs_input_grad[2:]
        bottoms, weights = context.layer.run_backward(top_gradients, wanted[: context.bottoms])
        made = [
            gradient.to(device, dtype) if wants else None
            for gradient, (dtype, device), wants in zip([*bottoms, *weights], context.inputs, wanted, strict=True)
        ]
        if torch.is_grad_enabled():  # for second derivatives, which would be 0 without a word
            causes = (*top_gradients, *context.saved_tensors)
            made = [each if each is None else _Underivable.apply(context.layer.spec, each, *causes) for each in made]
        return None, None, *made


class _Underivable(torch.autograd.Function):
    """A gradient that user's code computed from `causes`; MissingFeatureError where its derivative is asked for."""

    @staticmethod
    def forward(context: Any, spec: LayerSpec, gradient: Tensor, *_causes: Tensor) -> Tensor:
        context.spec = spec
        return gradient.view_as(gradient)

    @staticmethod
    def backward(context: Any, *_gradients: Tensor) -> NoReturn:
        raise MissingFeatureError(
            f"{context.spec}: expected a first derivative, found a second one asked for: the user's `backward` has no "
            "derivative; leave out create_graph=True"
        )


def load_class(spec: LayerSpec, module: str, name: str) -> type[PythonLayer]:
    """The user's class; its folder must be on PYTHONPATH. `import caffe` in its module gives this package."""
    # Without this call, `import caffe` fails in the user's module. Imported by name: pycaffe imports this package.
    importlib.import_module("caffe_compat.pycaffe.install").make_findable()
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingFeatureError(f"{spec}: no module '{module}'; put its folder on PYTHONPATH") from error
    if not (isinstance(found, type) and issubclass(found, PythonLayer)):
        raise FieldError(f"{spec}: expected a class '{name}' in module '{module}' that derives from caffe.Layer")
    return found
