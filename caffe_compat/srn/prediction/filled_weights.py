"""Whether a weights file fills a whole net: scores of layers that keep their fillers mean nothing."""

from collections.abc import Sequence

from caffe_compat.convert.formats.read import read_model
from caffe_compat.errors import GraphError, some_of
from caffe_compat.net.net import Net
from caffe_compat.net.weights import require_weights
from caffe_compat.proto.read import read_weights

SHOWN = 5


def require_filled(net: Net, weights: str | Sequence[str], prototxt: str, allow_unfilled: bool = False) -> list[str]:
    """Raises GraphError where a learnt layer of the net has no weights in the file, or in any of several files.

    With `allow_unfilled` this is only logged as a warning, and the names of such layers are returned; a file without
    any layer of the net is an error anyway.
    """
    files = [weights] if isinstance(weights, str) else list(weights)
    learnt = [step.layer for step in net.steps if step.layer.blobs]
    names = [layer.name for layer in learnt]
    found: set[str] = set()
    for file in files:
        if is_caffes(file):
            own = {layer.name for layer in read_weights(file).layers}
        else:
            own = {*read_model(file, description=prototxt).blobs}
        if is_caffes(file) and (allow_unfilled or own.isdisjoint(names)):
            require_weights(names, file, prototxt)
        found |= own
    shared = {spec.name for layer in learnt if layer.name in found for spec in layer.spec.parameter.param}
    unfilled = [
        layer.name
        for layer in learnt
        if layer.name not in found and not _is_shared([spec.name for spec in layer.spec.parameter.param], shared)
    ]
    if unfilled and not allow_unfilled:
        raise GraphError(
            f"{', '.join(files)}: expected weights of all {len(learnt)} learnt layers of {prototxt}, found none of "
            f"{some_of(unfilled, SHOWN)}; give the weights of this net, or --allow-unfilled to keep what "
            "fillers drew"
        )
    return unfilled


def is_caffes(file: str) -> bool:
    """Whether a weights file is Caffe's own, not one that a conversion wrote."""
    return not file.endswith((".safetensors", ".pt", ".pth"))


def _is_shared(names: list[str], owned: set[str]) -> bool:
    """Whether all weights of a layer belong to layers that the file fills."""
    return bool(names) and all(name and name in owned for name in names)
