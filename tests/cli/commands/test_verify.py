"""The program: exit status, what it prints, and its files."""

import hashlib
import json
import re
import stat
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.options import Options
from caffe_compat.parity.own_runs import record_layers
from tests.cli.conftest import Program
from tests.convert.models import model_of

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
    about = report["about"]
    assert about["command"].startswith(f"caffe-compat verify --prototxt {CASE}/net.prototxt --weights ")
    assert about["seed"] == 1
    assert about["tolerances"]["layer"] == 3e-5
    assert set(about["versions"]) == {"caffe-compat", "Python", "PyTorch", "NumPy", "machine"}
    assert abs((datetime.now(UTC) - datetime.fromisoformat(about["date"])).total_seconds()) < 600
    assert [Path(file["path"]).name for file in about["files"]] == ["net.prototxt", "weights.caffemodel", "blobs.npz"]
    content = (CASE / "net.prototxt").read_bytes()
    assert about["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert about["files"][0]["bytes"] == len(content)
    page = (tmp_path / "p.html").read_text()
    assert "<svg" in page
    assert "How this was run" in page
    assert about["files"][2]["sha256"] in page


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
            r"--against opencvv: expected one of opencv, exact, .* a dump's file or a model's",
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
    assert re.search(r"^the same as OpenCV .* with weights that fillers drew: 2 of 2 layers$", out.splitlines()[-1])
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
    status, said = verify(*options, "--against", "exact", "--allow-unfilled")[:2]
    assert status == 0
    assert said.rstrip().endswith("layers, 1 with what fillers drew on both sides: b")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with net.prototxt and its weights as net.caffemodel, net.safetensors, net.pt and net.onnx."""
    (tmp_path / "net.prototxt").write_text(NET)
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).save(str(tmp_path / "net.caffemodel"))
    for kind in ("safetensors", "torch", "onnx"):
        convert(str(tmp_path / "net.caffemodel"), kind)
    return tmp_path


@pytest.mark.parametrize("other", ["net.caffemodel", "net.safetensors", "net.pt", "net.onnx"])
def test_a_model_file_is_the_other_side(verify: Program, trained: Path, other: str) -> None:
    given = ["--prototxt", str(trained / "net.prototxt"), "--weights", str(trained / "net.caffemodel")]
    status, out, complaints = verify(*given, "--against", str(trained / other))
    assert status == 0, complaints
    assert re.search(rf"^the same as {trained}/{other}.*: 2 of 2 layers$", out.splitlines()[-1])


def test_a_file_that_describes_its_net_is_our_side(verify: Program, trained: Path) -> None:
    for ours in ("net.safetensors", "net.pt"):
        assert verify("--weights", str(trained / ours), "--against", str(trained / "net.onnx"))[0] == 0
        status, out, _ = verify("--weights", str(trained / "net.onnx"), "--against", str(trained / ours))
        assert status == 0
        assert re.search(rf"^the same as {trained}/net.onnx in onnxruntime .*: 2 of 2 layers$", out.splitlines()[-1])
    status, out, _ = verify(
        "--prototxt",
        str(trained / "net.prototxt"),
        "--weights",
        str(trained / "net.safetensors"),
        "--against",
        "opencv",
    )
    assert status == 0
    assert "no --weights were given" not in out


FOLDING = """
name: "folding"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
layer { name: "a" type: "Convolution" bottom: "data" top: "a" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "norm" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "scale" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 5 kernel_size: 2 } }
layer { name: "bn" type: "BN" bottom: "b" top: "b" }
layer { name: "tanh" type: "TanH" bottom: "b" top: "b" }
"""


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_a_folded_file_is_compared_behind_its_normalisations(verify: Program, tmp_path: Path, kind: str) -> None:
    weights, other, wrong = (
        str(tmp_path / name) for name in ("net.safetensors", f"folded.{kind}", "wrong.safetensors")
    )
    model = model_of(FOLDING)
    write_safetensors(weights, model)
    convert(weights, kind, other, Options(fold_bn=True))
    status, out, complaints = verify("--weights", weights, "--against", other)
    assert status == 0, out + complaints
    assert re.search(r"^scale +Scale +a +top .* same$", out, re.M)
    assert "does not show: a -> a, norm -> a, b -> b" in out

    model.blobs["scale"][1][2] += 1
    write_safetensors(wrong, model)
    status, out, _ = verify("--weights", wrong, "--against", other)
    assert status == 1
    assert "first that differs: layer 'scale' (Scale), top a (or one of a, norm, which the other side" in out


def test_a_wrong_model_file_is_found_out(verify: Program, trained: Path) -> None:
    model = onnx.load(trained / "net.onnx")
    weight = next(one for one in model.graph.initializer if one.name == "b.weight")
    values = numpy_helper.to_array(weight).copy()
    values[3, 2] += 1
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, trained / "net.onnx")
    status, out, _ = verify("--weights", str(trained / "net.safetensors"), "--against", str(trained / "net.onnx"))
    assert status == 1
    assert "first that differs: layer 'b' (InnerProduct), top b: " in out


def test_onnx_of_other_names_is_compared_in_order(verify: Program, trained: Path) -> None:
    text = (trained / "net.prototxt").read_text()
    for old, new in (('"data"', '"pixels"'), ('"a"', '"first"'), ('"b"', '"second"')):
        text = text.replace(old, new)
    (trained / "other.prototxt").write_text(text)
    net = caffe.Net(str(trained / "other.prototxt"), caffe.TEST)
    source = caffe.Net(str(trained / "net.prototxt"), caffe.TEST, weights=str(trained / "net.caffemodel"))
    for old, new in (("a", "first"), ("b", "second")):
        for number in (0, 1):
            net.params[new][number].data[...] = source.params[old][number].data
    net.save(str(trained / "other.caffemodel"))
    given = ["--prototxt", str(trained / "other.prototxt"), "--weights", str(trained / "other.caffemodel")]
    status, out, complaints = verify(*given, "--against", str(trained / "net.onnx"))
    assert status == 0, complaints
    assert "no value has the name of a blob; outputs are compared in order" in out
    assert out.splitlines()[-1].endswith(": 2 of 2 layers")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--weights", "w.caffemodel", "--against", "exact"],
            "expected --prototxt, --solver, or --weights of a file that",
        ),
        (
            ["--weights", "w.onnx", "--against", "opencv"],
            "w.onnx: an ONNX file is the other side of a comparison: give it as --against, and the net that it was",
        ),
        (
            ["--weights", "w.safetensors", "--pycaffe-python", "p"],
            "--pycaffe-python needs the net as --prototxt; convert",
        ),
    ],
)
def test_a_command_line_without_a_net_is_wrong_usage(verify: Program, arguments: list[str], message: str) -> None:
    status, _, complaints = verify(*arguments)
    assert status == 2
    assert message in complaints


def test_what_a_model_file_cannot_be_compared_for(verify: Program, trained: Path) -> None:
    def complaint(*options: str) -> str:
        status, _, complaints = verify("--weights", str(trained / "net.safetensors"), *options)
        assert status == 2
        return complaints

    assert "net.onnx: onnxruntime runs nets forward only; leave --backward out" in complaint(
        "--against", str(trained / "net.onnx"), "--backward"
    )
    assert "none.onnx: expected a file, found none" in complaint("--against", str(trained / "none.onnx"))
    (trained / "bad.onnx").write_text("no model")
    assert "bad.onnx: expected an ONNX model, found something else" in complaint("--against", str(trained / "bad.onnx"))
    model = onnx.load(trained / "net.onnx")
    model.graph.node[0].op_type = "Unheard"
    onnx.save(model, trained / "odd.onnx")
    assert "odd.onnx: onnxruntime cannot load it" in complaint("--against", str(trained / "odd.onnx"))
    np.save(trained / "five.npy", np.ones((5, 3), np.float32))
    assert "net.onnx: onnxruntime cannot run it on these inputs" in complaint(
        "--against", str(trained / "net.onnx"), "--input", f"data={trained}/five.npy"
    )
    two = onnx.load(trained / "net.onnx")
    two.graph.input[0].name = two.graph.node[0].input[0] = "x"
    two.graph.input.append(onnx.helper.make_tensor_value_info("z", 1, [1]))
    onnx.save(two, trained / "two.onnx")
    assert "two.onnx: expected inputs named as in the net (data), or as many, found x, z" in complaint(
        "--against", str(trained / "two.onnx")
    )


SAYS = """
input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 5 }
layer { name: "power" type: "Power" bottom: "data" top: "y" power_param { scale: 2 }
  transform_param { mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5 } }
