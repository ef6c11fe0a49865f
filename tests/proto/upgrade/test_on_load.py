from pathlib import Path

import pytest

from caffe_compat.errors import FormatError, SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_text
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import PROBLEMS, complete_snapshot_prefix, upgrade_net, upgrade_solver
from caffe_compat.proto.upgrade.on_load import SOLVER_TYPES, UPGRADES

FOLDER = Path(__file__).parents[2] / "goldens/bvlc/upgrade"


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


@pytest.mark.parametrize("name", ["v0_caffenet", "v1_lenet"])
def test_nets_become_what_caffes_tool_wrote(name: str) -> None:
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
def test_fields_of_todays_nets(old: str, new: str) -> None:
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
        "give_prior_boxes_of_sstd_their_widths",
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
def test_refuses_inputs_without_enough_sizes(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        upgrade_net(net(text))


def test_solver_becomes_what_caffes_tool_wrote() -> None:
    old = read_text(FOLDER / "old_solver.prototxt", caffe_pb2.SolverParameter)
    assert upgrade_solver(old, "f")[0].endswith("'solver_type' field (enum): f")
    assert old == read_text(FOLDER / "old_solver.upgraded.prototxt", caffe_pb2.SolverParameter)
    assert upgrade_solver(old, "f") == []


@pytest.mark.parametrize(("old", "new"), SOLVER_TYPES.items())
def test_every_solver_type_has_its_name(old: str, new: str) -> None:
    solver = parse_text(f"solver_type: {old}", caffe_pb2.SolverParameter)
    upgrade_solver(solver)
    assert solver == caffe_pb2.SolverParameter(type=new)


def test_all_solver_types_are_covered() -> None:
    assert set(SOLVER_TYPES) == set(caffe_pb2.SolverParameter.SolverType.keys())


def test_refuses_two_solver_types() -> None:
    solver = parse_text('solver_type: SGD type: "Adam"', caffe_pb2.SolverParameter)
    with pytest.raises(
        SolverError, match=r"^s: both solver_type and type are set; remove solver_type, which is the older"
    ):
        upgrade_solver(solver, "s")


@pytest.mark.parametrize(
    ("given", "expected", "logged"),
    [
        (None, "{folder}/my.solver", "snapshot_prefix was not specified and is set to "),
        ("{folder}", "{folder}/my.solver", "snapshot_prefix was a directory and is replaced to "),
        ("snapshots/a", "snapshots/a", None),
    ],
)
def test_snapshot_prefix(tmp_path: Path, given: str | None, expected: str, logged: str | None) -> None:
    prefix = given and given.format(folder=tmp_path)
    solver = caffe_pb2.SolverParameter(snapshot_prefix=prefix)
    log = complete_snapshot_prefix(solver, tmp_path / "my.solver.prototxt")
    assert solver.snapshot_prefix == expected.format(folder=tmp_path)
    assert log == ([logged + solver.snapshot_prefix] if logged else [])
