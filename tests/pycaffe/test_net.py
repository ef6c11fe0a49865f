"""pycaffe's Net: constructors, forward and backward by name, hooks, files and MemoryData."""

import gc
from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from caffe_compat.errors import CaffeError, GraphError, ShapeError
from caffe_compat.proto.caffe_pb2 import TEST, TRAIN
from caffe_compat.pycaffe.nccl import NCCL
from caffe_compat.pycaffe.net import LayerNameError, Net
from tests.pycaffe.conftest import NET, NetFile

RANDOM = np.random.RandomState(5)


def fill(net: Net) -> None:
    net.blobs["data"].data[...] = RANDOM.randn(3, 2, 6, 5)
    net.blobs["label"].data[...] = [6, 0, 3]


def test_the_arguments_come_in_every_form_of_pycaffe(net: Net, net_file: NetFile, tmp_path: Path) -> None:
    file, weights = net_file(NET), str(tmp_path / "w.caffemodel")
    net.save(weights)
    made = [
        Net(file, TRAIN, weights=weights),
        Net(file, phase=TRAIN, weights=weights),
        Net(network_file=file, phase=TRAIN, level=0, stages=None, weights=weights),
        Net(file, TRAIN, 0, None, weights),
        Net(file, weights, TRAIN),
    ]
    for other in made:
        assert (other.params["conv"][0].data == net.params["conv"][0].data).all()


def test_a_phase_is_needed(net_file: NetFile) -> None:
    with pytest.raises(GraphError, match=r"^expected a phase, caffe\.TRAIN or caffe\.TEST, after the net's file; got"):
        Net(net_file(NET))


def test_a_missing_file_or_phase_is_what_scripts_catch(net_file: NetFile) -> None:
    with pytest.raises(RuntimeError, match=r"^none\.prototxt: no such file; expected a NetParameter as text"):
        Net("none.prototxt", TEST)
    with pytest.raises(RuntimeError, match=r"^none\.caffemodel: no such file; expected weights"):
        Net(net_file(NET), TEST, weights="none.caffemodel")
    with pytest.raises(TypeError, match=r"^expected a phase"):
        Net(net_file(NET))


def test_layers_by_number_are_in_the_net(net: Net) -> None:
    last = len(net.layers) - 1
    for run, first, end in ((net._forward, -1, 2), (net._forward, 0, last + 1), (net._backward, last + 1, 0)):
        with pytest.raises(GraphError, match=rf"^net 'small': expected layers from 0 to {last}, got"):
            run(first, end)
    with pytest.raises(GraphError, match=r"got -1 to 2"):
        net._backward(2, -1)


def test_levels_and_stages_choose_layers(net_file: NetFile) -> None:
    text = NET + (
        "layer { name: 'high' type: 'Power' bottom: 'scores' top: 'high' include { min_level: 2 } }"
        "layer { name: 'special' type: 'Power' bottom: 'scores' top: 'special' include { stage: 'a' } }"
    )
    assert Net(net_file(text), TEST).outputs == ["loss"]
    assert Net(net_file(text), TEST, level=2).outputs == ["high", "loss"]
    assert Net(net_file(text), TEST, stages=["a"]).outputs == ["loss", "special"]


