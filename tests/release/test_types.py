"""A user's program has types in editors: pyright (as basedpyright ships it) and mypy see them, without an error."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import torch

import caffe_compat as caffe

module = caffe.load("net.safetensors")
reveal_type(module)
reveal_type(module.use_engine)
net = caffe.Net("net.prototxt", caffe.TEST, weights="net.caffemodel")
reveal_type(net)
reveal_type(net.blobs["data"])
reveal_type(net.params["conv"][0])
reveal_type(caffe.get_solver("solver.prototxt").net)
reveal_type(caffe.io.Transformer({"data": (1, 3, 4, 4)}))
caffe.save(module, "tuned.safetensors")
"""
TYPES = ["CaffeModule", "(name: str) -> None", "Net", "Blob", "ParameterBlob", "Net", "Transformer"]

pytestmark = pytest.mark.slow


def checker(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


def test_pyright_sees_the_types_of_a_users_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps({"typeCheckingMode": "standard", "extraPaths": [str(ROOT)], "include": ["program.py"]})
    )
    found = json.loads(
        checker("basedpyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(tmp_path))
    )
    assert found["summary"]["errorCount"] == 0, found
    shown = [re.search(r' is "(.*)"$', entry["message"]) for entry in found["generalDiagnostics"]]
    assert [match[1] for match in shown if match] == TYPES


def test_mypy_sees_the_types_of_a_users_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    out = checker("mypy", "--strict", str(tmp_path / "program.py"))
    names = [kind.rpartition(".")[2] for kind in re.findall(r'Revealed type is "([^"]*)"', out)]
    assert [names[index] for index in (0, 2, 3, 4, 5, 6)] == [TYPES[index] for index in (0, 2, 3, 4, 5, 6)], out
    assert "error:" not in out
