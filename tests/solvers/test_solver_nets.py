"""Which nets a solver builds, in which state, and what it refuses."""

from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_compat.errors import GraphError, SolverError
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver_nets import build_test_nets, build_train_net

LAYERS = """
  layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
  layer { name: "train_only" type: "Power" bottom: "data" top: "a" include { phase: TRAIN } }
  layer { name: "deep" type: "Power" bottom: "data" top: "b" include { min_level: 2 stage: "deep" } }
  layer { name: "test_only" type: "Power" bottom: "data" top: "c" include { phase: TEST not_stage: "quiet" } }
"""


def parse(text: str) -> caffe_pb2.SolverParameter:
    return text_format.Parse(text, caffe_pb2.SolverParameter())


def built(text: str) -> tuple[list[str], list[list[str]]]:
    """The names of the layers of the train net and of the test nets."""
    parameter = parse(text)
    nets = [build_train_net(parameter, Surroundings()), *build_test_nets(parameter, Surroundings())]
    names = [[name for name in net.layer_names if "data" not in name] for net in nets]
    return names[0], names[1:]


def test_a_generic_net_is_trained_and_tested() -> None:
    train, test = built(f"net_param {{ {LAYERS} }} test_iter: 3 test_iter: 1 test_interval: 5")
    assert train == ["train_only"]
    assert test == [["test_only"], ["test_only"]]


def test_states_are_the_defaults_then_the_nets_then_the_solvers() -> None:
    train, test = built(
        f'net_param {{ state {{ level: 1 stage: "deep" }} {LAYERS} }} train_state {{ level: 2 }} '
        'test_iter: 1 test_iter: 1 test_interval: 5 test_state { stage: "quiet" } test_state { level: 3 }'
    )
    assert train == ["train_only", "deep"]
    assert test == [[], ["deep", "test_only"]]


def test_files_and_messages_give_test_nets_in_caffes_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    file = tmp_path / "net.prototxt"
    file.write_text(LAYERS.replace("test_only", "from_file"))
    train, test = built(
        f'train_net: "{file}" test_net: "{file}" test_net_param {{ {LAYERS} }} '
        "test_iter: 1 test_iter: 2 test_interval: 1"
    )
    assert (train, test) == (["train_only"], [["test_only"], ["from_file"]])
    assert f"Creating training net from train_net file: {file}" in caplog.messages
    assert "Creating test net (#0) specified by test_net_param" in caplog.messages
    assert f"Creating test net (#1) specified by test_net file: {file}" in caplog.messages


def test_a_net_inside_of_the_solver_is_upgraded() -> None:
    train, _ = built(
        'net_param { input: "data" input_dim: [2, 3, 1, 1] layer { name: "p" type: "Power" bottom: "data" top: "y" } }'
    )
    assert train == ["input", "p"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^SolverParameter must specify a train net using exactly one of these fields: net, .*; found none"),
        ('net: "a" train_net: "b"', r"^SolverParameter must specify .*; found net, train_net"),
        ("net_param {} test_net_param {}", r"^test_iter must be specified for each test network: expected 1, found 0"),
        ("train_net_param {} test_iter: 1", r"^test_iter must be specified for each test network: expected 0, found 1"),
        (
            "net_param {} test_iter: 1 test_interval: 1 test_state {} test_state {}",
            r"^test_state must be unspecified or specified once per test net: expected 1, found 2",
        ),
        ("net_param {} test_iter: 1", r"^test_interval: expected above 0 where there are test nets, got 0"),
    ],
)  # fmt: skip
def test_contradictions_are_refused_in_caffes_words(text: str, message: str) -> None:
    with pytest.raises(SolverError, match=message):
        built(text)


def test_errors_name_the_nets_file(tmp_path: Path) -> None:
    file = tmp_path / "broken.prototxt"
    file.write_text('layer { name: "p" type: "Power" bottom: "nowhere" top: "y" }')
    with pytest.raises(GraphError, match=rf"^{file}: layer 'p' \(Power\): unknown bottom blob 'nowhere'"):
        built(f'net: "{file}"')


def test_a_net_that_trains_otherwise_than_in_caffe_is_told(caplog: pytest.LogCaptureFixture) -> None:
    layers = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }
      layer { name: "c" type: "Clip" bottom: "y" top: "y" clip_param { min: 0 max: 1 } loss_weight: 1 }"""
    build_train_net(parse(f"net_param {{ {layers} }}"), Surroundings())
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith("layer 'c' (Clip): in place, Caffe passes the gradient also where it clipped")
    assert told.endswith("(docs/parity.md)")


@pytest.mark.parametrize(("passes", "lines"), [(1, 0), (6, 1)])
def test_what_caffe_overwrites_is_told_where_an_update_has_several_passes(
    passes: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    layers = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 2 } } }
      layer { name: "s" type: "Scale" bottom: "x" top: "y" loss_weight: 1 }"""
    build_train_net(parse(f"net_param {{ {layers} }} iter_size: {passes}"), Surroundings())
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == lines
    assert all(line.startswith("layer 's' (Scale): ") and f"with iter_size {passes}," in line for line in told)
