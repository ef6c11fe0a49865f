import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.cli.start import start
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.convert.options import Options
from caffe_compat.errors import FormatError, GraphError, MissingFeatureError, ShapeError
from caffe_compat.proto.write import write_text
from tests.convert.models import RELEASED, model_of

TEXT = """
name: "two"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "scale" type: "Input" top: "scale" input_param { shape { dim: 2 } } }
layer { name: "eval.conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "eval" type: "Scale" bottom: "conv" bottom: "scale" top: "conv" scale_param { axis: 0 } }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 3 } }
"""
DATA, SCALE = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1)), torch.tensor([2.0, 3.0])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    model = model_of(TEXT)
    names = {kind: str(tmp_path / f"net.{kind}") for kind in ("safetensors", "pt", "caffemodel", "caffemodel.h5")}
    write_safetensors(names["safetensors"], model)
    write_state_dict(names["pt"], model)
    write_caffemodel(names["caffemodel"], model, "bvlc")
    write_caffemodel(names["caffemodel.h5"], model)
    write_text(tmp_path / "net.prototxt", model.net)
    return names | {"prototxt": str(tmp_path / "net.prototxt")}


def test_every_format_gives_what_the_net_gives(files: dict[str, str]) -> None:
    net = caffe.Net(files["prototxt"], caffe.TEST, weights=files["caffemodel"])
    expected = net.forward(data=DATA.numpy(), scale=SCALE.numpy())

    for kind in ("safetensors", "pt", "caffemodel"):
        with torch.no_grad():
            exact, fast = (caffe.load(files[kind], engine=engine)(DATA, SCALE) for engine in ("exact", "fast"))
        assert list(exact) == list(fast) == ["ip", "tanh"]
        for name, value in exact.items():
            np.testing.assert_array_equal(value.numpy(), expected[name])
            np.testing.assert_allclose(fast[name].numpy(), expected[name], rtol=1e-5, atol=1e-5)
    made = caffe.load(files["caffemodel.h5"], prototxt=files["prototxt"])(scale=SCALE, data=DATA)
    np.testing.assert_array_equal(made["ip"].detach().numpy(), expected["ip"])


def test_the_cure_for_layers_without_weights_is_one_that_load_has(files: dict[str, str], tmp_path: Path) -> None:
    part, whole, prototxt = tmp_path / "part.caffemodel", tmp_path / "whole.safetensors", files["prototxt"]
    write_caffemodel(str(part), model_of(TEXT[: TEXT.index('layer { name: "ip"')]))
    cure = r"found none of ip; give the weights of this net, or a file from `caffe-compat (convert --allow-unfilled)`"
    with pytest.raises(GraphError, match=cure) as refused:
        caffe.load(str(part), prototxt=prototxt)

    command = re.search(cure, str(refused.value))
    assert command is not None
    rest = [str(part), "--prototxt", prototxt, "--to", "safetensors", "--out", str(whole), "--quiet"]
    assert start([*command[1].split(), *rest]) == 0
    assert caffe.load(str(whole))(DATA, SCALE)["ip"].shape == (2, 3)


def test_one_output_is_a_tensor_and_batches_may_differ(files: dict[str, str]) -> None:
    module = caffe.load(files["safetensors"], outputs=["conv"])
    both = module(DATA, SCALE)

    assert both.shape == (2, 4, 4, 3)
    torch.testing.assert_close(module(DATA[1:], SCALE[1:]), both[1:])


def test_its_state_dict_is_the_file_s(files: dict[str, str]) -> None:
    module = caffe.load(files["caffemodel"])
    tensors = torch.load(files["pt"], weights_only=True)

    assert list(tensors) == ["eval.conv.weight", "eval.conv.bias", "ip.weight", "ip.bias"]
    assert sorted(module.state_dict()) == sorted(tensors)
    module.load_state_dict({key: torch.zeros_like(tensor) for key, tensor in tensors.items()})
    assert not module(DATA, SCALE)["ip"].any()


def test_a_copy_has_weights_of_its_own(files: dict[str, str]) -> None:
    module = caffe.load(files["pt"])
    other = copy.deepcopy(module)
    with torch.no_grad():
        next(module.parameters()).zero_()

    assert other(DATA, SCALE)["tanh"].abs().max() > module(DATA, SCALE)["tanh"].abs().max()
    assert other.double()(DATA.double(), SCALE.double())["ip"].dtype == torch.float64


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_gradients_reach_all_weights(files: dict[str, str], phase: str) -> None:
    module = caffe.load(files["pt"], phase=phase)
    module(DATA, SCALE)["ip"].sum().backward()

    assert module.training == (phase == "TRAIN")
    assert all(weight.grad is not None for weight in module.parameters())


