"""Python layers: what users of pycaffe write runs, learns, and fails in its own words."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.errors import FieldError, MissingFeatureError
from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.utility.python import Python
from caffe_compat.net.build import build_net
from caffe_compat.net.settings import Surroundings, surroundings
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import assert_close, gradient, layer_parameter, random_bottom, run
from tests.layers.utility import user_layers

MODULE = "tests.layers.utility.user_layers"


def python_layer(kind: str, *shapes: tuple[int, ...], fields: str = "", phase: str = "TRAIN") -> Python:
    text = f"name: 'p' type: 'Python' python_param {{ module: '{MODULE}' layer: '{kind}' {fields} }}"
    layer = create_layer(LayerSpec(layer_parameter(text, len(shapes)), phase, allow_python_layers=True))
    assert isinstance(layer, Python)
    layer.setup(*shapes)
    return layer


def test_runs_forward_and_backward() -> None:
    layer = python_layer("Times", (2, 3), fields="param_str: '10' share_in_parallel: true")
    bottom = random_bottom(2, 3).requires_grad_()
    assert layer.top_shapes((2, 3)) == [(2, 3)]
    (top,) = run(layer, bottom)
    top.backward(torch.full((2, 3), 7.0, dtype=torch.float64))
    assert_close(top, 10 * bottom, 1e-6)
    assert gradient(bottom).tolist() == [[70.0] * 3] * 2


def test_reshapes_before_every_forward_and_keeps_earlier_tops() -> None:
    layer = python_layer("Times", (2, 3), fields="param_str: '2'")
    (first,) = run(layer, torch.ones(2, 3))
    (second,) = run(layer, 5 * torch.ones(2, 3))
    (third,) = run(layer, torch.ones(4, 1, 2))
    assert [first[0, 0], second[0, 0]] == [2, 10]
    assert third.shape == (4, 1, 2)


def test_half_precision_becomes_float32() -> None:
    layer = python_layer("Times", (2, 3), fields="param_str: '257'")
    bottom = torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        (top,) = run(layer, bottom)
    top.sum().backward()
    assert top.tolist() == [[257.0] * 3] * 2
    assert gradient(bottom).dtype == torch.bfloat16


def test_a_second_derivative_is_refused() -> None:
    """The user's backward may use numbers that the layer keeps, so that a second derivative would be 0."""
    layer = python_layer("SquaredDistance", (2, 3), (2, 3))
    bottoms = [random_bottom(2, 3, seed=seed).requires_grad_() for seed in range(2)]
    (slope, _) = torch.autograd.grad(run(layer, *bottoms)[0].sum(), bottoms, create_graph=True)
    assert_close(slope, (bottoms[0] - bottoms[1]) / 2, 1e-6)
    message = r"^layer 'p' \(Python\): expected a first derivative, found a second one asked for: .* create_graph=True$"
    with pytest.raises(MissingFeatureError, match=message):
        slope.square().sum().backward()


def test_transforms_of_torch_are_refused() -> None:
    layer = python_layer("Times", (2, 3), fields="param_str: '10'")
    message = (
        rf"^layer 'p' \(Python\): runs the code of '{MODULE}' on arrays, which torch.export, torch.func and .* cannot"
    )
    with pytest.raises(MissingFeatureError, match=message):
        torch.func.grad(lambda bottom: run(layer, bottom)[0].sum())(torch.ones(2, 3))


@pytest.mark.slow
def test_compiled_code_goes_around_the_users_code() -> None:
    """Compilers would translate NumPy's random numbers to torch's."""
    layer, other = (python_layer("Noise", (2, 3)) for _ in range(2))
    compiled = torch.compile(layer, backend="eager")
    for seed in range(3):
        np.random.seed(seed)
        found = compiled(torch.ones(2, 3))[0]
        np.random.seed(seed)
        assert torch.equal(found, other(torch.ones(2, 3))[0])
    torch.compiler.reset()
    with pytest.raises(
        torch._dynamo.exc.Unsupported, match=r"layer 'p' \(Python\): runs the code of .*without fullgraph"
    ):
        torch.compile(layer, backend="eager", fullgraph=True)(torch.ones(2, 3))


def test_param_str_has_its_old_name_too() -> None:
    assert python_layer("Times", (1,), fields="param_str: '3'").instance.param_str_ == "3"


def test_a_loss_is_told_where_gradients_go() -> None:
    layer = python_layer("SquaredDistance", (2, 3), (2, 3))
    a, b = random_bottom(2, 3).float().requires_grad_(), random_bottom(2, 3, seed=1).float()
    (loss,) = run(layer, a, b)
    (2 * loss).sum().backward()
    assert_close(gradient(a), a - b, 1e-6)
    assert isinstance(layer.instance, user_layers.SquaredDistance)
    assert layer.instance.asked == [True, False]


