"""Net.forward fuses layers only while nobody can tell: what is read later is what an exact run gives."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.engine.fast import LazyForward

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "bn1" }
layer { name: "scale1" type: "Scale" bottom: "bn1" top: "bn1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "bn1" top: "bn1" }
layer { name: "conv2" type: "Convolution" bottom: "bn1" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "conv2" bottom: "bn1" top: "sum" }
layer { name: "relu2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "fc" type: "InnerProduct" bottom: "sum" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""
Pair = tuple[caffe.Net, caffe.Net]


def data(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 3, 9, 8)).astype(np.float32)


@pytest.fixture(params=["fast", "onnxruntime", "openvino"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param != "fast":
        pytest.importorskip(request.param)
    return str(request.param)


@pytest.fixture(name="nets")
def made(engine: str, tmp_path: Path) -> Pair:
    """A net that may fuse and one that does not, with one set of weights."""
    path, weights = tmp_path / "net.prototxt", str(tmp_path / "net.caffemodel")
    path.write_text(TEXT)
    net = caffe.Net(str(path), caffe.TEST, engine="exact")
    net.params["bn1"][0].data[...] = [1, -1, 2, 0.5]
    net.params["bn1"][1].data[...] = [2, 3, 1, 4]
    net.params["bn1"][2].data[...] = 1
    net.save(weights)
    fusing = caffe.Net(str(path), caffe.TEST, weights=weights, engine=engine)
    return fusing, caffe.Net(str(path), weights, caffe.TEST, engine="exact")


@pytest.fixture(name="runs")
def counted(monkeypatch: pytest.MonkeyPatch) -> list[LazyForward]:
    """The fused runs so far."""
    runs: list[LazyForward] = []
    forward = LazyForward.forward

    def counting(lazy: LazyForward) -> object:
        runs.append(lazy)
        return forward(lazy)

    monkeypatch.setattr(LazyForward, "forward", counting)
    return runs


def assert_equal_blobs(nets: Pair) -> None:
    fast, exact = nets
    for name, blob in exact.blobs.items():
        if name not in exact.outputs:
            np.testing.assert_array_equal(fast.blobs[name].data, blob.data, err_msg=name)


def test_outputs_are_those_of_an_exact_run_but_for_rounding(nets: Pair, runs: list[LazyForward]) -> None:
    fast, exact = (net.forward(data=data())["fc"].copy() for net in nets)

    assert len(runs) == 1
    np.testing.assert_allclose(fast, exact, rtol=1e-5, atol=1e-5)


def test_a_blob_that_is_read_later_is_exact(nets: Pair, runs: list[LazyForward]) -> None:
    for net in nets:
        net.forward(data=data())
        net.blobs["data"].data[...] = 0
    assert_equal_blobs(nets)
    for net in nets:
        net.forward(data=data(2))
    assert_equal_blobs(nets)
    assert len(runs) == 1  # after a look, arrays must follow every run


def write_weights(net: caffe.Net) -> None:
    net.params["conv2"][0].data[...] *= 2


def run_a_part(net: caffe.Net) -> None:
    net.forward(start="conv2")


def write_between(net: caffe.Net) -> None:
    net.blobs["bn1"].data[...] += 1
    net.forward(start="conv2")


def reshape(net: caffe.Net) -> None:
    net.blobs["data"].reshape(2, 3, 9, 8)
    net.reshape()


def reshape_weights(net: caffe.Net) -> None:
    net.params["conv2"][0].reshape(2, 3)
    net.params["conv2"][0].reshape(4, 4, 3, 3)


@pytest.mark.parametrize("change", [write_weights, run_a_part, write_between, reshape, reshape_weights])
def test_what_a_script_does_between_runs(
    change: Callable[[caffe.Net], None], nets: Pair, runs: list[LazyForward]
) -> None:
    for net in nets:
        net.forward(data=data())
        change(net)
    assert_equal_blobs(nets)
    fast, exact = (net.forward(data=data(3))["fc"].copy() for net in nets)

    assert runs
    np.testing.assert_allclose(fast, exact, rtol=1e-5, atol=1e-5)


def test_a_held_weight_may_be_written_at_any_time(nets: Pair, runs: list[LazyForward]) -> None:
    held = [net.params["conv1"][0].data for net in nets]
    for net, weight in zip(nets, held, strict=True):
        net.forward(data=data())
        weight[...] = 0.25
        net.forward(data=data())
    assert runs == []
    assert_equal_blobs(nets)
    del held, weight
    nets[0].params["conv1"][0].data[...] = 0
    np.testing.assert_allclose(nets[0].forward()["fc"][0], nets[0].forward()["fc"][1], rtol=1e-5)


def test_a_weight_is_held_though_it_was_read_again(nets: Pair, runs: list[LazyForward]) -> None:
    held = [net.params["conv1"][0].data for net in nets]
    for net, weight in zip(nets, held, strict=True):
        assert net.params["conv1"][0].data.any()
        net.forward(data=data())
        weight[...] = 0.25
    assert runs == []
    assert_equal_blobs(nets)


def test_a_hook_sees_every_layer(nets: Pair, runs: list[LazyForward]) -> None:
    seen: list[int] = []
    nets[0].after_forward(seen.append)
    nets[0].forward(data=data())

    assert seen == list(range(len(nets[0].layers)))
    assert runs == []


def test_another_size_is_carried_through(nets: Pair) -> None:
    for net in nets:
        net.forward(data=data())
        net.blobs["data"].reshape(1, 3, 9, 8)
        net.forward(data=data()[:1])
        assert net.blobs["conv2"].shape == (1, 4, 9, 8)
        net.forward(data=data(4)[:1])
    assert_equal_blobs(nets)


def test_shared_weights_are_run_exactly(nets: Pair, runs: list[LazyForward]) -> None:
    nets[0].share_with(nets[1])
    nets[0].forward(data=data())

    assert runs == []


@pytest.mark.parametrize("line", ["force_backward: true", "debug_info: true", 'name: "in place"'])
def test_nets_that_must_be_exact(line: str, tmp_path: Path, runs: list[LazyForward]) -> None:
    early = 'layer { name: "early" type: "ReLU" bottom: "data" top: "data" }\nlayer { name: "conv1"'
    text = TEXT.replace('layer { name: "conv1"', early) if "in place" in line else TEXT
    (tmp_path / "net.prototxt").write_text(f"{line}\n{text}")
    caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).forward()

    assert runs == []


def test_a_blob_outlives_its_net_and_the_net_is_freed_at_once(nets: Pair, engine: str, tmp_path: Path) -> None:
    files = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    net = caffe.Net(files[0], caffe.TEST, weights=files[1], engine=engine)
    for one in (net, nets[1]):
        one.forward(data=data())
    blob, gone = net.blobs["conv2"], weakref.ref(net._net)
    gc.disable()
    try:
        del net, one
        assert gone() is None
    finally:
        gc.enable()
    np.testing.assert_array_equal(blob.data, nets[1].blobs["conv2"].data)


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(TEXT)
    names = "exact, fast, fast-bf16, onnxruntime, openvino, openvino-bf16"
    with pytest.raises(TypeError, match=f"^expected engine to be one of {names}, got 'quick'$"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, engine="quick")
    with pytest.raises(
        TypeError, match=r"^engine='openvino' predicts only: expected the phase caffe\.TEST, got TRAIN$"
    ):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN, engine="openvino")


@pytest.mark.parametrize("name", ["fast-bf16", "openvino-bf16"])
def test_products_in_bfloat16_are_near_and_what_is_read_later_is_exact(name: str, tmp_path: Path) -> None:
    if name == "openvino-bf16":
        pytest.importorskip("openvino")
    path, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    Path(path).write_text(TEXT)
    exact = caffe.Net(path, caffe.TEST, engine="exact")
    exact.save(weights)
    near = caffe.Net(path, caffe.TEST, weights=weights, engine=name)
    found, expected = (net.forward(data=data())["fc"].copy() for net in (near, exact))
    assert 0 < np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    np.testing.assert_array_equal(near.blobs["conv2"].data, exact.blobs["conv2"].data)
