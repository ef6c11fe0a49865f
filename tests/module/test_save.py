"""A module goes into every kind of file and comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim import swa_utils

import caffe_compat as caffe
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.errors import FormatError, MissingFeatureError, ShapeError
from caffe_compat.module.caffe_module import CaffeModule
from tests.convert.models import model_of
from tests.layers.harness import gradient
from tests.module.nets import TEXT, images, layer_of, small


def moved() -> CaffeModule:
    """A module whose weights and statistics a step of training has changed."""
    module = small().train()
    module(images()).square().sum().backward()
    with torch.no_grad():
        for weight in module.parameters():
            weight.sub_(0.001 * gradient(weight))
    return module.eval()


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "caffemodel"])
def test_what_was_learnt_comes_back(suffix: str, tmp_path: Path) -> None:
    module, path = moved(), str(tmp_path / f"net.{suffix}")
    caffe.save(module, path)
    again = caffe.load(path, engine="exact")

    assert list(again.state_dict()) == list(module.state_dict())
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, module.state_dict()[name], rtol=0, atol=0)
    torch.testing.assert_close(again(images()), module(images()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_variances_that_look_like_inverse_deviations_come_back(suffix: str, tmp_path: Path) -> None:
    module, path = small(text=TEXT.replace("num_output: 4", "num_output: 7")), str(tmp_path / f"net.{suffix}")
    deviations = torch.linspace(0.6, 1.3, 7)
    module.get_submodule("bn2").get_buffer("running_var").copy_(deviations.view(1, 7))
    with torch.no_grad():
        module.get_parameter("conv2.weight").copy_((1 / deviations).view(7, 1, 1, 1).expand(7, 7, 3, 3))
    caffe.save(module, path)

    torch.testing.assert_close(caffe.load(path)(images()), module(images()), rtol=1e-5, atol=1e-5)


def test_a_caffemodel_has_its_prototxt_beside_it(tmp_path: Path) -> None:
    module, path = moved(), str(tmp_path / "net.caffemodel")
    caffe.save(module, path)
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, weights=path)

    out = net.forward(data=images().numpy())["fc"]
    torch.testing.assert_close(torch.from_numpy(out), module(images()).detach(), rtol=1e-5, atol=1e-5)


def test_onnx(tmp_path: Path) -> None:
    import onnxruntime

    module, path = moved(), str(tmp_path / "net.onnx")
    caffe.save(module, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    (out,) = session.run(None, {"data": images(5, 3, 9, 8).numpy()})
    torch.testing.assert_close(torch.from_numpy(out), module(images(5, 3, 9, 8)).detach(), rtol=1e-4, atol=1e-4)


def test_modules_in_layers_places_become_layers(tmp_path: Path) -> None:
    module, path = small(), str(tmp_path / "net.caffemodel")
    module.fc = nn.Linear(4, 7)
    module.conv2 = nn.Conv2d(4, 4, (3, 1), padding=(1, 0), bias=False)
    module.bn2 = batch_norm = nn.BatchNorm2d(4, eps=0.01)
    module.relu2, module.drop, module.relu1 = nn.Tanh(), nn.Dropout(0.3), nn.Identity()
    with torch.no_grad():
        assert batch_norm.running_var is not None
        batch_norm.running_var.fill_(2.5)
        module.bn2.bias.fill_(0.5)
    module.eval()
    caffe.save(module, path)
    again = caffe.load(path)

    assert [type(again.get_submodule(name)).__name__ for name in ("fc", "conv2", "bn2", "relu2", "drop", "relu1")] == [
        "InnerProduct", "Convolution", "BN", "TanH", "Dropout", "Power",
    ]  # fmt: skip
    torch.testing.assert_close(again(images()), module(images()), rtol=1e-5, atol=1e-5)


def test_a_layer_of_another_net_may_take_a_place(tmp_path: Path) -> None:
    module = small()
    module.conv2 = small(seed=8).conv2
    caffe.save(module, str(tmp_path / "net.pt"))

    torch.testing.assert_close(caffe.load(str(tmp_path / "net.pt"))(images()), module(images()), rtol=1e-5, atol=1e-5)


def test_what_caffe_lacks_is_refused_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "net.safetensors")
    module = small()
    module.relu2 = nn.GELU()
    with pytest.raises(
        MissingFeatureError,
        match=rf"^{path}: layer 'relu2': a GELU is in its place, known are Linear, .*state_d",
    ):
        caffe.save(module, path)
    module = small()
    module.conv2 = nn.Conv2d(4, 4, 3, padding="same")
    with pytest.raises(MissingFeatureError, match=rf"^{path}: layer 'conv2': a Conv2d is .* padded by 'zeros' same"):
        caffe.save(module, path)
    module = small()
    module.bn2 = nn.BatchNorm2d(4, track_running_stats=False)
    with pytest.raises(MissingFeatureError, match=rf"^{path}: layer 'bn2': a BatchNorm2d .* without running st"):
        caffe.save(module, path)
    assert not Path(path).exists()


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "caffemodel", "onnx"])
def test_what_does_not_fit_its_bottoms_is_refused(suffix: str, tmp_path: Path) -> None:
    module, path = small(), tmp_path / f"net.{suffix}"
    path.write_bytes(b"of before")
    module.fc = nn.Linear(3, 5)
    message = rf"^{path}: layer 'fc' \(InnerProduct\): expected blob 0 of shape \(5, 4\), found \(5, 3\)"
    with pytest.raises(ShapeError, match=message):
        caffe.save(module, str(path))

    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, b"of before")]


def test_a_net_that_needs_a_fixed_batch_says_how(tmp_path: Path) -> None:
    text = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 5 dim: 2 dim: 3 } } }
layer { name: "cont" type: "Input" top: "cont" input_param { shape { dim: 5 dim: 2 } } }
layer { name: "lstm" type: "LSTM" bottom: "data" bottom: "cont" top: "lstm" recurrent_param { num_output: 4 } }
"""
    module, path = small(text=text), str(tmp_path / "net.onnx")
    message = rf"^{path}: layer 'lstm' \(LSTM\): it is unrolled over time; .* of save, with dynamic_batch=False\)"
    with pytest.raises(MissingFeatureError, match=message):
        caffe.save(module, path)
    caffe.save(module, path, dynamic_batch=False)


