"""The check that onnxruntime computes what our own layers compute."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)

from caffe_compat.convert.assemble import Assembly
from caffe_compat.convert.model import Shape
from caffe_compat.convert.module import CaffeModule
from caffe_compat.convert.onnx.export import one_line
from caffe_compat.convert.onnx.sample_inputs import sample_inputs
from caffe_compat.errors import CaffeError, FormatError

#: Largest difference from our outputs, as a part of an output's largest value. Float32 sums in another order come to
#: 1e-6 a layer and to 1e-4 in a net of a hundred normalised layers; a wrong layer comes to 1e-2 and more.
TOLERANCE = 1e-3
Inputs = dict[str, np.ndarray]
#: What onnxruntime raises for a model that it cannot load or run.
REFUSALS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


@dataclass(frozen=True)
class Agreement:
    """How far onnxruntime's outputs are from ours: the largest difference over each output's largest value."""

    error: float
    output: str


def compare_with_onnxruntime(
    path: str, data: bytes, net: Assembly, outputs: Sequence[str] = (), dynamic_size: bool = False, seed: int = 1
) -> Agreement:
    """Runs a file's bytes and our layers on the same random inputs; with `dynamic_size` on images of other sizes, too.

    FormatError where onnxruntime cannot, or where they differ by more than TOLERANCE.
    """
    session = _session(path, data)
    runs = [_agreement(path, session, net, outputs, sample_inputs(net, seed))]
    if dynamic_size:
        runs += _on_other_sizes(path, session, net, outputs, seed)
    worst = max(runs, key=lambda one: one.error)
    if not worst.error <= TOLERANCE:
        raise FormatError(
            f"{path}: onnxruntime's '{worst.output}' differs from ours by {worst.error:.2g} of its largest value, "
            f"expected at most {TOLERANCE:g}; report this net"
        )
    return worst


def _agreement(
    path: str, session: onnxruntime.InferenceSession, net: Assembly, outputs: Sequence[str], inputs: Inputs
) -> Agreement:
    """The output that differs most on these inputs."""
    module = CaffeModule(net, outputs)
    with torch.no_grad():
        made = module(**{name: torch.from_numpy(values) for name, values in inputs.items()})
    ours = made if isinstance(made, dict) else {module.outputs[0]: made}
    theirs = _run(path, session, inputs)
    errors = [
        Agreement(difference(their, our.numpy()), name) for their, (name, our) in zip(theirs, ours.items(), strict=True)
    ]
    return max(errors, key=lambda one: one.error)


def _on_other_sizes(
    path: str, session: onnxruntime.InferenceSession, net: Assembly, outputs: Sequence[str], seed: int
) -> list[Agreement]:
    """The agreement on images of those OTHER_SIZES that our own layers take."""
    found = []
    for change in OTHER_SIZES:
        sizes = {name: change(shape) if len(shape) == 4 else shape for name, shape in net.inputs.items()}
        with suppress(CaffeError, RuntimeError):  # a size that the net does not take, or that takes too much memory
            found.append(_agreement(path, session, net, outputs, sample_inputs(replace(net, inputs=sizes), seed)))
    return found


def _odd_size(shape: Shape) -> Shape:
    return (*shape[:2], shape[2] + 5, shape[3] + 3)


def _multiples(shape: Shape) -> Shape:
    return (*shape[:2], 2 * shape[2], 3 * shape[3])


#: Images of a size that is no multiple of strides, and of one that suits nets which halve their images.
OTHER_SIZES: tuple[Callable[[Shape], Shape], ...] = (_odd_size, _multiples)


def _session(path: str, data: bytes) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    except REFUSALS as error:
        raise _refused(path, error) from error


def _run(path: str, session: onnxruntime.InferenceSession, inputs: Inputs) -> list[np.ndarray]:
    """What onnxruntime makes of the inputs."""
    try:
        taken = {one.name for one in session.get_inputs()}
        return list(session.run(None, {name: values for name, values in inputs.items() if name in taken}))
    except REFUSALS as error:
        raise _refused(path, error) from error


def _refused(path: str, error: Exception) -> FormatError:
    return FormatError(
        f"{path}: onnxruntime does not run the model: {one_line(error)}; --no-check writes it all the same"
    )


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """Infinite for other shapes or for NaN in one only."""
    if got.shape != wanted.shape or not np.array_equal(np.isnan(got), np.isnan(wanted)):
        return float("inf")
    both = ~np.isnan(wanted)
    if not both.any():
        return 0.0
    # Empty maxima are -FLT_MAX: their difference, not their size, counts.
    return float(np.abs(got[both] - wanted[both]).max() / max(1e-2, np.abs(wanted[both]).max()))
