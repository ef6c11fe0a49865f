"""FastForward: runs a module's net with fused layers, if this makes no visible difference."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module as torch_module
from torch.utils._python_dispatch import _get_current_dispatch_mode

from caffe_compat.convert.model import Assembly
from caffe_compat.engine.fast import rewrite_plan, run_plan
from caffe_compat.engine.plan import Plan, plan_steps
from caffe_compat.layers.base import innermost_channels
from caffe_compat.layers.windows import ConvolutionWindow

#: Types of settings that a user may replace (`module.bn1.eps = 1e-3`). Lists may also change in place.
PLAIN = (bool, int, float, str, tuple, type(None), ConvolutionWindow)


class FastForward:
    """Runs the plan of a net in eval. The plan is made at the first call, and is not copied or pickled.

    It is made again where a layer's setting has changed.
    """

    def __init__(self, net: Assembly, outputs: list[str]) -> None:
        self._net = net
        self._outputs = outputs
        #: The layers' settings and the plan for them, replaced at once, since other threads may run the net as well.
        self._planned: tuple[list[object], Plan] | None = None
        self._places: dict[bool, list[tuple[dict[str, Any], str]]] | None = None  # by whether they hold lists
        self._blob_places: list[tuple[dict[str, Tensor | None], str]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_planned": None, "_places": None, "_blob_places": None}

    def settings(self) -> list[object]:
        """Returns the present settings of all layers: public attributes with plain values."""
        if self._places is None:
            tables = [vars(step.layer) for step in self._net.steps]
            public = [(t, name, value) for t in tables for name, value in t.items() if not name.startswith("_")]
            self._places = {
                False: [(table, name) for table, name, value in public if isinstance(value, PLAIN)],
                True: [(table, name) for table, name, value in public if isinstance(value, list)],
            }
        plain: list[object] = [table.get(name) for table, name in self._places[False]]
        return plain + [tuple(table.get(name) or ()) for table, name in self._places[True]]

    def allows(self, layers: Sequence[nn.Module], inputs: Iterable[Tensor]) -> bool:
        """Whether fused layers would make no visible difference in this call.

        Requires eval mode, no gradients, autocast, hooks, tracing or tensor subclasses, and no replaced layer.
        """
        return (
            not torch.compiler.is_compiling()
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not torch.is_autocast_enabled("cuda")
            and all(type(value) is Tensor and value.dtype == torch.float32 for value in inputs)
            and _get_current_dispatch_mode() is None
            and torch._C._functorch.maybe_current_level() is None
            and forward_ad._current_level < 0  # no_grad lets derivatives of forward mode pass
            and torch._C._get_tracing_state() is None
            and not (torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks)
            and layers == [step.layer for step in self._net.steps]
            and all(map(_is_plain, layers))
            and not any([table.get(name) is None for table, name in self._blobs()])
        )

    def _blobs(self) -> list[tuple[dict[str, Tensor | None], str]]:
        """Returns where each blob of the layers is, unless it was taken away or is computed from others."""
        if self._blob_places is None:
            self._blob_places = [
                (own["_buffers"] if name in own["_buffers"] else own["_parameters"], name)
                for own in [vars(step.layer) for step in self._net.steps]
                for name in own["_names"]
            ]
        return self._blob_places

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the outputs by blob name."""
        settings, planned = self.settings(), self._planned
        if planned is None or planned[0] != settings:
            plan = plan_steps(self._net.steps, self._outputs, learns=False, given=self._net.inputs)
            planned = self._planned = settings, rewrite_plan(plan)
        _, plan = planned
        values = {value: innermost_channels(inputs[blob]) for value, blob in plan.feeds.items()}
        run_plan(plan, values, lambda learns, is_loss: nullcontext())
        return {blob: values[value].contiguous() for blob, value in plan.results.items()}


def _is_plain(part: nn.Module) -> bool:
    """Whether a layer is in eval, without hooks and with the forward of its class."""
    own = part.__dict__  # its entries, since a lookup through the module takes longer and a net has hundreds of layers
    return not (own["training"] or own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own)
