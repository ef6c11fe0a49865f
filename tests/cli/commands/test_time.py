"""`time`: benchmarks a model."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.messages import messages

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
