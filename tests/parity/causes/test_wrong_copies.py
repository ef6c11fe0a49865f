"""A copy of a net that is wrong on purpose is named at the right layer, with the right cause."""

import re
from collections.abc import Callable

import pytest
import torch

from caffe_compat.layers.base import Layer
from caffe_compat.net.net import Net
from caffe_compat.parity.compare import compare
from caffe_compat.parity.comparison import Comparison, Verdict
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.recording import Recording
from caffe_compat.parity.replay import fill_inputs, value_of
from tests.parity.nets import inputs_of, net_of

#: Two layers before and one behind the suspect, so that it is neither the first nor the last.
AROUND = """
name: "wrong"
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 12 dim: 11 }} }} }}
layer {{ name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 }} }}
layer {{ name: "tanh1" type: "TanH" bottom: "conv1" top: "conv1" }}
{layer}
layer {{ name: "after" type: "Power" bottom: "x" top: "after" power_param {{ scale: 0.5 shift: 1 }} }}
"""


def layer(text: str, type_: str, bottoms: tuple[str, ...] = ("conv1",)) -> str:
    """The suspect, from blob conv1 to blob x."""
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
    return f'layer {{ name: "suspect" type: "{type_}" {reads} top: "x" {text} }}'


def compared(ours: Net, theirs: Net) -> Comparison:
    """Ours against a record of theirs that holds no weights, as OpenCV's would."""
    return compare(ours, record_layers(theirs, inputs_of(ours)))


def assert_named(comparison: Comparison, cause: str, layer_name: str = "suspect") -> None:
    first = comparison.first_wrong
    assert first is not None
    assert first.layer == layer_name
    assert re.search(cause, first.cause), first.cause
    assert "explains it" not in first.cause.removeprefix("none")
    assert not comparison.agrees
    others = [row for row in comparison.differences if row.is_wrong and row.layer != layer_name]
    assert others == []


CONV = "num_output: 4 kernel_size: 3"
FIELDS = {
    "eps of BatchNorm": (
        "BatchNorm", "batch_norm_param { eps: 1e-5 }", "batch_norm_param { eps: 1e-3 }", r"^eps: 0.001 ",
    ),
    "odd eps of BatchNorm": (
        "BatchNorm", "batch_norm_param { eps: 1e-5 }", "batch_norm_param { eps: 3.3e-3 }", r"^eps: 0.0033 ",
    ),
    "eps of BN": ("BN", "bn_param { eps: 1e-5 }", "bn_param { eps: 1e-4 }", r"^eps: 0.0001 .* ours has 1e-05"),
    "statistics of BatchNorm": (
        "BatchNorm", "", "batch_norm_param { use_global_stats: false }", r"^use_global_stats: false",
    ),
    "floor pooling": (
        "Pooling", "pooling_param { kernel_size: 3 stride: 2 }",
        "pooling_param { kernel_size: 3 stride: 2 round_mode: FLOOR }", r"^round_mode: FLOOR explains",
    ),
    "average pooling": (
        "Pooling", "pooling_param { kernel_size: 3 stride: 2 }",
        "pooling_param { kernel_size: 3 stride: 2 pool: AVE }", r"^pool: AVE explains .* ours has none given \(MAX\)",
    ),
    "padding": (
        "Convolution", f"convolution_param {{ {CONV} pad: 1 }}", f"convolution_param {{ {CONV} pad: 0 }}", r"^pad: ",
    ),
    "dilation": (
        "Convolution", f"convolution_param {{ {CONV} pad: 2 dilation: 2 }}",
        f"convolution_param {{ {CONV} pad: 2 dilation: 1 }}", r"^(dilation|pad): ",
    ),
    "negative slope": ("ReLU", "relu_param { negative_slope: 0.3 }", "", r"^negative_slope: 0 "),
    "odd negative slope": ("ReLU", "", "relu_param { negative_slope: 0.37 }", r"^negative_slope: 0.37 "),
    "eltwise coefficients": (
        "Eltwise", "eltwise_param { coeff: 0.3 coeff: 0.7 }", "", r"^coeff: none explains .* 0.3",
    ),
    "eltwise coefficients exchanged": (
        "Eltwise", "eltwise_param { coeff: 0.3 coeff: 0.7 }", "eltwise_param { coeff: 0.7 coeff: 0.3 }", r"^coeff: 0.7",
    ),
    "eltwise operation": ("Eltwise", "", "eltwise_param { operation: PROD }", r"^operation: PROD explains"),
    "alpha of LRN": ("LRN", "lrn_param { alpha: 0.5 }", "lrn_param { alpha: 2.5 }", r"^alpha: .* does not divide"),
    "beta of LRN": ("LRN", "lrn_param { alpha: 0.5 }", "lrn_param { alpha: 0.5 beta: 0.61 }", r"^beta: 0.61"),
    "region of LRN": (
        "LRN", "lrn_param { alpha: 0.5 }", "lrn_param { alpha: 0.5 norm_region: WITHIN_CHANNEL }", r"^norm_region: ",
    ),
    "slope of ELU": ("ELU", "", "elu_param { alpha: 0.7 }", r"^alpha: 0.7"),
    "axis of Softmax": ("Softmax", "", "softmax_param { axis: 2 }", r"^axis: 2"),
    "eps of MVN": ("MVN", "", "mvn_param { eps: 0.01 }", r"^eps: 0.01"),
    "variance of MVN": ("MVN", "", "mvn_param { normalize_variance: false }", r"^normalize_variance: false"),
    "scale of Power": (
        "Power", "power_param { shift: 9 power: 2 }", "power_param { shift: 9 power: 2 scale: 0.83 }", r"^scale: 0.83",
    ),
}  # fmt: skip


