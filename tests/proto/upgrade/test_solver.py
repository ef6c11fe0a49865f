from pathlib import Path

import pytest

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_text
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import complete_snapshot_prefix, upgrade_solver
from caffe_compat.proto.upgrade.solver import SOLVER_TYPES

FOLDER = Path(__file__).parents[2] / "goldens/bvlc/upgrade"


def test_solver_becomes_what_caffes_tool_wrote() -> None:
    old = read_text(FOLDER / "old_solver.prototxt", caffe_pb2.SolverParameter)
    assert upgrade_solver(old, "f")[0].endswith("'solver_type' field (enum): f")
    assert old == read_text(FOLDER / "old_solver.upgraded.prototxt", caffe_pb2.SolverParameter)
    assert upgrade_solver(old, "f") == []


@pytest.mark.parametrize(("old", "new"), SOLVER_TYPES.items())
def test_every_solver_type_has_its_name(old, new) -> None:
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
def test_snapshot_prefix(tmp_path, given, expected, logged) -> None:
    prefix = given and given.format(folder=tmp_path)
    solver = caffe_pb2.SolverParameter(snapshot_prefix=prefix)
    log = complete_snapshot_prefix(solver, tmp_path / "my.solver.prototxt")
    assert solver.snapshot_prefix == expected.format(folder=tmp_path)
    assert log == ([logged + solver.snapshot_prefix] if logged else [])
