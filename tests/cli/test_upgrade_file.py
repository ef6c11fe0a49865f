"""The three upgrade commands beside what Caffe's tools wrote."""

from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from tests.cli.conftest import Run
from tests.cli.messages import messages


@pytest.mark.parametrize("name", ["v0_caffenet", "v1_lenet"])
def test_a_net_becomes_what_caffes_tool_makes_of_it(name: str, goldens: Path, tmp_path: Path, run: Run) -> None:
    old = goldens / "bvlc" / "upgrade" / f"{name}.prototxt"
    status, log = run("upgrade_net_proto_text", old, tmp_path / "new.prototxt")
    assert status == 0
    assert messages(log)[-1] == f"Wrote upgraded NetParameter text proto to {tmp_path}/new.prototxt"
    expected, got = (
        text_format.Parse(file.read_text(), caffe_pb2.NetParameter())
        for file in (old.with_suffix(".upgraded.prototxt"), tmp_path / "new.prototxt")
    )
    assert got == expected


def test_a_solver_becomes_what_caffes_tool_makes_of_it(goldens: Path, tmp_path: Path, run: Run) -> None:
    old = goldens / "bvlc" / "upgrade" / "old_solver.prototxt"
    status, _ = run("upgrade_solver_proto_text", old, tmp_path / "new.prototxt")
    assert status == 0
    expected, got = (
        text_format.Parse(file.read_text(), caffe_pb2.SolverParameter())
        for file in (old.with_suffix(".upgraded.prototxt"), tmp_path / "new.prototxt")
    )
    assert got == expected


def test_weights_keep_their_numbers(goldens: Path, tmp_path: Path, run: Run) -> None:
    old = goldens / "bvlc" / "solvers" / "sgd_fixed" / "init.caffemodel"
    status, log = run("upgrade_net_proto_binary", old, tmp_path / "new.caffemodel")
    assert status == 0
    assert f"Attempting to upgrade batch norm layers using deprecated params: {old}" in messages(log)
    before, after = read_weights(old), read_weights(tmp_path / "new.caffemodel")
    assert [layer.name for layer in after.layers] == [layer.name for layer in before.layers]
    for layer, other in zip(before.layers, after.layers, strict=True):
        assert all((blob == copy).all() for blob, copy in zip(layer.blobs, other.blobs, strict=True))


def test_a_file_of_today_is_said_to_be_one(tmp_path: Path, run: Run) -> None:
    old = tmp_path / "old.prototxt"
    old.write_text('layer { name: "s" type: "Silence" bottom: "x" }')
    status, log = run("upgrade_net_proto_text", old, tmp_path / "new.prototxt")
    assert status == 0
    assert messages(log)[0] == f"File already in latest proto format: {old}"


def test_what_cannot_be_carried_over_is_status_1(tmp_path: Path, run: Run) -> None:
    old = tmp_path / "old.prototxt"
    old.write_text(
        'input: "x" input_dim: [1, 2, 3, 4] '
        'layers { layer { name: "p" type: "pool" num_output: 3 } bottom: "x" top: "y" }'
    )
    status, log = run("upgrade_net_proto_text", old, tmp_path / "new.prototxt")
    assert status == 1
    assert "num_output" in log


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("upgrade_net_proto_text", "text file as NetParameter"),
        ("upgrade_net_proto_binary", "binary file as NetParameter"),
        ("upgrade_solver_proto_text", "text file as SolverParameter"),
    ],
)
def test_a_file_that_cannot_be_read_is_status_2(command: str, what: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "odd").write_text("this is { no message")
    status, log = run(command, tmp_path / "odd", tmp_path / "new")
    assert status == 2
    assert messages(log)[-1].startswith(f"Failed to parse input {what}: {tmp_path}/odd")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text"])
def test_two_files_are_needed(command: str, run: Run) -> None:
    status, log = run(command, "one")
    assert (status, messages(log)) == (2, ["the following arguments are required: OUT"])