def test_weights_learn_and_gradients_add_up() -> None:
    layer = python_layer("Weighted", (2, 3))
    bottom = random_bottom(2, 3).float().requires_grad_()
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3,)]
    for times in (1, 2):
        (top,) = run(layer, bottom)
        top.sum().backward()
        assert_close(gradient(layer.blobs[0]), times * bottom.sum(0), 1e-6)
    assert_close(top, 2 * bottom, 1e-6)
    assert layer.instance.blobs[0].diff.tolist() == gradient(layer.blobs[0]).tolist()


def test_shares_weights_that_the_net_ties() -> None:
    layer = python_layer("Weighted", (2, 3))
    layer.blobs[0] = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    (top,) = run(layer, torch.ones(2, 3))
    assert top[0].tolist() == [1, 2, 3]
    assert layer.instance.blobs[0].data.tolist() == [1, 2, 3]


def test_data_layers_keep_their_place() -> None:
    layer = python_layer("Counter")
    assert layer.top_shapes() == [(3,)]
    assert [run(layer)[0].tolist() for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_its_phase_is_a_number_and_a_name(phase: str) -> None:
    """Proposal layers look up their settings by str(self.phase)."""
    found = python_layer("PhaseOf", phase=phase).instance.phase
    assert str(found) == f"{found}" == phase
    assert found == caffe_pb2.Phase.Value(phase)


USER_MODULE = """
import caffe
from caffe.proto import caffe_pb2


class Doubles(caffe.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data
"""


def test_a_users_module_finds_caffe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every program, not in `run` alone; whether Python layers are allowed elsewhere stays as it is."""
    (tmp_path / "doubling_user_layer.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "caffe"]:
        monkeypatch.delitem(sys.modules, name)
    text = "name: 'p' type: 'Python' python_param { module: 'doubling_user_layer' layer: 'Doubles' }"
    layer = create_layer(LayerSpec(layer_parameter(text, 1), "TEST", allow_python_layers=True))
    layer.setup((2, 3))
    (top,) = run(layer, torch.full((2, 3), 4.0))
    assert top.unique().tolist() == [8]
    assert not surroundings().allow_python_layers


@pytest.mark.parametrize(("phase", "value"), [("TRAIN", 0), ("TEST", 1)])
def test_knows_its_phase(phase: str, value: int) -> None:
    assert run(python_layer("PhaseOf", phase=phase))[0].item() == value


def test_in_place_top_and_bottom_are_one_blob() -> None:
    text = f"type: 'Python' bottom: 'x' top: 'x' python_param {{ module: '{MODULE}' layer: 'Times' param_str: '3' }}"
    layer = create_layer(LayerSpec(layer_parameter(text), allow_python_layers=True))
    layer.setup((2,))
    bottom = torch.ones(2, requires_grad=True)
    run(layer, bottom)[0].sum().backward()
    assert bottom.tolist() == [1, 1]
    assert gradient(bottom).tolist() == [3, 3]


def test_runs_in_a_net() -> None:
    def layer(name: str, bottom: str, factor: int) -> str:
        return (
            f"layer {{ name: '{name}' type: 'Python' bottom: '{bottom}' top: '{name}' "
            f"python_param {{ module: '{MODULE}' layer: 'Times' param_str: '{factor}' }} }}"
        )

    text = "layer { name: 'i' type: 'Input' top: 'data' input_param { shape { dim: 4 dim: 2 } } } force_backward: true"
    parameter = text_format.Parse(f"{text} {layer('a', 'data', 10)} {layer('b', 'a', 2)}", caffe_pb2.NetParameter())
    net = build_net(parameter, caffe_pb2.NetState(), Surroundings(allow_python_layers=True))
    net.blobs["data"].data[...] = 8
    net.forward_range(0, 2)
    net.blobs["b"].diff[...] = 7
    net.backward_range(2, 0)
    assert (net.blobs["b"].data == 160).all()
    assert (net.blobs["data"].diff == 140).all()


def test_errors_of_the_user_come_out_as_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^the user's own error$"):
        python_layer("Broken", (1,))


def test_needs_permission() -> None:
    parameter = layer_parameter(f"name: 'p' type: 'Python' python_param {{ module: '{MODULE}' layer: 'Times' }}")
    with pytest.raises(MissingFeatureError, match=r"^layer 'p' \(Python\): runs the code of .*--allow-python-layers"):
        create_layer(LayerSpec(parameter))


def test_names_a_missing_module_and_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(module: str, kind: str) -> None:
        text = f"name: 'p' type: 'Python' python_param {{ module: '{module}' layer: '{kind}' }}"
        create_layer(LayerSpec(layer_parameter(text), allow_python_layers=True))

    with pytest.raises(MissingFeatureError, match=r"^layer 'p' \(Python\): no module 'nowhere'; put its folder on"):
        create("nowhere", "Times")
    for kind in ("NotALayer", "Nothing"):
        with pytest.raises(FieldError, match=rf"^layer 'p' \(Python\): expected a class '{kind}' in module '{MODULE}'"):
            create(MODULE, kind)
    (tmp_path / "needs_more.py").write_text("import nowhere_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        create("needs_more", "Times")