"""


def test_pictures_are_prepared_as_the_net_says(
    verify: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = {}
    monkeypatch.setattr(
        "caffe_compat.cli.commands.verify.SIDES",
        {"fast": lambda net, inputs, seeds: fed.update(inputs) or record_layers(net, inputs, seeds=seeds)},
    )
    (tmp_path / "net.prototxt").write_text(SAYS)
    cv2.imwrite(str(tmp_path / "p.png"), np.full((4, 5, 3), (50, 60, 70), np.uint8))
    prototxt = ["--prototxt", str(tmp_path / "net.prototxt"), "--against", "fast"]
    status, _, complaints = verify(*prototxt, "--input", f"{tmp_path}/p.png")

    assert status == 0, complaints
    assert fed["data"][0, :, 2, 3].tolist() == [20, 20, 20]
    status, _, _ = verify(*prototxt)
    pixels = fed["data"] * 2 + np.array([10, 20, 30], np.float32).reshape(3, 1, 1)
    assert status == 0
    assert set(pixels.ravel().tolist()) <= set(range(256))


def test_weights_of_an_onnx_file_outside_its_folder_are_not_read(verify: Program, trained: Path) -> None:
    model = onnx.load(trained / "net.onnx")
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../etc/passwd")
    (trained / "outside.onnx").write_bytes(model.SerializeToString())
    options = ("--weights", str(trained / "net.safetensors"), "--against", str(trained / "outside.onnx"))
    status, _, complaints = verify(*options)
    assert status == 2
    assert "outside.onnx: its weights cannot be read: Data of TensorProto" in complaints
