"""The program: arguments in, files and messages out."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.convert.pretrained.naming import NAMINGS
from caffe_compat.proto.read import read_net
from tests.convert.pretrained.their_resnets import seeded_state_dict

ROOT = Path(__file__).parents[3]
GOLDENS = ROOT / "tests" / "goldens"
STEP = GOLDENS / "bvlc" / "stages" / "mini_srn" / "step_4" / "init.caffemodel"


@pytest.fixture
def run(program):
    """Calls the command: (status, standard output, standard error)."""
    return partial(program, "convert")


def test_a_state_dict_and_a_table(run, tmp_path):
    status, out, err = run(STEP, "--to", "torch", "--out", tmp_path / "w.pt")

    assert (status, err) == (0, "")
    assert "conv1.weight" in torch.load(tmp_path / "w.pt", weights_only=True)
    lines = out.splitlines()
    assert lines[:2] == [str(STEP), "dialect bvlc"]
    assert next(line for line in lines if line.startswith("bn_conv1 ")).split()[:2] == ["bn_conv1", "BatchNorm"]
    assert lines[-1] == f"wrote {tmp_path / 'w.pt'}"


def test_a_report_in_a_file(run, tmp_path):
    status, out, _ = run(
        STEP, "--to", "prototxt", "--rename", "readable", "--input-shape", "data=2,3,24,24",
        "--out", tmp_path / "net.prototxt", "--report", tmp_path / "report.json",
    )  # fmt: skip

    assert status == 0
    assert out == f"wrote {tmp_path / 'net.prototxt'}; what became of every layer: {tmp_path / 'report.json'}\n"
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"source", "target", "source_shapes", "target_shapes", "done"} <= set(report["layers"][0])
    assert "dim: 2" in (tmp_path / "net.prototxt").read_text()


def test_onnx_with_all_its_flags(run, tmp_path):
    status, out, _ = run(
        STEP, "--to", "onnx", "--fold-bn", "--dynamic-batch", "--outputs", "y", "--out", tmp_path / "n.onnx"
    )
    assert status == 0
    assert "onnxruntime agrees: 'y' differs most, by " in out


def test_a_mean_image(run, tmp_path):
    mean = GOLDENS / "bvlc" / "data" / "mean.binaryproto"
    status, out, _ = run(mean, "--to", "npy", "--out", tmp_path / "mean.npy")

    assert (status, out) == (0, f"wrote {tmp_path / 'mean.npy'}\n")
    assert np.load(tmp_path / "mean.npy").ndim == 4


def test_a_problem_is_one_line(run, tmp_path):
    status, out, err = run(STEP, "--to", "onnx", "--outputs", "prob", "--out", tmp_path / "n.onnx")

    assert (status, out) == (1, "")
    assert err.startswith(f"caffe-compat convert: {STEP}: no blob 'prob' to give out; outputs: ")
    assert err.count("\n") == 1


SMALL = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 7 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 3 kernel_size: 2 } }
layer { name: "up" type: "Upsample" bottom: "c" top: "up" upsample_param { scale: 3 } }
layer { name: "p" type: "Pooling" bottom: "up" top: "p" pooling_param { kernel_size: 2 } }"""


def test_a_prototxt_ends_in_the_outputs(run, tmp_path):
    (tmp_path / "n.prototxt").write_text(SMALL)
    weights, out = str(tmp_path / "n.caffemodel"), tmp_path / "out.prototxt"
    caffe.Net(str(tmp_path / "n.prototxt"), caffe.TEST).save(weights)
    assert run(weights, "--to", "prototxt", "--outputs", "up", "--out", out)[0] == 0
    written = read_net(out)
    assert [layer.name for layer in written.layer] == ["data", "c", "up"]
    assert written.layer[2].upsample_param.scale == 3
    status, _, error = run(weights, "--to", "prototxt", "--outputs", "nothing", "--out", out)
    assert status == 1
    assert "no blob 'nothing' to give out; the net's last blobs are data, c, up, p" in error


@pytest.mark.parametrize("text", ["data=0,3,2,5", "data=1,-3", "=1,3", "data=", "data", "data=1,,2", "data=a,b"])
def test_shapes_of_nothing_are_refused_by_the_arguments(text, run):
    status, _, errors = run("w", "--to", "onnx", "--input-shape", text)
    assert status == 2
    assert f"argument --input-shape: expected BLOB=N,C,H,W with sizes from 1 on, got '{text}'" in errors


