"""Which layers a state includes."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import GraphError
from caffe_compat.graph.phase_rules import filter_net, is_included
from caffe_compat.proto import caffe_pb2


def layer(rules: str) -> caffe_pb2.LayerParameter:
    return text_format.Parse(f'name: "l" type: "ReLU" {rules}', caffe_pb2.LayerParameter())


STATE = caffe_pb2.NetState(phase=caffe_pb2.TEST, level=2, stage=["a", "b"])


@pytest.mark.parametrize(
    ("rules", "included"),
    [
        ("", True),
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: TRAIN } include { stage: 'a' }", True),
        ("include { min_level: 2 }", True),
        ("include { min_level: 3 }", False),
        ("include { max_level: 2 }", True),
        ("include { max_level: 1 }", False),
        ("include { stage: 'a' stage: 'b' }", True),
        ("include { stage: 'a' stage: 'c' }", False),
        ("include { not_stage: 'c' }", True),
        ("include { not_stage: 'b' }", False),
        ("exclude { phase: TRAIN }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TEST level: 9 }".replace("level: 9", "min_level: 9"), True),
        ("exclude { stage: 'a' } exclude { stage: 'z' }", False),
    ],
)
def test_rule(rules: str, included: bool) -> None:
    assert is_included(layer(rules), STATE) is included


def test_both_kinds_are_refused() -> None:
    with pytest.raises(GraphError, match=r"^layer 'l' \(ReLU\): expected either include or exclude rules, found both"):
        is_included(layer("include { phase: TEST } exclude { phase: TRAIN }"), STATE)


def test_filter_keeps_order_and_records_the_state() -> None:
    net = caffe_pb2.NetParameter(name="n")
    for name, rule in (("x", ""), ("y", "include { phase: TRAIN }"), ("z", "")):
        added = net.layer.add()
        added.CopyFrom(layer(rule))
        added.name = name
    filtered = filter_net(net, STATE)
    assert [kept.name for kept in filtered.layer] == ["x", "z"]
    assert filtered.state == STATE
    assert len(net.layer) == 3