#: What the other way round must be named: the field, with the right value.
FIELD_NAME = {case: re.findall(r"^\^\(?([a-z_]+)", cause)[0] for case, (*_, cause) in FIELDS.items()}
FIELD_NAME |= {
    "dilation": "(?:dilation|pad)",
    "alpha of LRN": "alpha",
    "statistics of BatchNorm": "(?:use_global_stats|statistics)",
}


@pytest.mark.parametrize("case", FIELDS)
@pytest.mark.parametrize("ours_is_wrong", [False, True])
def test_a_changed_field_is_named_at_its_layer(case: str, ours_is_wrong: bool) -> None:
    type_, right, wrong, cause = FIELDS[case]
    bottoms = ("conv1", "data4") if type_ == "Eltwise" else ("conv1",)
    more = 'layer { name: "other" type: "Power" bottom: "conv1" top: "data4" power_param { shift: 0.2 scale: -2 } }\n'
    nets = [
        net_of(AROUND.format(layer=(more if type_ == "Eltwise" else "") + layer(text, type_, bottoms)))
        for text in (right, wrong)
    ]
    if ours_is_wrong:
        nets.reverse()
        cause = rf"^{FIELD_NAME[case]}: .*the other side"
    assert_named(compared(*nets), cause)


def reversed_inputs(net: Net) -> None:
    weight = net.step_of("conv1").layer.blobs[0].data
    weight.copy_(weight.flip(1))


def unscaled(net: Net) -> None:
    net.step_of("suspect").layer.blobs[2].data.fill_(1)


def inverse_deviation(net: Net) -> None:
    blobs = net.step_of("suspect").layer.blobs
    blobs[3].data.copy_((blobs[3].data + 1e-5).rsqrt())


def transposed(net: Net) -> None:
    blob = net.step_of("suspect").layer.blobs[0].data
    blob.copy_(blob.transpose(2, 3).clone())


def flipped(net: Net) -> None:
    blob = net.step_of("suspect").layer.blobs[0].data
    blob.copy_(blob.flip(2, 3))


def no_bias(net: Net) -> None:
    net.step_of("suspect").layer.blobs[1].data.zero_()


def halved(net: Net) -> None:
    for blob in net.step_of("suspect").layer.blobs:
        blob.data.copy_(blob.data.half())


def no_slope(net: Net) -> None:
    net.step_of("suspect").layer.blobs[0].data.fill_(1)


