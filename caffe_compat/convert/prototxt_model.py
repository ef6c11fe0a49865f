"""The net of a prototxt with the weights of a file, put together by layer name as Caffe does."""

from dataclasses import replace

from caffe_compat.convert.model import Model
from caffe_compat.convert.report import Report
from caffe_compat.errors import GraphError
from caffe_compat.proto.read import read_net


def with_prototxt(model: Model, prototxt: str, report: Report) -> Model:
    """The prototxt's net; weights of layers that it lacks are dropped. GraphError if no name is in both."""
    net = read_net(prototxt)
    names = {layer.name for layer in net.layer}
    shared = {name: blobs for name, blobs in model.blobs.items() if name in names}
    if model.blobs and not shared:
        raise GraphError(
            f"{prototxt}: expected layers named as in {model.path} ({', '.join(list(model.blobs)[:3])} ...), "
            f"found none of them ({', '.join(list(names)[:3])} ...); give the net that the weights belong to"
        )
    for layer in model.net.layer:
        if layer.name not in names:
            report.dropped(layer.name, f"{prototxt} has no layer of this name")
    known = {layer.name for layer in model.net.layer}
    for name in (layer.name for layer in net.layer if layer.name not in known):
        report.added(name, f"from {prototxt}")
    return replace(model, net=net, blobs=shared, is_filtered=False)
