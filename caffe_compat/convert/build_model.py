"""A model becomes a net that runs, with one copy of its weights."""

from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.convert.model import Model
from caffe_compat.errors import CaffeError, ShapeError
from caffe_compat.net.build import Surroundings, build_net
from caffe_compat.net.net import Net, prefix_file
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import LayerBlobs


def build_model(deployed: Model, phase: str = "TEST", surroundings: Surroundings = Surroundings()) -> Net:
    """The net of a deploy form with its weights; ShapeError where a layer that has weights got none.

    A deploy form has no fillers, so nothing is filled at random before the weights come.
    """
    with _naming(deployed.path):
        net = build_net(deployed.net, caffe_pb2.NetState(phase=phase), surroundings)
    types = {layer.name: layer.type for layer in deployed.net.layer}
    for step in net.steps:
        if step.layer.blobs and step.layer.name not in deployed.blobs:
            raise ShapeError(
                f"{deployed.path}: expected weights for {step.layer.spec}, found none; "
                "give the weights that belong to this net"
            )
    net.copy_layers([LayerBlobs(name, types[name], arrays) for name, arrays in deployed.blobs.items()], deployed.path)
    return net


@contextmanager
def _naming(path: str) -> Iterator[None]:
    try:
        yield
    except CaffeError as error:
        raise prefix_file(error, path) from error
