"""`time`: benchmarks a model."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import write_caffemodel
from tests.cli.conftest import Run
from tests.cli.messages import messages
from tests.convert.models import model_of

NET = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 4 } }
layer { name: "train_only" type: "Power" bottom: "y" top: "z" include { phase: TRAIN } }
"""


@pytest.mark.parametrize(("phase", "layers"), [("", ["data", "ip", "train_only"]), ("TEST", ["data", "ip"])])
def test_every_layer_and_the_whole(phase: str, layers: list[str], tmp_path: Path, run: Run) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(NET)
    status, log = run("time", "--model", file, "--iterations", "2", f"--phase={phase}")
    assert status == 0
    lines = messages(log)
    lines = [re.sub(r": [\d.e-]+ ms\.$", ": T ms.", line) for line in lines[lines.index("Performing Forward") :]]
    assert lines[1:5] == [
        "Initial loss: 0",
        "Performing Backward",
        "*** Benchmark begins ***",
        "Testing for 2 iterations.",
    ]
    assert lines[5:8] == [
        "Iteration: 1 forward-backward time: T ms.",
        "Iteration: 2 forward-backward time: T ms.",
        "Average time per layer: ",
    ]
    each = [f"{name:>10}\t{way}: T ms." for name in layers for way in ("forward", "backward")]
    assert lines[8:] == [
        *each,
        "Average Forward pass: T ms.",
        "Average Backward pass: T ms.",
        "Average Forward-Backward: T ms.",
        "Total Time: T ms.",
        "*** Benchmark ends ***",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Need a model definition to time."),
        (["--model=m", "--phase=BOTH"], "argument --phase: invalid choice: 'BOTH' (choose from TRAIN, TEST)"),
        (["--model=m", "--iterations=0"], "argument --iterations: expected a whole number from 1 on, found '0'"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str, run: Run) -> None:
    status, log = run("time", *arguments)
    assert (status, messages(log)) == (2, [message])


def test_times_for_programs(tmp_path: Path, run: Run) -> None:
    net, file = tmp_path / "net.prototxt", tmp_path / "new" / "times.json"
    net.write_text(NET)
    assert run("time", "--model", net, "--iterations", 3, "--json", file, "--quiet") == (0, "")
    figures = json.loads(file.read_text())
    assert (figures["model"], figures["iterations"]) == (str(net), 3)
    assert [layer["name"] for layer in figures["layers"]] == ["data", "ip", "train_only"]
    for way in ("forward_ms", "backward_ms"):
        assert sum(layer[way] for layer in figures["layers"]) == pytest.approx(figures[way])
    assert figures["total_ms"] == pytest.approx(3 * figures["forward_backward_ms"])
    assert figures["forward_backward_ms"] > figures["forward_ms"] + figures["backward_ms"] > 0


WITH_LOSS = NET + 'layer { name: "sum" type: "Reduction" bottom: "y" top: "sum" loss_weight: 1 }'


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_weights_are_those_of_the_file(engine: str, tmp_path: Path, run: Run) -> None:
    net, file = tmp_path / "net.prototxt", tmp_path / "times.json"
    net.write_text(WITH_LOSS)
    weights = [str(tmp_path / f"{name}.caffemodel") for name in ("first", "second")]
    for path, value in zip(weights, (0.5, 3), strict=True):
        model = model_of(WITH_LOSS)
        model.blobs["ip"] = [np.zeros((4, 3), np.float32), np.full(4, value, np.float32)]
        write_caffemodel(path, model)
    flags = ("--phase", "TEST", "--engine", engine, "--iterations", 1, "--json", file)
    status, log = run("time", "--model", net, "--weights", ",".join(weights), *flags)
    lines = messages(log)
    assert status == 0
    assert [line for line in lines if line.startswith("Finetuning")] == [f"Finetuning from {one}" for one in weights]
    assert json.loads(file.read_text())["weights"] == ",".join(weights)
    if engine == "exact":
        assert "Initial loss: 24" in lines

    status, log = run("time", "--model", net, "--weights", tmp_path / "none.caffemodel", *flags)
    assert status == 1
    assert messages(log)[-1].startswith(f"{tmp_path / 'none.caffemodel'}: no such file")


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, run: Run) -> None:
    status, log = run("time", "--model", tmp_path / "none.prototxt", "--json", tmp_path)
    assert status == 1
    assert messages(log) == [f"{tmp_path}: expected a file to write, found a folder; name a file in it"]


LEARNS = (
    NET
    + """
layer { name: "target" type: "DummyData" top: "target" dummy_data_param { shape { dim: 2 dim: 4 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "target" include { phase: TRAIN } }
"""
)


@pytest.mark.parametrize(
    ("engine", "phase", "measured"),
    [
        ("fast", "TRAIN", ["forward_ms", "forward_backward_ms"]),
        ("fast", "TEST", ["forward_ms"]),
        ("fast-bf16", "TEST", ["forward_ms"]),
        ("onnxruntime", "TEST", ["forward_ms"]),
    ],
)
def test_an_engine_is_timed_as_a_whole(engine: str, phase: str, measured: list[str], tmp_path: Path, run: Run) -> None:
    net, file = tmp_path / "net.prototxt", tmp_path / "times.json"
    net.write_text(LEARNS)
    status, log = run("time", "--model", net, "--engine", engine, "--phase", phase, "--iterations", 2, "--json", file)
    assert status == 0
    figures = json.loads(file.read_text())
    assert list(figures) == ["model", "weights", "engine", "iterations", *measured]
    assert figures["engine"] == engine
    assert all(figures[name] > 0 for name in measured)
    titles = {"forward_ms": "Average Forward pass", "forward_backward_ms": "Average Forward-Backward"}
    assert messages(log)[-len(measured) :] == [f"{titles[name]}: {figures[name]:g} ms." for name in measured]


LOSS_AT_TEST = LEARNS.replace('bottom: "target" include { phase: TRAIN }', 'bottom: "target"')
FORCED = "force_backward: true\n" + NET


@pytest.mark.parametrize(
    ("text", "engine", "measured"),
    [
        (LOSS_AT_TEST, "fast", ["forward_ms", "forward_backward_ms"]),
        (LOSS_AT_TEST, "onnxruntime", ["forward_ms"]),
        (FORCED, "fast", ["forward_ms"]),
        (FORCED, "onnxruntime", ["forward_ms"]),
    ],
)
def test_backward_is_timed_where_an_engine_finds_gradients(
    text: str, engine: str, measured: list[str], tmp_path: Path, run: Run
) -> None:
    net, file = tmp_path / "net.prototxt", tmp_path / "times.json"
    net.write_text(text)
    status, log = run("time", "--model", net, "--engine", engine, "--phase", "TEST", "--iterations", 1, "--json", file)
    assert (status, list(json.loads(file.read_text()))) == (
        0,
        ["model", "weights", "engine", "iterations", *measured],
    ), log


def test_an_engine_that_only_predicts_times_no_training(tmp_path: Path, run: Run) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(LEARNS)
    status, log = run("time", "--model", net, "--engine", "onnxruntime")
    assert status == 1
    assert (
        messages(log)[-1]
        == "--engine onnxruntime predicts only (time: --phase TEST); train with --engine fast or exact"
    )