WEIGHTS: dict[str, tuple[str, Callable[[Net], None], str, str]] = {
    "swapped channels": (layer("", "ReLU"), reversed_inputs, r"^channel order: .*RGB for BGR", "conv1"),
    "unscaled BatchNorm": (layer("", "BatchNorm"), unscaled, r"^scale factor: .*blob 2 \(2.5\)", "suspect"),
    "inverse deviation": (
        layer("", "BN"), inverse_deviation, r"^variance convention: .*inverse standard deviations", "suspect",
    ),
    "transposed kernels": (
        layer(f"convolution_param {{ {CONV} }}", "Convolution"), transposed, r"^kernels: .*height and width", "suspect",
    ),
    "true convolution": (
        layer(f"convolution_param {{ {CONV} }}", "Convolution"), flipped, r"^kernels: the other side flips", "suspect",
    ),
    "half weights": (
        layer(f"convolution_param {{ {CONV} }}", "Convolution"), halved, r"^weights: .* them to float16", "suspect",
    ),
    "another slope": (
        layer("scale_param { bias_term: true }", "Scale"), no_slope, r"^other statistics, slopes or ", "suspect",
    ),
    "missing bias": (layer("scale_param { bias_term: true }", "Scale"), no_bias, r"^bias: the other side", "suspect"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS)
def test_other_weights_are_named_at_their_layer(case: str) -> None:
    text, spoil, cause, name = WEIGHTS[case]
    ours, theirs = net_of(AROUND.format(layer=text)), net_of(AROUND.format(layer=text))
    spoil(theirs)
    assert_named(compared(ours, theirs), cause, name)


def test_recorded_weights_say_which_blob_differs() -> None:
    ours, theirs = (net_of(AROUND.format(layer=layer("", "BatchNorm"))) for _ in range(2))
    unscaled(theirs)
    other = record_layers(theirs, inputs_of(ours))
    other.weights = {
        f"suspect/{number}": blob.detach().numpy() for number, blob in enumerate(theirs.step_of("suspect").layer.blobs)
    }
    assert_named(compare(ours, other), r"^weights: scale factor 1 in the other side's blob 2, ours has 2.5")


class TestGroups:
    """Another number of groups needs other weights: what the same weights can be taken for is tried."""

    TEXT = layer("convolution_param { num_output: 4 kernel_size: 3 group: 2 }", "Convolution")

    def spoiled(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Comparison:
        ours, theirs = net_of(AROUND.format(layer=self.TEXT)), net_of(AROUND.format(layer=self.TEXT))
        suspect = theirs.step_of("suspect").layer
        right = suspect.forward
        suspect.forward = lambda bottom: right(change(bottom))
        other = record_spoiled(theirs, ours)
        return compare(ours, other)

    def test_every_second_channel(self) -> None:
        assert_named(
            self.spoiled(lambda bottom: bottom[:, [0, 2, 1, 3]]), r"^group: .*deals the channels out to the 2 groups"
        )

    def test_the_first_group_for_all(self) -> None:
        assert_named(
            self.spoiled(lambda bottom: bottom[:, [0, 1, 0, 1]]), r"^group: all 2 groups .* first one's channels"
        )


def record_spoiled(theirs: Net, ours: Net) -> Recording:
    """A record of a net whose layers were changed in place."""
    inputs = inputs_of(ours)
    fill_inputs(theirs, inputs)
    recording = Recording("spoiled", inputs=inputs)
    for index, step in enumerate(theirs.steps):
        theirs.forward_range(index, index)
        recording.tops |= {f"{step.layer.name}/{top}": value_of(theirs, top).copy() for top in step.tops}
    return recording


RESULTS = {
    "average without padding": (
        layer("pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", "Pooling"),
        lambda bottom: torch.nn.functional.avg_pool2d(bottom, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        r"^average of pooling: .*pixels within the image",
    ),
    "last window of torch": (
        layer("pooling_param { kernel_size: 1 stride: 4 }", "Pooling"),
        lambda bottom: torch.nn.functional.max_pool2d(bottom, 1, 4, ceil_mode=True),
        r"^(rounding of pooling|round_mode)",
    ),
    "dropout scaled at TEST": (
        layer("dropout_param { dropout_ratio: 0.4 }", "Dropout"), lambda bottom: bottom * 0.6,
        r"^scale_train: false explains the other side",
    ),
    "unknown factor": (layer("", "TanH"), lambda bottom: torch.tanh(bottom) * 0.93, r"^a factor: .* 0.93 times"),
    "unknown constant": (layer("", "TanH"), lambda bottom: torch.tanh(bottom) + 0.21, r"^a constant: .* plus 0.21"),
    "channels reversed": (layer("", "TanH"), lambda bottom: torch.tanh(bottom).flip(1), r"^channel order: "),
    "fused ReLU": (
        layer("power_param { scale: -1 shift: 0.1 }", "Power"), lambda bottom: torch.relu(0.1 - bottom), r"a ReLU",
    ),
    "another function": (layer("", "Sigmoid"), torch.tanh, r"^type: TanH explains the other side"),
    "upside down": (layer("", "TanH"), lambda bottom: torch.tanh(bottom.flip(2)), r"^order of rows: .* upside down"),
    "mirrored": (layer("", "TanH"), lambda bottom: torch.tanh(bottom.flip(3)), r"^order of columns: .* mirrored"),
    "no numbers": (
        layer("", "TanH"), lambda bottom: torch.where(bottom > 0.9, torch.nan, torch.tanh(bottom)),
        r"^the other side has \d+ values that are infinite or no numbers$",
    ),
    "fused ReLU6": (
        layer("power_param { scale: 20 }", "Power"), lambda bottom: (20 * bottom).clamp(0, 6), r"^the other .* a ReLU6",
    ),
    "log-softmax": (
        layer("", "Softmax"), lambda bottom: torch.log_softmax(bottom, 1), r"^function: .* softmax's logarithm",
    ),
    "softmax over another axis": (layer("", "Softmax"), lambda bottom: torch.softmax(bottom, 2), r"^axis: 2 explains"),
    "sigmoid for softmax": (layer("", "Softmax"), torch.sigmoid, r"^function: .* sigmoids in place"),
    "one pixel further": (
        layer("", "TanH"), lambda bottom: torch.tanh(torch.nn.functional.pad(bottom, (-1, 1, 0, 0))),
        r"^origin: .* one pixel further to the right \(another padding or crop\)",
    ),
    "one pixel up and to the left": (
        layer("pooling_param { pool: AVE kernel_size: 3 stride: 2 }", "Pooling"),
        lambda bottom: torch.nn.functional.avg_pool2d(
            torch.nn.functional.pad(bottom, (1, -1, 1, -1)), 3, 2, ceil_mode=True
        ),
        r"^origin: .* further up and to the left",
    ),
    "left out": (layer("bn_param { }", "BN"), lambda bottom: bottom.clone(), r"^the other side hands the bottom"),
}  # fmt: skip


@pytest.mark.parametrize("case", RESULTS)
def test_other_results_are_explained(case: str) -> None:
    text, forward, cause = RESULTS[case]
    assert_explained(text, lambda _, bottom: forward(bottom), cause)


def test_padding_of_same_is_explained() -> None:
    def same(own: Layer, bottom: torch.Tensor) -> torch.Tensor:
        weight, bias = own.blobs
        return torch.nn.functional.conv2d(torch.nn.functional.pad(bottom, (0, 1, 0, 1)), weight, bias, stride=2)

    text = layer(f"convolution_param {{ {CONV} pad: 1 stride: 2 }}", "Convolution")
    assert_explained(text, same, r"^padding: .*SAME")


def assert_explained(text: str, forward: Callable[[Layer, torch.Tensor], torch.Tensor], cause: str) -> None:
    """The suspect, which gives what `forward` makes of it and its bottom, is named with this cause."""
    ours, theirs = net_of(AROUND.format(layer=text)), net_of(AROUND.format(layer=text))
    suspect = theirs.step_of("suspect").layer
    suspect.forward = lambda bottom: forward(suspect, bottom)
    first = compare(ours, record_spoiled(theirs, ours)).first_wrong
    assert first is not None
    assert first.layer == "suspect"
    assert re.search(cause, first.cause), first.cause


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("axis: 1", "operation: MEAN axis: 1"), ("axis: 0", "operation: MEAN"), ("axis: 0", "operation: ASUM")],
)
def test_results_of_few_axes_are_explained(text: str, wrong: str) -> None:
    nets = [
        net_of(AROUND.format(layer=layer(f"reduction_param {{ {field} }}", "Reduction"))) for field in (text, wrong)
    ]
    assert_named(compared(*nets), r"^operation: (MEAN|ASUM) explains the other side")


def test_what_no_hypothesis_explains_is_said_so() -> None:
    ours, theirs = (net_of(AROUND.format(layer=layer("", "TanH"))) for _ in range(2))
    theirs.step_of("suspect").layer.forward = lambda bottom: torch.sin(3 * bottom)
    comparison = compare(ours, record_spoiled(theirs, ours))
    assert comparison.first_wrong is not None
    assert re.match(r"^none of \d+ hypotheses explains it$", comparison.first_wrong.cause)


def test_a_small_change_late_in_a_net_is_found_although_the_whole_run_is_within_the_tolerance() -> None:
    text = AROUND.format(layer=layer("batch_norm_param { eps: %s }", "BatchNorm"))
    comparison = compared(net_of(text % "1e-5"), net_of(text % "1e-4"))
    first = comparison.first_wrong
    assert first is not None
    assert first.net.relative < 1e-3
    assert first.verdict is Verdict.DIFFERS
    assert "eps: 0.0001" in first.cause