@pytest.mark.slow
def test_the_released_structure_loads_without_its_prototxt() -> None:
    module = caffe.load(RELEASED, outputs=["prob"])
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 224, 224)).shape == (1, 14)


def test_wrong_inputs_are_refused(files: dict[str, str]) -> None:
    module = caffe.load(files["pt"])
    with pytest.raises(ShapeError, match=r"^net 'two': expected inputs data, scale, got 1 in order$"):
        module(DATA)
    with pytest.raises(ShapeError, match=r"^net 'two': expected inputs data, scale, got 1 in order and image$"):
        module(DATA, image=SCALE)


def test_an_unknown_output_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(GraphError, match=r"net\.pt: no blob 'prob' to give out; outputs: ip, tanh; any other blob"):
        caffe.load(files["pt"], outputs=["prob"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phase": "train"}, "no phase 'train' of a module; expected one of: TEST, TRAIN"),
        ({"phase": caffe.TRAIN}, "no phase '0' of a module; expected one of: TEST, TRAIN"),
        ({"bn_statistics": "Variance"}, "no statistics 'Variance' of BN; expected one of: auto, variance, inverse_dev"),
    ],
)
def test_unknown_options_are_refused(files: dict[str, str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingFeatureError, match=rf"net\.pt: {message}"):
        caffe.load(files["pt"], **options)


def test_an_onnx_file_is_named(files: dict[str, str], tmp_path: Path) -> None:
    path = str(tmp_path / "net.onnx")
    caffe.save(caffe.load(files["pt"]), path)
    with pytest.raises(
        FormatError, match=rf"^{path}: expected weights \(\.caffemodel\), found an ONNX model; give the"
    ):
        caffe.load(path)


def test_a_whole_module_is_told_how_to_read(files: dict[str, str], tmp_path: Path) -> None:
    path = str(tmp_path / "whole.pt")
    torch.save(caffe.load(files["pt"]), path)
    with pytest.raises(
        FormatError,
        match=rf"^{path}: not a whole file of plain tensors \(other objects in it are not read, because that can run "
        r"code\); convert it again, or where .* read it by torch\.load\(path, weights_only=False\) and write it by",
    ):
        caffe.load(path)


CODE = """
import caffe_compat as caffe

class Double(caffe.Layer):
    def setup(self, bottom, top):
        if self.param_str == "weights":
            self.blobs.add_blob(2)
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data
"""
PYTHON = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 4 } }
"""


def with_code(folder: Path, monkeypatch: pytest.MonkeyPatch, param_str: str = "") -> str:
    """A net that ends in a Python layer, and its code where Python finds it."""
    (folder / "doubling_layers.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(folder))
    model = model_of(PYTHON)
    layer = model.net.layer.add(name="code", type="Python", bottom=["ip"], top=["code"])
    layer.python_param.module, layer.python_param.layer = "doubling_layers", "Double"
    layer.python_param.param_str = param_str
    write_caffemodel(str(folder / "code.caffemodel"), model)
    return str(folder / "code.caffemodel")


def test_code_runs_only_where_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_code(tmp_path, monkeypatch)
    with pytest.raises(
        MissingFeatureError,
        match=rf"^{path}: layer 'code' \(Python\): runs the code of 'doubling_layers'; if you .*True",
    ):
        caffe.load(path)
    made = caffe.load(path, outputs=["ip", "code"], allow_python_layers=True)(torch.ones(2, 3))

    assert made["code"].shape == (2, 4)
    assert torch.equal(made["code"], 2 * made["ip"])


def test_weights_of_code_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_code(tmp_path, monkeypatch, "weights")
    with pytest.raises(
        MissingFeatureError,
        match=rf"^{path}: layer 'code' \(Python\): gives itself weights, which are not loaded here; run",
    ):
        caffe.load(path, allow_python_layers=True)


def test_code_has_no_place_in_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_code(tmp_path, monkeypatch)
    with pytest.raises(
        MissingFeatureError, match=r"layer 'code' \(Python\): ONNX has no words for a user's code; give a net .* \(ip\)"
    ):
        convert(path, "onnx")
    (tmp_path / "short.prototxt").write_text(PYTHON)
    convert(path, "onnx", options=Options(prototxt=str(tmp_path / "short.prototxt")))
    assert (tmp_path / "code.onnx").exists()


def test_one_output_may_be_named_without_a_list() -> None:
    assert caffe.load(RELEASED, outputs="prob").outputs == ["prob"]
