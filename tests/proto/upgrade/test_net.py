from pathlib import Path

import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_text
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import PROBLEMS, upgrade_net
from caffe_compat.proto.upgrade.net import UPGRADES

FOLDER = Path(__file__).parents[2] / "goldens/bvlc/upgrade"


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


@pytest.mark.parametrize("name", ["v0_caffenet", "v1_lenet"])
def test_nets_become_what_caffes_tool_wrote(name) -> None:
    old = read_text(FOLDER / f"{name}.prototxt", caffe_pb2.NetParameter)
    assert upgrade_net(old, "f")
    assert old == read_text(FOLDER / f"{name}.upgraded.prototxt", caffe_pb2.NetParameter)
    assert upgrade_net(old, "f") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'input: "a" input: "b" input_shape { dim: 1 } input_shape { dim: 2 dim: 3 } layer { name: "x" }',
            'layer { name: "input" type: "Input" top: "a" top: "b" '
            'input_param { shape { dim: 1 } shape { dim: 2 dim: 3 } } } layer { name: "x" }',
        ),
        (
            'input: "a" input: "b" input_dim: [1, 2, 3, 4, 5, 6, 7, 8, 9]',
            'layer { name: "input" type: "Input" top: "a" top: "b" '
            "input_param { shape { dim: [1, 2, 3, 4] } shape { dim: [5, 6, 7, 8] } } }",
        ),
        ('input: "a" layer { name: "x" }', 'layer { name: "x" }'),
        ("input_dim: 3", "input_dim: 3"),
        (
            'layer { type: "BatchNorm" param { name: "s" lr_mult: 1 } param { } param { decay_mult: 2 } }',
            'layer { type: "BatchNorm" param { name: "s" lr_mult: 0 decay_mult: 0 } '
            "param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } }",
        ),
        ('layer { type: "BatchNorm" param { } }', 'layer { type: "BatchNorm" param { } }'),
    ],
)
def test_fields_of_todays_nets(old, new) -> None:
    upgraded = net(old)
    upgrade_net(upgraded)
    assert upgraded == net(new)


def test_order_is_caffes_and_then_come_the_forks() -> None:
    assert [upgrade.apply.__name__ for upgrade in UPGRADES] == [
        "upgrade_v0",
        "move_transform_fields",
        "upgrade_v1",
        "inputs_to_layer",
        "freeze_batch_norm_params",
        "say_fields_of_forks_as_bvlc",
        "split_scaled_batch_norms",
        "give_old_crops_their_offsets",
    ]


def test_log_says_what_was_lost() -> None:
    log = upgrade_net(net('layers { layer { name: "r" type: "relu" group: 2 } }'), "old.prototxt")
    assert log[0] == "Attempting to upgrade input file specified using deprecated V0LayerParameter: old.prototxt"
    assert log[1] == "Unknown parameter group for layer type relu"
    assert log[2].startswith(PROBLEMS)
    assert log[-1] == "Successfully upgraded file specified using deprecated V1LayerParameter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name: "n" input: "a" input: "b" input_shape { dim: 1 }',
            r"^net 'n': 2 inputs, but only 1 input_shape fields",
        ),
        (
            'name: "n" input: "a" input_dim: 1',
            r"^net 'n': 1 inputs need 4 input_dim fields \(num, .*, found 1; or give",
        ),
    ],
)
def test_refuses_inputs_without_enough_sizes(text, message) -> None:
    with pytest.raises(FormatError, match=message):
        upgrade_net(net(text))
