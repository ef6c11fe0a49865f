"""Inserts Split layers, so that each reader of a blob has its own copy; names are Caffe's (insert_splits.cpp).

The backward of a Split then sums the gradients of all readers. `net.blobs` and the list of layers equal pycaffe's,
and a .caffemodel that we write has the same layers as Caffe's.
"""

from collections import Counter

from caffe_compat.errors import GraphError
from caffe_compat.graph.wiring import Value, Wiring
from caffe_compat.proto import caffe_pb2


def insert_splits(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """Returns a copy of the net in which every blob has at most one reader; a loss weight counts as a reader."""
    wiring = _require_connected(net)
    weights = _loss_weights(net)
    uses = {top: len(readers) + (weights[top] != 0) for top, readers in wiring.uses.items()}
    split = caffe_pb2.NetParameter()
    split.CopyFrom(net)
    del split.layer[:]
    taken: Counter[Value] = Counter()
    for index, original in enumerate(net.layer):
        layer = split.layer.add()
        layer.CopyFrom(original)
        for position, blob in enumerate(original.bottom):
            source = wiring.sources[index][position]
            if source is not None and uses[source] > 1:
                layer.bottom[position] = _split_name(net, source, blob) + f"_{taken[source]}"
                taken[source] += 1
        for position, blob in enumerate(original.top):
            top = (index, position)
            if uses[top] > 1:
                _add_split(split, _split_name(net, top, blob), blob, uses[top], weights[top])
                if weights[top]:
                    layer.ClearField("loss_weight")
                    taken[top] += 1
    return split


def _require_connected(net: caffe_pb2.NetParameter) -> Wiring:
    """Returns the net's wiring; GraphError for a bottom that no earlier layer makes."""
    wiring = Wiring.of_layers(net.layer)
    for index, layer in enumerate(net.layer):
        for position, blob in enumerate(layer.bottom):
            if wiring.sources[index][position] is None:
                made = list(dict.fromkeys(top for before in net.layer[:index] for top in before.top))
                known = f"; blobs made before it: {', '.join(made[-8:])}" if made else ""
                raise GraphError(
                    f"layer '{layer.name}' ({layer.type}): unknown bottom blob '{blob}' (bottom {position}): "
                    f"no layer before it makes this top{known}"
                )
    return wiring


def _loss_weights(net: caffe_pb2.NetParameter) -> Counter[Value]:
    return Counter(
        {
            (index, position): weight
            for index, layer in enumerate(net.layer)
            for position, weight in enumerate(layer.loss_weight[: len(layer.top)])
        }
    )


def _split_name(net: caffe_pb2.NetParameter, top: Value, blob: str) -> str:
    return f"{blob}_{net.layer[top[0]].name}_{top[1]}_split"


def _add_split(net: caffe_pb2.NetParameter, name: str, blob: str, count: int, loss_weight: float) -> None:
    layer = net.layer.add(name=name, type="Split", bottom=[blob])
    layer.top.extend(f"{name}_{index}" for index in range(count))
    if loss_weight:
        layer.loss_weight.extend([loss_weight] + [0.0] * (count - 1))