@pytest.mark.parametrize(
    ("source", "flags", "message"),
    [
        (STEP, ["--to", "torch", "--form", "train"], "--to torch has no use for --form; leave it out"),
        (
            STEP,
            ["--to", "hdf5", "--dynamic-batch", "--outputs", "y"],
            "--to hdf5 has no use for --outputs, --dynamic-batch; leave",
        ),
        (
            STEP,
            ["--to", "prototxt", "--form", "train", "--outputs", "y"],
            "--to prototxt has no use for --outputs; leave",
        ),
        ("m.binaryproto", ["--to", "npy", "--fold-bn"], "a mean image has no use for --fold-bn; leave it out"),
    ],
)
def test_flags_that_change_nothing_are_refused(source, flags, message, run):
    status, _, error = run(source, *flags)
    assert status == 1
    assert f"caffe-compat convert: {source}: {message}" in error


def test_the_dialect_that_errors_speak_of_can_be_asked_for(run, tmp_path):
    status, output, _ = run(STEP, "--to", "caffemodel", "--dialect", "own", "--out", tmp_path / "o.caffemodel")
    assert status == 0
    assert "written with layer types or fields that neither BVLC's Caffe nor the SRN fork has" in output


def test_a_pretrained_resnet_for_a_mean_of_ones_own(run, tmp_path):
    torch.save(seeded_state_dict(NAMINGS[0], 26, 3), tmp_path / "r.pth")
    flags = ["--mean", "104,117,123", "--source-mean", "0.5,0.5,0.5", "--source-std", "0.2,0.3,0.4"]
    status, output, _ = run(tmp_path / "r.pth", "--to", "caffemodel", *flags)
    assert status == 0
    assert "conv1 takes BGR pixels from 0 to 255 less 104, 117, 123: write these three as mean_value" in output


def test_three_numbers_and_both_of_a_pair_are_asked_for(run):
    status, _, errors = run("w", "--to", "caffemodel", "--mean", "104,117")
    assert status == 2
    assert "argument --mean: expected one number, three numbers as in 104,117,123, or a mean image " in errors
    assert "got '104,117'" in errors
    status, _, errors = run("w", "--to", "caffemodel", "--source-mean", "0,0,0")
    assert status == 2
    assert "--source-mean and --source-std belong together; give both" in errors
    for std in ("0.2,0,0.4", "0.2,nan,0.4", "0.2,-1,0.4", "0.2,inf,0.4"):
        status, _, errors = run("w", "--to", "caffemodel", "--source-mean", "0,0,0", "--source-std", std)
        assert status == 2
        assert "--source-std: expected three numbers above 0, got 0.2, " in errors


def test_what_the_net_expects_of_an_image_is_stored_and_said(run, tmp_path):
    flags = ["--mean", "104,117.5,123", "--scale", "0.5", "--channels", "rgb", "--size", "24"]
    status, output, _ = run(STEP, "--to", "onnx", "--out", tmp_path / "net.onnx", "--no-check", *flags)

    assert status == 0
    assert "images of 'data': RGB pixels from 0 to 255 minus 104, 117.5, 123, times 0.5" in output
    stored = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert stored == {
        "preprocessing.channels": "rgb",
        "preprocessing.mean": "104,117.5,123",
        "preprocessing.scale": "0.5",
        "preprocessing.size": "24,24",
    }


@pytest.mark.parametrize("size", ["0", "3,x", "1,2,3", ""])
def test_sizes_that_are_none(run, size):
    status, _, errors = run("w", "--to", "caffemodel", "--size", size)
    assert status == 2
    assert f"argument --size: expected HEIGHT,WIDTH or one number, each from 1 on, got '{size}'" in errors


def test_a_mean_image_that_is_none(run, tmp_path):
    (tmp_path / "m.binaryproto").write_bytes(b"no")
    status, _, errors = run("w", "--to", "caffemodel", "--mean", tmp_path / "m.binaryproto")
    assert status == 2
    assert "argument --mean: mean: mean_file '" in errors
