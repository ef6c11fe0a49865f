"""record_blobs.py must run on Python 2.7, which is not here: its syntax is checked by what it may not contain."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import caffe_compat
from caffe_compat.cli.commands.record import main
from caffe_compat.parity.recording import BlobSample, read_recording
from tests.cli.conftest import Program
from tests.parity.nets import net_of

SCRIPT = Path(__file__).resolve().parents[3] / "tools/record_blobs.py"
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "sum" type: "Reduction" bottom: "c" top: "s" }
"""


def nodes() -> list[ast.AST]:
    return list(ast.walk(ast.parse(SCRIPT.read_text())))


def test_it_has_no_syntax_of_python_3() -> None:
    forbidden = (
        ast.JoinedStr,
        ast.AnnAssign,
        ast.Nonlocal,
        ast.AsyncFunctionDef,
        ast.NamedExpr,
        ast.Match,
        ast.YieldFrom,
    )
    assert [node.lineno for node in nodes() if isinstance(node, forbidden)] == []
    for node in nodes():
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None
            assert not node.args.kwonlyargs
            assert all(argument.annotation is None for argument in node.args.args)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            assert not any(isinstance(element, ast.Starred) for element in node.elts)
        if isinstance(node, ast.Raise):
            assert node.cause is None


def test_it_prints_and_divides_as_python_3_does_and_imports_nothing_of_ours() -> None:
    imports = {alias.name for node in nodes() if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {"print_function", "division", "unicode_literals"} <= imports
    modules = {alias.name for node in nodes() if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= {"argparse", "glob", "os", "re", "shutil", "sys", "tempfile", "numpy", "caffe"}


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, whose caffe is this project's face."""
    import caffe_compat

    monkeypatch.setitem(sys.modules, "caffe", caffe_compat)
    monkeypatch.setitem(sys.modules, "caffe.proto", caffe_compat.proto)
    spec = importlib.util.spec_from_file_location("record_blobs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(record: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["record_blobs.py", *arguments])
    assert record.main() == 0


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    net_of(NET).save(str(tmp_path / "net.caffemodel"))
    return tmp_path


def net_arguments(folder: Path) -> list[str]:
    return ["--prototxt", f"{folder}/net.prototxt", "--weights", f"{folder}/net.caffemodel", f"{folder}/dump.npz"]


def test_a_dump_has_all_parts(record: ModuleType, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: dict[str, Any] = {"in/data": np.ones((1, 3, 6, 5)), "out_diff/s": np.full((), 2.0)}
    np.savez(files / "inputs.npz", **inputs)
    run(record, monkeypatch, *net_arguments(files), "--backward", "--inputs", f"{files}/inputs.npz")
    dump = read_recording(files / "dump.npz")
    assert list(dump.tops) == ["data/data", "conv/c", "relu/c", "sum/s"]
    assert dump.inputs["data"].shape == (1, 3, 6, 5)
    assert set(dump.weights) == set(dump.weights_after) == set(dump.weight_gradients) == {"conv/0", "conv/1"}
    assert np.all(dump.bottom_gradients["sum/c"] == 2)
    assert dump.blob_gradients["data"].any()
    assert dump.source.startswith(f"pycaffe {caffe_compat.__version__}")


def test_samples_take_the_place_of_tops(record: ModuleType, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(record, monkeypatch, *net_arguments(files), "--samples", "5", "--seed", "4")
    sample = read_recording(files / "dump.npz").tops["conv/c"]
    assert isinstance(sample, BlobSample)
    assert sample.values.shape == (5,)
    assert sample.largest >= np.abs(sample.values).max()


def test_old_pycaffes_lack_top_names_and_the_prototxt_tells_them(
    record: ModuleType, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = record.parser().parse_args(net_arguments(files))
    old = type("OldNet", (), {"_layer_names": ["data", "conv", "relu", "inserted_split", "sum"]})()
    expected = {"data": ["data"], "conv": ["c"], "relu": ["c"], "inserted_split": [], "sum": ["s"]}
    assert record.blobs_of_layers(old, arguments, "top") == expected


def test_a_training_is_recorded_with_its_history(
    record: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SCRIPT.parents[1] / "tests/goldens/bvlc/solvers/sgd_step"
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    options = ["--solver", "solver.prototxt", "--weights", "init.caffemodel", "--iterations", "4"]
    run(record, monkeypatch, *options, f"{tmp_path}/training.npz")
    dump, theirs = read_recording(tmp_path / "training.npz"), read_recording("run.npz")
    np.testing.assert_allclose(dump.losses["loss"], theirs.losses["loss"][:4], rtol=1e-5)
    assert set(dump.final_weights) == set(theirs.final_weights)
    assert len(dump.histories) == 9
    assert sorted(folder.iterdir()) == before


def test_a_python_without_caffe(record: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe", None)
    monkeypatch.setattr(sys, "argv", ["record_blobs.py", "--prototxt", "net.prototxt", "dump.npz"])
    with pytest.raises(
        SystemExit, match=r"^record_blobs.py: .*: expected a Python that can import caffe .* --caffe-root"
    ):
        record.main()


def test_the_command_copies_the_script(tmp_path: Path, program: Program) -> None:
    assert program("record", "--copy", tmp_path / "new" / "r.py") == (0, f"wrote {tmp_path}/new/r.py\n", "")
    assert program("record", "--copy", tmp_path) == (0, f"wrote {tmp_path}/record_blobs.py\n", "")
    assert (
        (tmp_path / "new" / "r.py").read_bytes() == (tmp_path / "record_blobs.py").read_bytes() == SCRIPT.read_bytes()
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "expected what to record: --prototxt NET --weights MODEL DUMP.npz, or --copy FILE"),
        (
            ("--python", "/no/python", "--prototxt", "n", "d.npz"),
            1,
            "/no/python: cannot be run as a Python: No such file",
        ),
    ],
)
def test_wrong_command_lines(arguments: tuple[str, ...], status: int, message: str, program: Program) -> None:
    got, _, errors = program("record", *arguments)
    assert got == status
    assert errors.startswith(f"caffe-compat record: {message}")


def test_the_command_passes_on_what_is_the_scripts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nshift\necho "$@"\nexit 4\n')
    python.chmod(0o755)
    assert main(["--python", str(python), "--prototxt", "n", "-x=1", "d.npz"]) == 4
    assert capfd.readouterr().out == "--prototxt n -x=1 d.npz\n"
