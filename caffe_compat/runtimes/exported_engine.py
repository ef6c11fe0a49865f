"""ExportedEngine: an engine whose layers another runtime runs."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from caffe_compat.engine.watched_weights import WeightWatch
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.net import Net
from caffe_compat.runtimes.exported_part import exported_part, onnx_model
from caffe_compat.runtimes.session import Session
from caffe_compat.runtimes.sessions import SESSIONS


class ExportedEngine:
    """Runs a net at TEST in the runtime that `name` names (a name of SESSIONS).

    The model is exported anew where shapes or weights changed since the last run. Data layers, losses and layers
    without an ONNX form run here, layer by layer; all others run in the other runtime.
    """

    def __init__(self, net: Net, requested: Iterable[str] | None, name: str) -> None:
        if net.phase != "TEST":
            raise MissingFeatureError(
                f"--engine {name} predicts only (time: --phase TEST); train with --engine fast or exact"
            )
        self.net = net
        self.name = name
        self._make_session = SESSIONS[name]
        self._requested = None if requested is None else set(requested)
        self._part = exported_part(net, self._requested)
        self._weights = WeightWatch([step.layer for step in net.steps])
        self._made_for: object = None
        self._session: Session | None = None

    def keep(self, blobs: Iterable[str]) -> None:
        """From the next run on, these blobs of the net hold their values too."""
        self._part, self._made_for = exported_part(self.net, self._requested, blobs), None

    def forward(self) -> Tensor:
        """One pass; returns the weighted sum of the losses."""
        net, part = self.net, self._part
        for index in part.before:
            net.run_range(index, index)
        inputs = {name: net.blobs[name].value.tensor().detach().cpu().numpy() for name in part.inputs}
        found = self._ready()(inputs) if part.outputs else {}
        for name, values in found.items():
            net.blobs[name].assign(torch.from_numpy(np.array(values, np.float32)).to(net.device))
        losses = [net.run_range(index, index) for index in part.after]
        counted = losses if self._requested is None else []
        return torch.stack(counted).sum() if counted else torch.zeros((), device=net.device)

    def forward_backward(self) -> Tensor:
        """Refused: the other runtime has no gradients."""
        raise MissingFeatureError(
            f"--engine {self.name} predicts only (time: --phase TEST); train with --engine fast or exact"
        )

    def _ready(self) -> Session:
        """The session for the shapes and weights of now."""
        net = self.net
        net.flush()
        has_changed = self._weights.has_changed()
        shapes = [tuple(net.blobs[name].shape) for name in self._part.inputs]
        if self._session is None or has_changed or shapes != self._made_for:
            self._session = None  # so that an error below leaves no session of older weights
            net.reshape()
            self._session = self._make_session(onnx_model(net, self._part), list(self._part.outputs))
            self._made_for = shapes
        return self._session
