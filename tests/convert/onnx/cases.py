"""Runs a model here and in onnxruntime."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from caffe_compat.convert.model import Assembly, assemble
from caffe_compat.convert.onnx.check import difference
from caffe_compat.convert.onnx.export import export_onnx, onnx_bytes
from tests.convert.models import model_of

#: Of an output's largest value: float32 sums of some hundred terms.
TOLERANCE = 1e-5

Arrays = dict[str, np.ndarray]


def net_of(text: str, *shapes: tuple[int, ...], seed: int = 0) -> Assembly:
    """Inputs a, b, c ... of these shapes before the layers of `text`, with seeded weights."""
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ {' '.join(f'dim: {size}' for size in shape)} }} }} }}"
        for name, shape in zip("abcdefg", shapes, strict=False)
    )
    return assemble(model_of(inputs + text, seed))


def inputs_of(net: Assembly, given: Arrays | None = None, batch: int | None = None) -> Arrays:
    """Seeded values of N(0, 1); those given; the batch replaced where asked."""
    generator = np.random.default_rng(7)
    sizes = {name: (batch or shape[0], *shape[1:]) for name, shape in net.inputs.items()}
    made = {name: generator.normal(size=shape).astype(np.float32) for name, shape in sizes.items()}
    return made | {name: np.asarray(values, np.float32) for name, values in (given or {}).items()}


def ours(net: Assembly, inputs: Arrays) -> Arrays:
    with torch.no_grad():
        made = net.run({name: torch.from_numpy(values) for name, values in inputs.items()})
    return {name: value.detach().numpy() for name, value in made.items()}


def theirs(path: Path, inputs: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    taken = {one.name for one in session.get_inputs()}
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, {name: inputs[name] for name in inputs if name in taken}), strict=True))


def check(
    net: Assembly, folder: Path, given: Arrays | None = None, dynamic: bool = False, tolerance: float = TOLERANCE
) -> None:
    """The exported net computes what ours does; with an open batch, for another batch, too."""
    path, model = folder / "net.onnx", export_onnx(net, dynamic=dynamic)
    path.write_bytes(onnx_bytes(str(path), model))
    read = {name for node in model.graph.node for name in node.input} | {one.name for one in model.graph.output}
    assert {one.name for one in model.graph.initializer} <= read  # ONNX Runtime warns of others
    for batch in (None, 5) if dynamic else (None,):
        assert_agrees(net, path, inputs_of(net, given, batch), tolerance)


def assert_agrees(net: Assembly, path: Path, inputs: Arrays, tolerance: float = TOLERANCE) -> None:
    """A written file gives what our layers give for these inputs."""
    wanted, got = ours(net, inputs), theirs(path, inputs)
    assert list(got) == list(wanted)
    for name, value in wanted.items():
        assert difference(got[name], value) <= tolerance, (name, {name: one.shape for name, one in inputs.items()})
