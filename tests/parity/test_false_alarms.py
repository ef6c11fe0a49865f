"""Runs that are the same on both sides, which a careless comparison would call different."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.parity.causes.find import find_cause
from caffe_compat.parity.causes.suspect import Suspect
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Verdict
from caffe_compat.parity.inputs import fed_blobs, given_inputs, random_inputs
from caffe_compat.parity.opencv import record_opencv
from caffe_compat.parity.own_runs import record_fast, record_layers
from caffe_compat.parity.recording import Recording
from caffe_compat.parity.replay import Replay
from tests.parity.nets import inputs_of, net_of

LSTM = """
layer { name: "x" type: "Input" top: "x" top: "cont"
  input_param { shape { dim: 4 dim: 1 dim: 3 } shape { dim: 4 dim: 1 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h" recurrent_param { num_output: 5 } }
layer { name: "ip" type: "InnerProduct" bottom: "h" top: "ip" inner_product_param { num_output: 2 axis: 2 } }
"""
MEMORY = """
layer { name: "m" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 3 channels: 2 height: 4 width: 5 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""
UNPOOLED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 6 } } }
layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" top: "mask" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Upsample" bottom: "pool" bottom: "mask" top: "up" upsample_param { scale: 2 } }
layer { name: "conv" type: "Convolution" bottom: "up" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.mark.parametrize("side", ["exact", "float64", "fast", "opencv"])
def test_recurrent_states_never_go_from_run_to_run(side: str) -> None:
    """Markers of 1 everywhere go on from the states before, which are zeros at the start of every compared run."""
    net = net_of(LSTM)
    inputs = inputs_of(net) | {"cont": np.ones((4, 1), np.float32)}
    net.forward_range(0, len(net.steps) - 1)
    if side == "opencv":
        other = record_opencv(net, inputs)
    else:
        other = record_fast(net, inputs) if side == "fast" else record_layers(net, inputs, side)
    comparison = compare(net, other, inputs)
    assert comparison.agrees
    assert comparison.max_error < 1e-5


@pytest.mark.parametrize("side", ["exact", "opencv"])
def test_memory_data_is_fed(side: str, tmp_path: Path) -> None:
    net = net_of(MEMORY)
    np.save(tmp_path / "d.npy", np.ones((3, 2, 4, 5), np.float32))
    inputs = random_inputs(net) | given_inputs(net, [f"data={tmp_path}/d.npy"])
    assert fed_blobs(net) == ["data", "label"]
    assert set(inputs["label"]) <= {0, 1, 2, 3}
    other = record_opencv(net, inputs) if side == "opencv" else record_layers(net, inputs)
    comparison = compare(net, other, inputs)

    assert comparison.agrees
    assert "ip" in [row.layer for row in comparison.differences]
    assert (net.blobs["data"].data == 1).all()


def unpooled(image: np.ndarray, inputs: dict[str, np.ndarray]) -> Recording:
    """A run on a slightly other image, recorded as if the image had been the same: rounding of layers before."""
    net = net_of(UNPOOLED)
    recording = record_layers(net, {"x": image})
    recording.inputs = inputs
    recording.tops["x/x"] = inputs["x"]
    return recording


def test_another_choice_between_nearly_equal_maxima_is_a_tie_and_nothing_behind_it_differs() -> None:
    image = np.random.default_rng(1).normal(size=(1, 2, 4, 6)).astype(np.float32)
    image[0, 1, 2, 2:4] = [5.0, 5.000001]
    other = image.copy()
    other[0, 1, 2, 2] = 5.000002
    comparison = compare(net_of(UNPOOLED), unpooled(other, {"x": image}))

    verdicts = {row.blob: row.verdict for row in comparison.differences}
    assert verdicts == {
        "x": Verdict.SAME, "pool": Verdict.SAME, "mask": Verdict.TIE, "up": Verdict.SAME, "conv": Verdict.SAME,
    }  # fmt: skip
    assert comparison.agrees
    other[0, 1, 2, 2] = 6
    assert not compare(net_of(UNPOOLED), unpooled(other, {"x": image})).agrees


def test_no_cause_is_named_for_what_the_layer_alone_gives() -> None:
    net = net_of(LSTM)
    inputs = inputs_of(net)
    other = record_layers(net, inputs)
    for index, step in Replay(net, other, inputs, follows=True).forward():
        if step.layer.name == "ip":
            theirs = other.tops["ip/ip"]
            assert find_cause(Suspect.of_top(step, 0, theirs, other, {}), 1e-5) == (
                "none in the layer itself: made anew, on the other side's bottoms, it gives the other side's result"
            )
            assert index == len(net.steps) - 1