def test_only_loaded_modules_are_saved(tmp_path: Path) -> None:
    path, module = str(tmp_path / "net.pt"), moved()
    other: Any = nn.Linear(3, 2)
    message = rf"^{path}: expected a module that caffe_compat\.load returned, found Linear; of a Distributed.* \.module"
    with pytest.raises(MissingFeatureError, match=message):
        caffe.save(other, path)
    compiled: Any = torch.compile(module, backend="eager")
    caffe.save(compiled, path)

    torch.testing.assert_close(caffe.load(path)(images()), module(images()), rtol=1e-5, atol=1e-5)


def test_a_name_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"net\.bin: expected a name that ends in one of \.safetensors, \.pt, "):
        caffe.save(small(), str(tmp_path / "net.bin"))


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("described_by", ["net.safetensors", "net.pt", "net.pt.json", "net.prototxt", "net.caffemodel"])
def test_a_bare_state_dict_is_read_with_a_description(suffix: str, described_by: str, tmp_path: Path) -> None:
    module, bare = moved(), str(tmp_path / f"bare.{suffix}")
    for kind in ("safetensors", "pt", "caffemodel"):
        caffe.save(small(), str(tmp_path / f"net.{kind}"))
    if suffix == "pt":
        torch.save(module.state_dict(), bare)
    else:
        safetensors.torch.save_file(module.state_dict(), bare)
    with pytest.raises(FormatError, match=rf"^{bare}: expected .*load\(path, description=\.\.\.\) with the file it"):
        caffe.load(bare)
    again = caffe.load(bare, description=str(tmp_path / described_by))

    torch.testing.assert_close(again(images()), module(images()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_bare_state_dict_may_hold_the_counter_of_a_batch_norm(suffix: str, tmp_path: Path) -> None:
    module, bare = small(), str(tmp_path / f"bare.{suffix}")
    module.bn2 = nn.BatchNorm2d(4)
    module.train()(images())
    caffe.save(module.eval(), str(tmp_path / "net.safetensors"))
    (torch.save if suffix == "pt" else safetensors.torch.save_file)(module.state_dict(), bare)
    again = caffe.load(bare, description=str(tmp_path / "net.safetensors"))

    torch.testing.assert_close(again(images()), module(images()), rtol=1e-5, atol=1e-5)


WRAPPED: dict[str, Callable[[nn.Module], dict[str, Any]]] = {
    "compiled": lambda module: {f"_orig_mod.{key}": value for key, value in module.state_dict().items()},
    "parallel": lambda module: {f"module.{key}": value for key, value in module.state_dict().items()},
    "both": lambda module: {f"module._orig_mod.{key}": value for key, value in module.state_dict().items()},
    "averaged": lambda module: swa_utils.AveragedModel(module).state_dict(),
    "with gradients": lambda module: dict(module.state_dict(keep_vars=True)),
}


@pytest.mark.parametrize("described_by", ["net.safetensors", "net.caffemodel"])
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_the_state_dict_of_a_wrapped_module_is_read(wrapped: str, described_by: str, tmp_path: Path) -> None:
    module = moved()
    caffe.save(small(), str(tmp_path / described_by))
    for kind, write in (("pt", torch.save), ("safetensors", safetensors.torch.save_file)):
        bare = str(tmp_path / f"bare.{kind}")
        write(WRAPPED[wrapped](module), bare)
        again = caffe.load(bare, description=str(tmp_path / described_by))
        torch.testing.assert_close(again(images()), module(images()), rtol=1e-5, atol=1e-5)


def test_a_layer_may_be_called_as_a_wrapper_s_prefix(tmp_path: Path) -> None:
    text = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }'
    text += (
        'layer { name: "module.fc" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 5 } }'
    )
    module = small(text=text)
    caffe.save(module, str(tmp_path / "net.caffemodel"))
    torch.save(module.state_dict(), tmp_path / "bare.pt")
    again = caffe.load(str(tmp_path / "bare.pt"), description=str(tmp_path / "net.caffemodel"))
    torch.testing.assert_close(again(images(2, 3)), module(images(2, 3)))


def test_keys_of_another_net_are_named(tmp_path: Path) -> None:
    caffe.save(small(), str(tmp_path / "net.caffemodel"))
    torch.save(nn.Sequential(nn.Linear(2, 3)).state_dict(), tmp_path / "bare.pt")
    with pytest.raises(
        FormatError,
        match=r"bare.pt: expected keys such as '<layer>.weight' with the names of layers of .*, found 0.weight, 0.bias",
    ):
        caffe.load(str(tmp_path / "bare.pt"), description=str(tmp_path / "net.caffemodel"))


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("described_by", ["net.safetensors", "net.caffemodel"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"head.weight": 3},
            r"found head\.weight, of which no layer makes use; take .*, or leave out what no layer uses",
        ),
        ({"module.a": 1, "module.b": 2}, r"found module\.a, module\.b, of which no layer"),
        ({"fc.bias": 0, "fc.b": 5}, r"missing fc\.bias and found fc\.b, of which no layer makes use; take"),
        (
            {f"more.{index}": 1 for index in range(7)},
            r"found more\.0, more\.1, more\.2, more\.3 \.\.\. \(7 in all\), of",
        ),
    ],
)
def test_keys_that_no_layer_has_are_named_as_by_torch(
    changes: dict[str, int], message: str, described_by: str, suffix: str, tmp_path: Path
) -> None:
    module, bare = small(), str(tmp_path / f"bare.{suffix}")
    caffe.save(module, str(tmp_path / described_by))
    tensors = module.state_dict() | {key: torch.ones(size) for key, size in changes.items()}
    tensors = {key: value for key, value in tensors.items() if value.numel()}
    (torch.save if suffix == "pt" else safetensors.torch.save_file)(tensors, bare)
    with pytest.raises(FormatError, match=rf"^{bare}: expected the tensors that its description names, {message}"):
        caffe.load(bare, description=str(tmp_path / described_by))