def test_old_arguments_are_warned_about(
    net: Net, net_file: NetFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net.save(str(tmp_path / "w.caffemodel"))
    Net(net_file(NET), str(tmp_path / "w.caffemodel"), TEST)
    assert caplog.messages[0] == "DEPRECATION WARNING - deprecated use of Python interface"


def test_forward_gives_the_outputs_and_what_is_asked_for(net: Net) -> None:
    fill(net)
    assert list(net.forward()) == ["loss"]
    assert list(net.forward(blobs=["scores", "conv"])) == ["loss", "scores", "conv"]
    assert list(net.forward(["scores"])) == ["loss", "scores"]


def test_forward_takes_inputs_by_name(net: Net) -> None:
    fill(net)
    by_hand = np.array(net.forward()["loss"])
    inputs: dict[str, Any] = {name: np.array(net.blobs[name].data) for name in net.inputs}
    net.blobs["data"].data[...] = 0
    assert np.array(net.forward(**inputs)["loss"]) == by_hand


def test_forward_runs_a_part(net: Net) -> None:
    fill(net)
    net.forward()
    net.blobs["conv"].data[...] = RANDOM.rand(3, 4, 4, 4)
    part = net.forward(start="fc", end="fc")
    weights, bias = (blob.data for blob in net.params["fc"])
    assert list(part) == ["scores"]
    expected = net.blobs["conv"].data.reshape(3, -1).astype(np.float64) @ weights.T + bias
    np.testing.assert_allclose(part["scores"], expected, atol=1e-5)  # float32 sums of 64 terms


def test_backward_gives_the_inputs_gradients(net: Net) -> None:
    fill(net)
    net.forward()
    assert list(net.backward()) == ["data", "label"]
    assert net.blobs["data"].diff.any()
    assert list(net.backward(diffs=["scores"], end="fc")) == ["conv", "scores"]


def test_backward_needs_no_forward(net: Net) -> None:
    slopes = RANDOM.rand(3, 7).astype(np.float32)
    net.blobs["scores"].diff[...] = slopes
    gradient = net.backward(start="fc", end="fc")["conv"]
    np.testing.assert_allclose(gradient.reshape(3, -1), slopes @ net.params["fc"][0].data, atol=1e-6)


def test_backward_takes_gradients_by_name(deploy: Net) -> None:
    deploy.forward()
    slopes = RANDOM.rand(4, 2).astype(np.float32)
    deploy.backward(scores=slopes)
    np.testing.assert_allclose(deploy.params["fc"][1].diff, slopes.sum(0), rtol=1e-6)


@pytest.mark.parametrize("names", [{"data"}, {"data", "label", "more"}])
def test_inputs_must_be_the_nets(net: Net, names: set[str]) -> None:
    given: dict[str, Any] = {name: np.zeros(3) for name in names}
    with pytest.raises(GraphError, match=r"^input blob arguments do not match net inputs: expected data, label, got"):
        net.forward(**given)


def test_gradients_must_be_the_outputs(net: Net) -> None:
    with pytest.raises(GraphError, match=r"^output blob arguments do not match net outputs: expected loss, got conv"):
        net.backward(conv=np.zeros(3))


def test_inputs_must_be_batch_sized(net: Net) -> None:
    with pytest.raises(
        ShapeError, match=r"^input 'data' is not batch sized: expected \(3,\) items, got .*\(2, 2, 6, 5\)"
    ):
        net.forward(data=np.zeros((2, 2, 6, 5)), label=np.zeros(3))


def test_an_unknown_layer_is_named(net: Net) -> None:
    with pytest.raises(LayerNameError, match=r"^net 'small' has no layer 'cnov'; did you mean 'conv'\?$") as caught:
        net.forward(end="cnov")
    assert isinstance(caught.value, ValueError)


def test_blobs_can_be_resized_before_forward(net: Net) -> None:
    net.blobs["data"].reshape(5, 2, 6, 5)
    net.blobs["label"].reshape(5)
    net.blobs["label"].data[...] = 1
    net.forward()
    assert net.blobs["scores"].data.shape == (5, 7)
    net.blobs["data"].reshape(1, 2, 6, 5)
    net.blobs["label"].reshape(1)
    net.reshape()
    assert net.blobs["scores"].data.shape == (1, 7)


def test_hooks_see_every_layer(net: Net) -> None:
    seen: list[tuple[str, int]] = []
    net.before_forward(lambda layer: seen.append(("before", layer)))
    net.after_forward(lambda layer: seen.append(("after", layer)))
    net.before_backward(lambda layer: seen.append(("down", layer)))
    net.after_backward(lambda layer: seen.append(("done", layer)))
    net.forward(start="relu", end="fc")
    net.backward(start="fc", end="relu")
    assert seen == [(when, 3) for when in ("before", "after")] + [(when, 4) for when in ("before", "after")] + [
        ("down", 4),
        ("done", 4),
        ("down", 3),
        ("done", 3),
    ]


def test_an_nccl_is_no_hook_of_single_layers(net: Net) -> None:
    net.after_backward(NCCL.__new__(NCCL))
    net.forward()
    net.backward()


def test_gradients_of_weights_add_up_until_cleared(net: Net) -> None:
    fill(net)
    net.forward()
    net.backward()
    gradient = net.params["conv"][0].diff
    once = gradient.copy()
    net.backward()
    np.testing.assert_allclose(gradient, 2 * once, rtol=1e-6)
    net.clear_param_diffs()
    assert (gradient == 0).all()


@pytest.mark.parametrize("form", ["save", "save_hdf5"])
def test_weights_are_saved_and_loaded(net: Net, net_file: NetFile, tmp_path: Path, form: str) -> None:
    path = str(tmp_path / "without_a_known_ending")
    getattr(net, form)(path)
    other = Net(net_file(NET), TRAIN)
    (other.copy_from if form == "save" else other.load_hdf5)(path)
    for name, blobs in net.params.items():
        assert all((mine.data == theirs.data).all() for mine, theirs in zip(blobs, other.params[name], strict=True))


def test_weights_of_another_shape_are_not_shared(net: Net, net_file: NetFile) -> None:
    other = Net(net_file(NET.replace("num_output: 7", "num_output: 8")), TRAIN)
    with pytest.raises(
        GraphError, match=r"^layer 'fc' .*: cannot share weights with a net whose blobs have other shap"
    ):
        other.share_with(net)


def test_shared_weights_are_seen_by_who_holds_the_blobs(net: Net, net_file: NetFile) -> None:
    other = Net(net_file(NET), TRAIN)
    held = other.params["fc"][0]
    other.share_with(net)
    net.params["fc"][0].data[...] = 4.5
    assert (held.data == 4.5).all()
    assert (other.layers[4].blobs[0].data == 4.5).all()
    fill(other)
    other.forward()
    other.backward()
    other.clear_param_diffs()
    assert not held.diff.any()


def test_blobs_outlive_the_net(net_file: NetFile) -> None:
    net = Net(net_file(NET), TRAIN)
    data, weights = net.blobs["data"].data, net.params["conv"][0].data
    data[...], weights[...] = 3, 5
    del net
    gc.collect()
    assert (data == 3).all()
    assert (weights == 5).all()


def test_arrays_are_float32_and_in_row_order(net: Net) -> None:
    fill(net)
    net.forward()
    net.backward()
    blobs: list[Any] = [*net.blobs.values(), *(blob for blobs in net.params.values() for blob in blobs)]
    for array in (array for blob in blobs for array in (blob.data, blob.diff)):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_looking_costs_no_new_structures(net: Net) -> None:
    for name in ("blobs", "params", "layers", "layer_dict", "top_names", "bottom_names", "inputs", "outputs"):
        assert getattr(net, name) is getattr(net, name)
    assert isinstance(net.blobs, OrderedDict)


MEMORY = """
layer { name: 'data' type: 'MemoryData' top: 'data' top: 'label'
  memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }
"""


def test_memory_data_walks_round_the_arrays(net_file: NetFile) -> None:
    net = Net(net_file(MEMORY), TEST)
    data, labels = RANDOM.rand(6, 3, 4, 5).astype(np.float32), np.arange(6, dtype=np.float32)
    net.set_input_arrays(data, labels)
    for batch in (0, 1, 2, 0):
        net.forward()
        assert (net.blobs["data"].data == data[2 * batch : 2 * batch + 2]).all()
        assert list(net.blobs["label"].data) == [2 * batch, 2 * batch + 1]


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (np.zeros((2, 3, 4, 5)), np.zeros(2, np.float32), "data array must be float32 and C contiguous, got float64"),
        (np.zeros((2, 3, 5, 4), np.float32).swapaxes(2, 3), np.zeros(2, np.float32), "data array must be .* strides"),
        (np.zeros((2, 3, 4, 5), np.float32), np.zeros(2, np.int64), "labels array must be float32"),
        (np.zeros((3, 3, 4, 5), np.float32), np.zeros(3, np.float32), "n must be a multiple of batch size 2, got 3"),
    ],
)
def test_arrays_that_memory_data_cannot_take(
    net_file: NetFile, data: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(CaffeError, match=rf"^layer 'data' \(MemoryData\): {message}"):
        Net(net_file(MEMORY), TEST).set_input_arrays(data, labels)


def test_only_memory_data_takes_arrays(net: Net) -> None:
    with pytest.raises(GraphError, match=r"^layer 'data' \(Input\): set_input_arrays may only be called if the first"):
        net.set_input_arrays(np.zeros((2, 3, 4, 5), np.float32), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        (("w.caffemodel", TEST, 0), {}, "got 3 arguments after the file$"),
        ((TEST, 0, ["a"], "w.caffemodel", 1), {}, "got 5 arguments after the file$"),
        ((TEST, "w.caffemodel"), {}, "got 'w.caffemodel' as level$"),
        ((TEST,), {"stages": "train"}, "got 'train' as stages$"),
        ((TEST,), {"weights": 3}, "got 3 as weights$"),
        ((TEST,), {"phase": TEST}, "got the argument 'phase' twice, or it is none of Net's$"),
        ((TEST,), {"weight": "w.caffemodel"}, "got the argument 'weight' twice, or it is none of Net's$"),
    ],
)
def test_arguments_that_no_pycaffe_takes_are_refused(
    net_file: NetFile, arguments: tuple[object, ...], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=rf"^expected Net\(file, phase, level=0, .*; {message}") as caught:
        Net(net_file(NET), *arguments, **named)
    assert isinstance(caught.value, CaffeError)


def test_the_file_is_a_path() -> None:
    with pytest.raises(TypeError, match=r"^expected Net\(file, phase, .*; got None as file$"):
        Net(cast(Any, None), TEST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'layer { name: "only" type: "Parameter" top: "only" parameter_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "relu" type: "ReLU" bottom: "only" top: "relu" }',
    ],
)
def test_a_net_without_inputs_runs(text: str, net_file: NetFile) -> None:
    net = Net(net_file(f'name: "bare"\n{text}'), TEST)
    net.forward()
    assert all((blob.data == 0).all() for blob in net.blobs.values())
