"""Selects the layers of a net that a NetState includes (Net::FilterNet, Net::StateMeetsRule)."""

from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2


def filter_net(net: caffe_pb2.NetParameter, state: caffe_pb2.NetState) -> caffe_pb2.NetParameter:
    """Returns a copy of the net with only the layers that the state includes."""
    filtered = caffe_pb2.NetParameter()
    filtered.CopyFrom(net)
    filtered.state.CopyFrom(state)
    del filtered.layer[:]
    filtered.layer.extend(layer for layer in net.layer if is_included(layer, state))
    return filtered


def is_included(layer: caffe_pb2.LayerParameter, state: caffe_pb2.NetState) -> bool:
    """Whether the state includes the layer.

    With include rules, at least one must hold. With exclude rules, none may hold. GraphError if a layer has both.
    """
    if layer.include and layer.exclude:
        raise GraphError(
            f"layer '{layer.name}' ({layer.type}): expected either include or exclude rules, found both; "
            "say the same with one kind"
        )
    if layer.include:
        return any(meets(state, rule) for rule in layer.include)
    return not any(meets(state, rule) for rule in layer.exclude)


def meets(state: caffe_pb2.NetState, rule: caffe_pb2.NetStateRule) -> bool:
    """Whether the state meets the rule: its phase, its range of levels, all of its stages and none of `not_stage`."""
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )
