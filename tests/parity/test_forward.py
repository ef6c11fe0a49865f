"""Forward comparisons: records of real Caffes, and what is said of blobs that are not simply there."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.net.build import load_net
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison, Kind, Verdict
from caffe_compat.parity.measure import Tolerances
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.recording import BlobSample, Recording, read_recording
from caffe_compat.proto.read import read_weights
from tests.parity.nets import inputs_of, net_of

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
#: Backward at TEST of BN, and of MVN without variance, is not the same in the two Caffes or not a derivative.
BACKWARD = ("bvlc/layers/batchnorm_scale_relu/TRAIN", "bvlc/layers/share_weights/TEST", "bvlc/layers/rand_00007/TRAIN",
            "srn_fork/layers/bn/TRAIN")  # fmt: skip

CHAIN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 4 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "pool" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "y" inner_product_param { num_output: 7 } }
"""


def compared_with_record(case: str, backward: bool) -> Comparison:
    folder = GOLDENS / case
    net = load_net(str(folder / "net.prototxt"), folder.name)
    net.copy_layers(read_weights(str(folder / "weights.caffemodel")).layers, "weights.caffemodel")
    return compare(net, read_recording(folder / "blobs.npz"), backward=backward)


@pytest.mark.parametrize("case", BACKWARD)
def test_records_of_real_caffes_are_the_same_forward_and_backward(case: str) -> None:
    comparison = compared_with_record(case, backward=True)
    assert comparison.agrees
    assert {row.kind for row in comparison.differences} >= {Kind.TOP, Kind.WEIGHT_GRADIENT}
    assert max(row.alone.relative for row in comparison.differences if row.alone and row.kind is Kind.TOP) < 3e-6


def test_running_statistics_have_rows_where_forward_moves_them() -> None:
    moved = compared_with_record("bvlc/layers/batchnorm_scale_relu/TRAIN", backward=False)
    assert [row.blob for row in moved.differences if row.kind is Kind.STATISTIC] == ["blob 0", "blob 1", "blob 2"]
    still = compared_with_record("bvlc/layers/batchnorm_scale_relu/TEST", backward=False)
    assert not [row for row in still.differences if row.kind is Kind.STATISTIC]


def array_of(recording: Recording, key: str) -> np.ndarray:
    """The whole top under this key."""
    top = recording.tops[key]
    assert isinstance(top, np.ndarray)
    return top


def record_of(phase: str = "TEST") -> tuple[Recording, np.ndarray]:
    net = net_of(CHAIN, phase)
    recording = record_layers(net, inputs_of(net))
    return recording, inputs_of(net)["data"]


def test_the_net_is_left_as_it_was() -> None:
    net = net_of(CHAIN, "TRAIN")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    compare(net, record_of("TRAIN")[0])
    assert all(bool((old == new).all()) for old, new in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ("number", "change", "cause"),
    [
        (0, lambda after, before: before * 0.8 + (after - before * 0.9), r"^moving_average_fraction: 0.8"),
        (1, lambda after, before: before * 0.9 + (after - before * 0.9) * 35 / 36, r"^variance convention: .* biased"),
    ],
)
def test_a_running_statistic_has_its_own_cause(number: int, change: Callable[..., np.ndarray], cause: str) -> None:
    net, other = net_of(CHAIN, "TRAIN"), record_of("TRAIN")[0]
    before = net.step_of("bn").layer.blobs[number].detach().numpy()
    other.weights_after[f"bn/{number}"] = change(other.weights_after[f"bn/{number}"], before)
    first = compare(net, other).first_wrong
    assert first is not None
    assert (first.layer, first.kind, first.blob) == ("bn", Kind.STATISTIC, f"blob {number}")
    assert re.search(cause, first.cause), first.cause


def test_blobs_that_the_other_side_does_not_show_widen_the_suspicion() -> None:
    other = record_of()[0]
    del other.tops["bn/c"], other.tops["relu/c"]
    other.tops["pool/p"] = array_of(other, "pool/p") + 1
    comparison = compare(net_of(CHAIN), other)
    first = comparison.first_wrong
    assert first is not None
    assert (first.layer, first.since) == ("pool", ("bn", "relu"))
    assert comparison.not_compared == ["bn -> c", "relu -> c"]