def test_weights_without_a_net_describe_nothing(tmp_path: Path) -> None:
    bare, weights = str(tmp_path / "bare.safetensors"), str(tmp_path / "net.caffemodel.h5")
    safetensors.torch.save_file(small().state_dict(), bare)
    write_caffemodel(weights, model_of(TEXT))
    with pytest.raises(FormatError, match=rf"{weights}: to describe a state dict needs the net, but the file holds"):
        caffe.load(bare, description=weights)


def test_a_description_must_be_one(tmp_path: Path) -> None:
    bare = str(tmp_path / "bare.safetensors")
    safetensors.torch.save_file(small().state_dict(), bare)
    with pytest.raises(FormatError, match=rf"^{bare}: expected a description of the net in the metadata, found none"):
        caffe.load(bare, description=bare)
    (tmp_path / "other.safetensors").write_bytes(b"no tensors")
    with pytest.raises(FormatError, match=r"other\.safetensors: not a whole safetensors file"):
        caffe.load(bare, description=str(tmp_path / "other.safetensors"))


def test_shared_weights_stay_shared(tmp_path: Path) -> None:
    ip = 'type: "InnerProduct" param { name: "w" } inner_product_param { num_output: 3 bias_term: false }'
    start = TEXT[: TEXT.index("layer {")] + 'layer { name: "data" type: "Input" top: "data" '
    text = (
        start
        + "input_param { shape { dim: 2 dim: 3 } } }"
        + "".join(
            f'layer {{ name: "{name}" bottom: "{bottom}" top: "{name}" {ip} }}'
            for name, bottom in (("a", "data"), ("b", "a"))
        )
    )
    caffe.save(small(text=text), str(tmp_path / "net.safetensors"))
    again = caffe.load(str(tmp_path / "net.safetensors"))
    safetensors.torch.save_model(again, str(tmp_path / "bare.safetensors"))  # writes a shared tensor once
    bare = caffe.load(str(tmp_path / "bare.safetensors"), description=str(tmp_path / "net.safetensors"))

    for module in (again, bare):
        assert module.get_parameter("a.weight") is module.get_parameter("b.weight")
    torch.testing.assert_close(bare(images(2, 3)), again(images(2, 3)), rtol=0, atol=0)


def test_a_blob_that_is_none_is_named(tmp_path: Path) -> None:
    module, other = small(), small()
    with torch.no_grad():
        module(images())
        for name in ("conv2", "fc"):
            layer_of(module, name).register_parameter("bias", None)
            layer_of(other, name).get_parameter("bias").zero_()
        torch.testing.assert_close(module(images()), other(images()), rtol=1e-4, atol=1e-5)
    message = r"net.pt: layer 'conv2' \(Convolution\): expected 2 blobs, found None in place of one; give it zeros$"
    with pytest.raises(MissingFeatureError, match=message):
        caffe.save(module, str(tmp_path / "net.pt"))
