"""The program: exit status, what it prints, and its files."""

import json
import re
import stat
import sys
from functools import partial
from pathlib import Path

import pytest

import caffe_compat as caffe
from tests.cli.conftest import Program

ROOT = Path(__file__).resolve().parents[3]
GOLDENS = ROOT / "tests/goldens"
CASE = GOLDENS / "bvlc/layers/rand_00007/TRAIN"
#: Weights of another net.
FOREIGN = GOLDENS / "srn_fork/released_like/weights.caffemodel"


@pytest.fixture
def verify(program: Program) -> Program:
    """Runs the command; returns its exit status, output and errors."""
    return partial(program, "verify")


def case_options(prototxt: Path = CASE / "net.prototxt") -> list[str]:
    return ["--prototxt", str(prototxt), "--weights", str(CASE / "weights.caffemodel"), "--phase", "TRAIN"]


def test_a_real_record_is_the_same(verify: Program, tmp_path: Path) -> None:
    status, out, complaints = verify(
        *case_options(), "--against", str(CASE / "blobs.npz"), "--backward",
        "--json", f"{tmp_path}/p.json", "--html", f"{tmp_path}/p.html",
    )  # fmt: skip
    assert status == 0, complaints
    assert out.splitlines()[-1] == f"the same as {CASE}/blobs.npz: 11 of 11 layers"
    report = json.loads((tmp_path / "p.json").read_text())
    assert report["agrees"] is True
    assert report["max_error"] < 1e-5
    assert "<svg" in (tmp_path / "p.html").read_text()


def test_a_wrong_copy_is_named_and_the_status_is_one(verify: Program, tmp_path: Path) -> None:
    right = (CASE / "net.prototxt").read_text()
    wrong = tmp_path / "wrong.prototxt"
    wrong.write_text(right.replace("eps: 1e-3", "eps: 1e-2"))
    status, out, _ = verify(*case_options(wrong), "--against", str(CASE / "blobs.npz"), "--only-wrong")
    assert status == 1
    assert re.search(r"^first that differs: layer 'l2' \(BatchNorm\), top b2: eps: 0.001 explains", out, re.MULTILINE)
    assert "\nl1 " not in out


def test_opencv_and_the_dumps_weights_need_no_weights_file(verify: Program) -> None:
    test = (
        CASE.with_name("TEST") if CASE.with_name("TEST").exists() else GOLDENS / "bvlc/layers/batchnorm_scale_relu/TEST"
    )
    status, out, _ = verify("--prototxt", str(test / "net.prototxt"), "--against", str(test / "blobs.npz"))
    assert status == 0, out
    status, out, _ = verify("--prototxt", str(test / "net.prototxt"), "--against", "opencv", "--seed", "4")
    assert status == 0, out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prototxt", "missing.prototxt", "--against", "opencv"], r"^caffe-compat verify: .*missing\.prototxt"),
        (
            [*case_options(), "--against", "opencvv"],
            r"--against opencvv: expected one of opencv, exact, .* or a dump's file",
        ),
        (
            [*case_options(), "--against", "opencv", "--backward"],
            r"OpenCV runs nets forward only; leave --backward out",
        ),
        (
            ["--solver", str(GOLDENS / "bvlc/solvers/adam/solver.prototxt"), "--against", "opencv"],
            r"opencv does not train",
        ),
        (
            ["--prototxt", str(CASE / "net.prototxt"), "--against", "opencv", "--weights", str(FOREIGN)],
            r"weights\.caffemodel: expected weights of layers such as '\w+' of .*, found none of its layers; give",
        ),
        ([*case_options(), "--pycaffe-python", "/no/python"], r"/no/python: cannot be run as a Python"),
    ],
)
def test_what_cannot_be_compared_is_status_two(verify: Program, arguments: list[str], message: str) -> None:
    status, _, complaints = verify(*arguments)
    assert status == 2
    assert re.search(message, complaints), complaints


@pytest.mark.slow
def test_another_python_with_our_face_as_its_pycaffe(
    verify: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m caffe_compat run "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    status, out, complaints = verify(*case_options(), "--pycaffe-python", str(python), "--backward")
    assert status == 0, out + complaints
    assert "the same as pycaffe 1.0.0, Python 3" in out
    monkeypatch.chdir(GOLDENS / "bvlc/solvers/nesterov")
    solver = ["--solver", "solver.prototxt", "--weights", "init.caffemodel", "--iterations", "2"]
    status, out, complaints = verify(*solver, "--pycaffe-python", str(python))
    assert status == 0, out + complaints


@pytest.mark.parametrize("side", ["fast", "exact"])
def test_our_engines_train_alike(verify: Program, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDENS / "bvlc/solvers/sgd_fixed")
    solver = ["--solver", "solver.prototxt", "--weights", "init.caffemodel", "--iterations", "3", "--against", side]
    status, out, complaints = verify(*solver)
    assert status == 0, out + complaints


NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


def test_fillers_on_both_sides_are_said_to_be_fillers(verify: Program, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    status, out, _ = verify("--prototxt", str(tmp_path / "net.prototxt"), "--against", "opencv")
    assert status == 0
    assert "note: no --weights were given: both sides ran with what fillers drew, which says little about" in out
    (tmp_path / "net.prototxt").write_text(NET.replace("xavier", "constant"))
    status, out, _ = verify("--prototxt", str(tmp_path / "net.prototxt"), "--against", "opencv")
    assert status == 1
    assert out.splitlines()[-1].startswith("nothing is proved about OpenCV ")


def test_weights_that_leave_a_layer_unfilled_are_refused(verify: Program, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "half.prototxt").write_text(NET[: NET.index('layer { name: "b"')])
    caffe.Net(str(tmp_path / "half.prototxt"), caffe.TEST).save(str(tmp_path / "half.caffemodel"))
    options = ["--prototxt", str(tmp_path / "net.prototxt"), "--weights", str(tmp_path / "half.caffemodel")]
    status, _, complaints = verify(*options, "--against", "exact")
    assert status == 2
    assert "half.caffemodel: expected weights of all 2 learnt layers of" in complaints
    assert "found none of b; give the weights of this net, or --allow-unfilled" in complaints
    assert verify(*options, "--against", "exact", "--allow-unfilled")[0] == 0
