"""Gives every reader of a blob its own copy through Split layers, named as Caffe names them (insert_splits.cpp).

The sum of gradients at a blob with several readers then is the backward of one layer, `net.blobs` and the layer list
show what pycaffe shows, and a .caffemodel that we write has the layers that Caffe's has.
"""

from collections import Counter
from dataclasses import dataclass, field

from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2

Top = tuple[int, int]  # layer, top


@dataclass
class _Uses:
    source_of: dict[Top, Top] = field(default_factory=dict)  # (layer, bottom) -> the top it reads
    count: Counter[Top] = field(default_factory=Counter)
    loss_weight: dict[Top, float] = field(default_factory=dict)


def insert_splits(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """A copy of the net in which every blob has at most one reader (a loss weight counts as one)."""
    uses = _find_uses(net)
    split = caffe_pb2.NetParameter()
    split.CopyFrom(net)
    del split.layer[:]
    taken: Counter[Top] = Counter()
    for index, original in enumerate(net.layer):
        layer = split.layer.add()
        layer.CopyFrom(original)
        for position, blob in enumerate(original.bottom):
            source = uses.source_of[index, position]
            if uses.count[source] > 1:
                layer.bottom[position] = _split_name(net, source, blob) + f"_{taken[source]}"
                taken[source] += 1
        for position, blob in enumerate(original.top):
            top = (index, position)
            if uses.count[top] > 1:
                weight = uses.loss_weight.get(top, 0.0)
                _add_split(split, _split_name(net, top, blob), blob, uses.count[top], weight)
                if weight:
                    layer.ClearField("loss_weight")
                    taken[top] += 1
    return split


def _find_uses(net: caffe_pb2.NetParameter) -> _Uses:
    uses = _Uses()
    producer: dict[str, Top] = {}
    for index, layer in enumerate(net.layer):
        for position, blob in enumerate(layer.bottom):
            if blob not in producer:
                known = f"; blobs made before it: {', '.join(list(producer)[-8:])}" if producer else ""
                raise GraphError(
                    f"layer '{layer.name}' ({layer.type}): unknown bottom blob '{blob}' (bottom {position}): "
                    f"no layer before it makes this top{known}"
                )
            uses.source_of[index, position] = producer[blob]
            uses.count[producer[blob]] += 1
        producer.update({blob: (index, position) for position, blob in enumerate(layer.top)})
        for blob, weight in zip(layer.top, layer.loss_weight, strict=False):
            uses.loss_weight[producer[blob]] = weight
            uses.count[producer[blob]] += weight != 0
    return uses


def _split_name(net: caffe_pb2.NetParameter, top: Top, blob: str) -> str:
    return f"{blob}_{net.layer[top[0]].name}_{top[1]}_split"


def _add_split(net: caffe_pb2.NetParameter, name: str, blob: str, count: int, loss_weight: float) -> None:
    layer = net.layer.add(name=name, type="Split", bottom=[blob])
    layer.top.extend(f"{name}_{index}" for index in range(count))
    if loss_weight:
        layer.loss_weight.extend([loss_weight] + [0.0] * (count - 1))
