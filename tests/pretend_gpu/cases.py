"""What holds on a GPU; `test_on_a_gpu.py` runs these with the plugin."""

from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.net.blob import Blob, ParameterBlob, SyncedTensor
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.solvers.solver import Callback, Solver
from tests.engine.nets import seeded
from tests.layers.utility import user_layers
from tests.net import test_sharers as sharers
from tests.pretend_gpu.device import GPU, nothing_waits
from tests.prototxt_gen.generated import give_statistics, training_net
from tests.prototxt_gen.test_generated_nets_run import with_dummy_data
from tests.solvers.least_squares import make_solver

NET = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 3 dim: 2 dim: 5 dim: 4 } shape { dim: 3 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "label" top: "loss" }
"""


def built(text: str, device: torch.device = GPU) -> Net:
    """The net with seeded weights and inputs."""
    torch.manual_seed(3)
    parameter = text_format.Parse(text, caffe_pb2.NetParameter())
    surroundings = Surroundings(device=device, allow_python_layers=True)
    return seeded(build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TRAIN), surroundings))


def backward(net: Net) -> None:
    net.backward_range(len(net.steps) - 1, 0)


def forward(net: Net) -> float:
    return net.forward_range(0, len(net.steps) - 1)


def test_tensors_of_two_devices_do_not_meet() -> None:
    with pytest.raises(RuntimeError, match=r"(?i)expected all tensors to be on "):
        torch.ones(2, device=GPU) + torch.ones(2)


def test_looking_at_blobs_and_weights_does_not_disturb_backward() -> None:
    watched, unwatched = built(NET), built(NET)
    for net in (watched, unwatched):
        forward(net)
        if net is watched:
            for name in net.blobs:
                _ = net.blobs[name].data, net.blobs[name].diff
            for blobs in net.params.values():
                _ = [(blob.data, blob.diff) for blob in blobs]
        backward(net)
    for name, blobs in watched.params.items():
        for blob, other in zip(blobs, unwatched.params[name], strict=True):
            assert blob.diff.any()
            np.testing.assert_array_equal(blob.diff, other.diff)


def test_weights_written_between_forward_and_backward_count_as_on_the_cpu() -> None:
    diffs = []
    for device in (GPU, torch.device("cpu")):
        net = built(NET, device)
        forward(net)
        net.params["fc"][0].data[...] *= 3
        backward(net)
        diffs.append(net.params["conv"][0].diff.copy())
    on_gpu, on_cpu = diffs
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-6)


def test_what_was_written_to_a_blob_reaches_the_device_once() -> None:
    value = SyncedTensor((3,), GPU)
    value.assign(torch.ones(3, device=GPU))
    graph = value.snapshot()
    value.host()[...] = 7
    assert value.tensor().tolist() == [7, 7, 7]
    assert value.tensor() is value.tensor()
    assert graph.tolist() == [1, 1, 1]


def test_a_later_value_wins_over_an_array_that_was_looked_at() -> None:
    blob = Blob((2,), GPU)
    _ = blob.data
    blob.assign(torch.full((2,), 4.0, device=GPU))
    assert blob.value.tensor().tolist() == [4, 4]


def test_weights_from_a_file_win_over_what_was_written_before(tmp_path: Path) -> None:
    net = built(NET)
    net.save(str(tmp_path / "w.caffemodel"))
    kept = net.params["fc"][0].data.copy()
    net.params["fc"][0].data[...] = 9
    net.copy_layers(read_weights(str(tmp_path / "w.caffemodel")).layers, "w.caffemodel")
    forward(net)
    np.testing.assert_array_equal(net.params["fc"][0].data, kept)


def test_cleared_gradients_stay_cleared() -> None:
    net = built(NET)
    net.params["fc"][0].diff[...] = 5
    net.clear_parameter_gradients()
    net.flush()
    assert not net.params["fc"][0].diff.any()


def test_another_shape_takes_what_was_written() -> None:
    blob = ParameterBlob(torch.nn.Parameter(torch.zeros(2, 3, device=GPU)))
    blob.data[...] = 6
    blob.reshape(3, 2)
    assert blob.parameter.tolist() == [[6, 6]] * 3


def test_shared_weights_are_written_through_either_net() -> None:
    net, other = built(NET), built(NET)
    other.share_weights(net)
    net.params["fc"][0].data[...] = 0
    net.params["fc"][1].data[...] = 4
    forward(other)  # the other one runs, the first does not
    assert (other.blobs["fc"].data == 4).all()


def test_snapshots_hold_what_was_written(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.net.params["ip"][0].data[...] = 3
    solver.snapshot()
    (weights,) = (layer.blobs for layer in read_weights(f"{tmp_path}/s_iter_0.caffemodel").layers if layer.name == "ip")
    assert (weights[0] == 3).all()


def test_gradients_that_callbacks_write_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = make_solver("base_lr: 0.1")
    (weight, _) = solver.net.params["ip"]

    def write() -> None:
        weight.diff[...] = 2

    def average(gradients: list[torch.Tensor]) -> None:
        for gradient in gradients:
            gradient.mul_(10)

    solver.callbacks.append(Callback(lambda: None, write))
    monkeypatch.setattr(solver.workers, "average", average)
    before = weight.data.copy()
    solver.step(1)
    np.testing.assert_allclose(before - weight.data, 0.1 * 1.5 * 2 * 10, rtol=1e-5)


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_lines_of_debug_info_between_losses_of_an_engine(engine: str) -> None:
    solver = make_solver("base_lr: 0.1 display: 2 debug_info: true average_loss: 3", engine)
    solver.step(4)
    assert solver.figures.smoothed_loss.value() > 0


def test_a_python_layer_without_bottoms_gives_tops_on_the_device() -> None:
    source = (
        'layer { name: "source" type: "Python" top: "data" '
        f'python_param {{ module: "{user_layers.__name__}" layer: "Counter" }} }}'
    )
    net = built(source + 'layer { name: "scale" type: "Scale" bottom: "data" top: "y" scale_param { axis: 0 } }')
    forward(net)
    assert net.blobs["y"].value.tensor().device == GPU


@pytest.mark.parametrize(("norm", "engine"), [("batchnorm", "fast"), ("bn", "exact")])
def test_a_training_step_of_srn_never_waits_for_the_device(norm: str, engine: str) -> None:
    message = training_net(labels=5, depth=26, width=8, input_size=64, norm=norm, model="resnet101_srn", step="4")
    parameter = caffe_pb2.SolverParameter(base_lr=0.01, momentum=0.9, weight_decay=5e-4, lr_policy="fixed")
    parameter.net_param.CopyFrom(with_dummy_data(message, labels=5))
    solver = Solver(parameter, engine, on_nan="ignore")  # looking for NaN waits twice per iteration
    give_statistics(solver.net)
    solver.step(1)
    with nothing_waits():
        solver.step(2)


def test_gradients_of_shared_weights_stay_apart() -> None:
    net, other = built(NET), built(NET)
    other.share_weights(net)
    forward(other)
    backward(other)
    expected = other.params["fc"][0].diff.copy()
    other.params["fc"][0].diff[...] = 5
    forward(net)
    backward(net)
    np.testing.assert_allclose(net.params["fc"][0].diff, expected, rtol=1e-5)
    other.flush()
    assert (other.params["fc"][0].diff == 5).all()


def test_a_host_array_lasts_over_shapes_that_fit() -> None:
    value = SyncedTensor((3, 4), GPU)
    kept = value.host()
    kept[...] = 4
    value.reshape((2, 4))
    assert value.tensor().tolist() == [[4] * 4] * 2
    value.assign(torch.full((1, 4), 6.0, device=GPU))
    assert value.host().tolist() == [[6] * 4]
    kept[1] = 3
    value.reshape((2, 4))
    assert value.tensor().tolist() == [[6] * 4, [3] * 4]
    value.assign(torch.full((3, 4), 5.0, device=GPU))
    value.reshape((1, 2))
    assert value.host().tolist() == [[5] * 2]
    value.reshape((5, 4))
    assert value.host().shape == (5, 4)
    assert not value.host().any()


def test_a_write_before_a_shape_that_fits_survives_a_move() -> None:
    value = SyncedTensor((2, 3), GPU)
    value.host()[...] = 8
    value.reshape((2, 2))
    value.move(torch.device("cpu"))
    assert value.host().tolist() == [[8, 8]] * 2


def test_a_second_look_at_weights_keeps_what_was_written_before() -> None:
    net = built(NET)
    for values in (net.params["fc"][0], net.params["fc"][0]):
        values.data[...] = 2
        values.data[...] += 1
        assert (values.data == 3).all()
        values.diff[...] = 4
        values.diff[...] += 1
        assert (values.diff == 5).all()
    net.flush()
    assert (net.params["fc"][0].data == 3).all()


def test_sharers_with_gradients_of_their_own_use_one_memory() -> None:
    """The training rule of the SRN authors' Caffe, on both devices."""
    words = f'type: "AdaGrad" base_lr: {sharers.RATE} weight_decay: {sharers.DECAY} clip_gradients: 0.8'
    there = sharers.make(words)
    assert there.net.device == GPU
    expected = sharers.expected_weight(there, "AdaGrad", 3, 0.8, 1)
    there.step(3)
    for layer in "ab":
        np.testing.assert_allclose(there.net.params[layer][0].data, expected, rtol=3e-5, atol=3e-6)
    there.net.params["b"][0].data[...] = 2
    assert (there.net.params["a"][0].data == 2).all()