def test_samples_are_judged_by_the_whole_run() -> None:
    other = record_of()[0]
    samples = {key: BlobSample(BlobSample(np.zeros(9), 0).of(array_of(other, key)), 1.0) for key in other.tops}
    other.tops = {**samples}
    assert compare(net_of(CHAIN), other).agrees
    samples["bn/c"].values[:] += 5
    comparison = compare(net_of(CHAIN), other)
    assert comparison.first_wrong is not None
    assert comparison.first_wrong.layer == "bn"


def test_another_shape_is_named_and_the_rest_goes_on() -> None:
    other = record_of()[0]
    other.tops["pool/p"] = array_of(other, "pool/p")[:, :, :1]
    comparison = compare(net_of(CHAIN), other)
    verdicts = {row.layer: row.verdict for row in comparison.differences}
    assert verdicts["pool"] is Verdict.OTHER_SHAPE
    assert verdicts["ip"] is Verdict.OTHER_SHAPE
    failed = next(row for row in comparison.differences if row.layer == "ip")
    assert "ip" in failed.cause or "shape" in failed.cause
    assert comparison.max_error == float("inf")


def test_rounding_errors_that_add_up_are_called_drift() -> None:
    net, other = net_of(CHAIN), record_of()[0]
    for layer in ("conv/c", "bn/c", "relu/c", "pool/p", "ip/y"):
        other.tops[layer] = array_of(other, layer) * np.float32(1.00002)
    strict = Tolerances(layer=3e-5, net=1e-6, layer_gradient=1, net_gradient=1, update=1)
    first = compare(net, other, tolerances=strict).first_wrong
    assert first is not None
    assert first.verdict is Verdict.DRIFTS


def test_the_record_of_another_net_is_refused() -> None:
    other = Recording("x.npz", inputs=record_of()[0].inputs, tops={"nothing/nothing": np.zeros(3)})
    with pytest.raises(
        DataError, match=r"^x\.npz: expected layers of net '' \(data, conv, bn, relu, \.\.\.\), found none"
    ):
        compare(net_of(CHAIN), other)


def test_dropout_at_train_follows_the_other_sides_lot() -> None:
    text = CHAIN + 'layer { name: "drop" type: "Dropout" bottom: "y" top: "y" dropout_param { dropout_ratio: 0.4 } }'
    text += 'layer { name: "after" type: "Power" bottom: "y" top: "z" power_param { scale: 3 } }'
    net = net_of(text, "TRAIN")
    other = record_layers(net_of(text, "TRAIN"), inputs_of(net))
    assert compare(net, other).agrees
    other.tops["drop/y"] = array_of(other, "drop/y") * np.float32(0.6)
    first = compare(net, other).first_wrong
    assert first is not None
    assert first.layer == "drop"
    assert first.cause.startswith("dropout scale: the other side does not divide by 0.6 at TRAIN")


def test_random_data_is_taken_over_from_the_other_side() -> None:
    text = """
    layer { name: "noise" type: "DummyData" top: "data"
            dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" std: 1 } } }
    layer { name: "twice" type: "Power" bottom: "data" top: "y" power_param { scale: 2 } }
    """
    other = record_layers(net_of(text), {})
    comparison = compare(net_of(text), other)
    assert [row.verdict for row in comparison.differences] == [Verdict.OTHER_DRAW, Verdict.SAME]
    assert comparison.agrees


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda data: data[:, ::-1], r"^channel order: the other side gives the channels in reverse"),
        (lambda data: data / 255, r"^a factor: the other side's values are 0.00392"),
        (lambda data: data - np.array([3, 1, 2, 5]).reshape(1, 4, 1, 1), r"^mean: .* ours plus -3 -1 -2 -5"),
    ],
)
def test_other_inputs_are_the_first_difference(change: Callable[[np.ndarray], np.ndarray], cause: str) -> None:
    net = net_of(CHAIN)
    ours = inputs_of(net)
    other = record_layers(net, {"data": change(ours["data"]).astype(np.float32)})
    first = compare(net, other, ours).first_wrong
    assert first is not None
    assert (first.layer, first.type) == ("data", "Input")
    assert re.search(cause, first.cause), first.cause
    assert [row.verdict for row in compare(net, other, ours).differences][1:] == [Verdict.INHERITS] * 5
