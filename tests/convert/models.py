"""Models for tests: from text, with seeded weights, or from the records."""

from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format

from caffe_compat.convert.model import Model, assemble
from caffe_compat.graph.builder import shapes_only
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net

GOLDENS = Path(__file__).parents[1] / "goldens"
LIKE = GOLDENS / "srn_fork" / "released_like"
RELEASED = str(LIKE / "weights.caffemodel")
STAGES = GOLDENS / "bvlc" / "stages" / "mini_srn"


def model_of(text: str, seed: int = 0, dialect: str = "bvlc", path: str = "net.caffemodel") -> Model:
    """The net of a prototxt with weights of N(0, 1), but statistics above 0."""
    net = text_format.Parse(text, caffe_pb2.NetParameter())
    upgrade_net(net)
    generator = np.random.default_rng(seed)
    builder = shapes_only({})
    blobs = {}
    for parameter in net.layer:
        layer = builder.add(parameter).layer
        arrays = [generator.normal(size=tuple(blob.shape)).astype(np.float32) for blob in layer.blobs]
        if parameter.type in ("BN", "BatchNorm"):
            arrays[-2:] = [(np.abs(array) + 0.5).astype(np.float32) for array in arrays[-2:]]
        if arrays:
            blobs[parameter.name] = arrays
    return Model(net, blobs, dialect, path)


def run(model: Model, seed: int = 1) -> dict[str, np.ndarray]:
    """The outputs of a deploy form for seeded inputs."""
    net = assemble(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        made = net.run({name: torch.randn(shape, generator=generator) for name, shape in net.inputs.items()})
    return {name: value.numpy() for name, value in made.items()}


def assert_same_blobs(one: Model, other: Model) -> None:
    """Bit for bit, in the same order."""
    assert one.blobs.keys() == other.blobs.keys()
    for name, arrays in one.blobs.items():
        assert [array.shape for array in arrays] == [array.shape for array in other.blobs[name]], name
        assert [array.tobytes() for array in arrays] == [array.tobytes() for array in other.blobs[name]], name


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray], tolerance: float) -> None:
    """Within a part of the largest value."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.abs(value - other[name]).max() <= tolerance * np.abs(value).max(), name
