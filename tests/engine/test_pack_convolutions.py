"""Packed convolutions equal the layers one by one, whatever the sizes, and write over nothing that is still needed."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from caffe_compat.engine import packed_convolution
from caffe_compat.engine.create import create_engine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.engine.packed_convolution import FEW_PIXELS, PackedConvolution, kernels_exist, products_exist
from caffe_compat.engine.passes.pack_convolutions import pack_convolutions
from caffe_compat.engine.plan import Operation, plan_steps
from caffe_compat.layers.activation.power import Power
from caffe_compat.layers.utility.python import Python
from caffe_compat.layers.utility.python_blob import PythonBlob
from caffe_compat.layers.utility.python_interface import PythonLayer
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from tests.engine.nets import build, double
from tests.layers.utility import user_layers

pytestmark = pytest.mark.skipif(not kernels_exist(), reason="this torch was built without oneDNN")

#: Float32 sums of at most 5 * 9 terms, in another order.
TOLERANCE = 1e-5

INPUT = """layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 dim: 7 dim: 9 } } }"""


def convolution(name: str, bottom: str, fields: str = "") -> str:
    return f"""layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" convolution_param {{
      weight_filler {{ type: "gaussian" std: 0.4 }} bias_filler {{ type: "gaussian" std: 0.6 }}
      {fields or "num_output: 6 kernel_size: 3 pad: 1"} }} }}"""


def rectified(blob: str) -> str:
    return f'layer {{ name: "{blob}_relu" type: "ReLU" bottom: "{blob}" top: "{blob}" }}'


def summed(one: str, other: str, top: str = "sum") -> str:
    return f'layer {{ name: "{top}" type: "Eltwise" bottom: "{one}" bottom: "{other}" top: "{top}" }}'


RESIDUAL = "\n".join(
    [
        INPUT,
        convolution("stem", "data"),
        rectified("stem"),
        convolution("inner", "stem"),
        rectified("inner"),
        convolution("last", "inner"),
        summed("stem", "last"),
        rectified("sum"),
        convolution("head", "sum"),
    ]
)

POINTWISE = "num_output: 6 kernel_size: 1"
#: The same with 1x1 convolutions, which run as matrix products while sizes stay as they are.
BOTTLENECK = "\n".join(
    [
        INPUT,
        convolution("stem", "data"),
        rectified("stem"),
        convolution("inner", "stem", POINTWISE),
        rectified("inner"),
        convolution("last", "inner", "num_output: 6 kernel_size: 1 bias_term: false"),
        summed("stem", "last"),
        rectified("sum"),
        convolution("head", "sum", POINTWISE),
    ]
)
#: Layers between packed convolutions, from values "conv2" and "conv1".
BETWEEN = {
    "slope": 'type: "ReLU" bottom: "conv2" relu_param { negative_slope: 1.5 }',
    "maximum": 'type: "Pooling" bottom: "conv2" pooling_param { kernel_size: 3 stride: 1 pad: 1 }',
    "sum": 'type: "Eltwise" bottom: "conv2" bottom: "conv1" eltwise_param { coeff: 3 coeff: -2 }',
    "product": 'type: "Eltwise" bottom: "conv2" bottom: "conv1" eltwise_param { operation: PROD }',
    "parts": 'type: "Concat" bottom: "conv1" bottom: "conv2"',
}
NETS = pytest.mark.parametrize("text", [RESIDUAL, BOTTLENECK], ids=["residual", "bottleneck"])


def packed_operations(net: Net) -> list[Operation]:
    operations = pack_convolutions(plan_steps(net.steps, net.outputs)).operations
    return [operation for operation in operations if isinstance(operation.run, PackedConvolution)]


def assert_equal_to_exact(text: str) -> Net:
    exact, fast = build(text, "TEST"), build(text, "TEST")
    create_engine("exact", exact).forward()
    engine = create_engine("fast", fast)
    for _ in range(2):  # a run must not have changed what the next one reads
        engine.forward()
        for output in exact.outputs:
            mine, theirs = (net.blobs[output].value.tensor() for net in (fast, exact))
            assert mine.shape == theirs.shape
            assert float((mine - theirs).abs().max()) <= TOLERANCE * float(theirs.abs().max()), output
    return fast


@NETS
def test_a_residual_block_becomes_its_convolutions(text: str) -> None:
    net = assert_equal_to_exact(text)
    names = [[layer.name for layer in operation.layers] for operation in packed_operations(net)]
    assert names == [["stem", "stem_relu"], ["inner", "inner_relu"], ["last", "sum", "sum_relu"], ["head"]]


@pytest.mark.parametrize(
    "fields",
    [
        "num_output: 4 kernel_size: 3 stride: 2",
        "num_output: 1 kernel_size: 1",
        "num_output: 9 kernel_size: 3 group: 3 dilation: 2 pad: 1",
        "num_output: 6 kernel_size: 3 group: 6",
        "num_output: 5 kernel_h: 7 kernel_w: 2 pad_w: 1 bias_term: false",
        "num_output: 8 kernel_h: 7 kernel_w: 9",  # the window is the whole input
        "num_output: 3 kernel_h: 2 kernel_w: 1 stride_h: 3 stride_w: 2",
    ],
)
def test_every_kind_of_window(fields: str) -> None:
    layers = [INPUT, convolution("one", "data", fields), rectified("one"), convolution("two", "data", fields)]
    assert_equal_to_exact("\n".join([*layers, summed("two", "one"), rectified("sum")]))
    assert_equal_to_exact("\n".join([*layers, summed("two", "one")]))
    assert_equal_to_exact("\n".join(layers))


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ("num_output: 16 kernel_size: 1 pad: 1 stride: 2 dilation: 2", "dim: 11 dim: 1"),
        ("num_output: 32 kernel_h: 3 kernel_w: 1 pad: 3 stride_h: 1 stride_w: 5 dilation: 3", "dim: 7 dim: 1"),
        ("num_output: 4 kernel_h: 3 kernel_w: 1 pad_h: 2 pad_w: 1 stride: 2 dilation: 1 dilation: 3", "dim: 3 dim: 1"),
    ],
)
def test_windows_with_gaps_that_lie_beside_the_image(fields: str, sizes: str) -> None:
    """oneDNN crashes for most of them, or reads other memory."""
    images = INPUT.replace("dim: 7 dim: 9", sizes)
    assert_equal_to_exact("\n".join([images, convolution("head", "data", fields), rectified("head")]))


@pytest.mark.parametrize("shape", [(1, 6, 11, 5), (7, 6, 4, 3), (2, 6, 1, 1), (0, 6, 5, 4)])
@NETS
def test_other_sizes_than_at_first(text: str, shape: tuple[int, ...]) -> None:
    exact, fast = build(text, "TEST"), build(text, "TEST")
    engine = create_engine("fast", fast)
    engine.forward()
    images = torch.randn(shape)
    for net in (exact, fast):
        net.blobs["data"].assign(images)
    engine.forward()
    create_engine("exact", exact).forward()
    mine, theirs = (net.blobs["head"].value.tensor() for net in (fast, exact))
    assert mine.shape == theirs.shape == shape
    assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()) if theirs.numel() else 0)


@NETS
def test_weights_that_change_are_packed_again(text: str) -> None:
    fast, exact = build(text, "TEST"), build(text, "TEST")
    engine = create_engine("fast", fast)
    engine.forward()
    for net in (fast, exact):
        net.params["last"][0].data[...] *= -3
        with torch.no_grad():
            net.step_of("stem").layer.blobs[1].add_(0.5)
    engine.forward()
    create_engine("exact", exact).forward()
    mine, theirs = (net.blobs["head"].value.tensor() for net in (fast, exact))
    assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


@pytest.mark.parametrize("fields", ["num_output: 6 kernel_size: 3", POINTWISE], ids=["convolution", "product"])
def test_weights_that_a_layer_writes_count_for_the_convolutions_behind(
    fields: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = 'layer { name: "middle" type: "Power" bottom: "one" top: "middle" }'
    text = "\n".join([INPUT, convolution("one", "data"), middle, convolution("two", "middle", fields)])
    nets = [build(text, "TEST") for _ in range(2)]
    weights = {net.step_of("middle").layer: net.step_of("two").layer.blobs[0] for net in nets}
    factors = iter([1.0, 1.0, -3.0, -3.0, 1.0, 1.0])  # both nets in the first run, in the second, in the third

    def forward(layer: Power, bottom: Tensor) -> Tensor:
        weights[layer].data.mul_(next(factors))
        return bottom

    monkeypatch.setattr(Power, "is_pure", lambda layer: False)
    monkeypatch.setattr(Power, "forward", forward)
    exact, fast = nets
    engines = [create_engine("exact", exact), create_engine("fast", fast)]
    for _ in range(3):
        for engine in engines:
            engine.forward()
        mine, theirs = (net.blobs["two"].value.tensor() for net in (fast, exact))
        assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


def test_no_layer_runs_behind_a_python_layer_that_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a convolution and its ReLU or normalisation, a user's code may write weights."""
    code = f"python_param {{ module: '{user_layers.__name__}' layer: 'Times' param_str: '1' }}"
    python = f'layer {{ name: "code" type: "Python" bottom: "data" top: "code" {code} }}'
    norm = 'layer { name: "norm" type: "BN" bottom: "two" top: "two" }'
    text = "\n".join([INPUT, convolution("one", "data"), convolution("two", "data"), python, rectified("one"), norm])
    nets = [build(text, "TEST", surroundings=Surroundings(allow_python_layers=True)) for _ in range(2)]
    layers = [net.step_of("code").layer for net in nets]
    writers = {id(layer.instance): net for layer, net in zip(layers, nets, strict=True) if isinstance(layer, Python)}

    def forward(layer: PythonLayer, bottom: Sequence[PythonBlob], top: Sequence[PythonBlob]) -> None:
        for name in ("one", "two"):
            writers[id(layer)].step_of(name).layer.blobs[0].data.mul_(-2)

    monkeypatch.setattr(user_layers.Times, "forward", forward)
    for _ in range(2):
        for engine, net in zip(("exact", "fast"), nets, strict=True):
            create_engine(engine, net).forward()
        for blob in ("one", "two"):
            theirs, mine = (net.blobs[blob].value.tensor() for net in nets)
            assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


@pytest.mark.skipif(not products_exist(), reason="this torch was built without MKL")
def test_products_run_for_few_pixels_until_sizes_have_varied(monkeypatch: pytest.MonkeyPatch) -> None:
    multiplied: list[int] = []
    packed = PackedConvolution._pack_product

    def counted(self: PackedConvolution, sizes: tuple[int, ...], precision: torch.dtype) -> object:
        multiplied.append(sizes[0])
        return packed(self, sizes, precision)

    monkeypatch.setattr(PackedConvolution, "_pack_product", counted)
    exact, net = build(BOTTLENECK, "TEST"), build(BOTTLENECK, "TEST")
    engines = [create_engine("exact", exact), create_engine("fast", net)]
    many = FEW_PIXELS // 63 + 1
    for images, times in ((many, 0), (2, 1), (2, 1), (3, 2), (2, 3), (many, 3), (2, 3), (2, 3)):
        values = torch.randn(images, 6, 7, 9)
        for engine in engines:
            engine.net.blobs["data"].assign(values)
            engine.forward()
        assert len(multiplied) == 3 * times  # three of the net's convolutions are 1x1
        mine, theirs = (one.blobs["head"].value.tensor() for one in (net, exact))
        assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


@NETS
def test_another_precision_packs_the_weights_again(text: str) -> None:
    net = build(text, "TEST")
    engine = FastEngine(net)
    tops = []
    for precision in (torch.float32, torch.bfloat16, torch.float32):
        engine.precision = precision
        engine.forward()
        tops.append(net.blobs["head"].value.tensor().clone())
    assert torch.equal(tops[0], tops[2])
    assert 0 < float((tops[1] - tops[0]).abs().max()) < 0.05 * float(tops[0].abs().max())


def in_place(text: str, requested: list[str] | None = None) -> bool:
    net = build(text, "TEST")
    plan = pack_convolutions(plan_steps(net.steps, requested or net.outputs))
    (adding,) = (operation for operation in plan.operations if len(operation.inputs) == 2)
    assert isinstance(adding.run, PackedConvolution)
    return adding.run.sums_in_place


def test_a_sum_writes_over_its_term_only_where_nobody_needs_it() -> None:
    assert in_place(RESIDUAL)
    assert not in_place(RESIDUAL, ["head", "stem"])
    pooled = 'layer { name: "p" type: "Pooling" bottom: "stem" top: "p" pooling_param { kernel_size: 2 } }'
    assert not in_place(RESIDUAL + pooled)
    assert not in_place("\n".join([INPUT, convolution("one", "data"), summed("data", "one")]))
    later = convolution("after", "stem")
    assert not in_place(RESIDUAL + later)
    assert_equal_to_exact(RESIDUAL + later)
    assert_equal_to_exact(RESIDUAL + pooled)


def test_the_fed_images_stay() -> None:
    net = build("\n".join([INPUT, convolution("one", "data"), summed("data", "one")]), "TEST")
    before = net.blobs["data"].value.tensor().clone()
    create_engine("fast", net).forward()
    assert torch.equal(net.blobs["data"].value.tensor(), before)


@pytest.mark.parametrize(
    ("eltwise", "layers"),
    [
        ("operation: SUM coeff: 0.5 coeff: 2", [["stem", "stem_relu"], ["inner", "inner_relu"], ["last"], ["head"]]),
        ("operation: PROD", [["stem", "stem_relu"], ["inner", "inner_relu"], ["last"], ["head"]]),
        ("operation: MAX", [["stem", "stem_relu"], ["inner", "inner_relu"], ["last"], ["head"]]),
    ],
)
def test_other_eltwise_stay_apart(eltwise: str, layers: list[list[str]]) -> None:
    text = RESIDUAL.replace('bottom: "last" top: "sum"', f'bottom: "last" top: "sum" eltwise_param {{ {eltwise} }}')
    net = assert_equal_to_exact(text)
    assert [[layer.name for layer in operation.layers] for operation in packed_operations(net)] == layers


def test_leaky_relu_stays_apart() -> None:
    text = RESIDUAL.replace(
        'bottom: "inner" top: "inner" }', 'bottom: "inner" top: "inner" relu_param { negative_slope: 0.3 } }'
    )
    net = assert_equal_to_exact(text)
    assert ["inner"] in [[layer.name for layer in operation.layers] for operation in packed_operations(net)]


def test_float64_runs_one_by_one() -> None:
    exact, fast = double(build(RESIDUAL, "TEST")), double(build(RESIDUAL, "TEST"))
    create_engine("exact", exact).forward()
    create_engine("fast", fast).forward()
    assert torch.allclose(fast.blobs["head"].value.tensor(), exact.blobs["head"].value.tensor(), rtol=1e-12, atol=1e-12)


def test_what_learns_is_not_packed() -> None:
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "head" bottom: "data" top: "loss" }'
    net = build(RESIDUAL + loss, "TRAIN")
    assert packed_operations(net) == []
    engine = FastEngine(net)
    engine.forward_backward()
    assert net.params["stem"][0].diff.any()


def test_bfloat16_is_packed_near_float32_and_overwrites_nothing() -> None:
    exact, lower = build(RESIDUAL, "TEST"), build(RESIDUAL, "TEST")
    create_engine("exact", exact).forward()
    engine = create_engine("fast-bf16", lower)
    theirs = exact.blobs["head"].value.tensor()
    for _ in range(2):
        engine.forward()
        mine = lower.blobs["head"].value.tensor()
        assert mine.dtype == torch.float32
        assert 0 < float((mine - theirs).abs().max()) <= 0.03 * float(theirs.abs().max())  # 8 bits of mantissa


def test_strides_to_no_second_window_in_bfloat16() -> None:
    text = INPUT.replace("dim: 7 dim: 9", "dim: 14 dim: 2") + convolution(
        "head", "data", "num_output: 16 kernel_size: 3 stride: 2 pad: 1"
    )
    exact, lower = build(text + rectified("head"), "TEST"), build(text + rectified("head"), "TEST")
    create_engine("exact", exact).forward()
    theirs = exact.blobs["head"].value.tensor()
    engine = create_engine("fast-bf16", lower)
    for _ in range(5):  # the wrong numbers were those in memory
        torch.full((100_000,), 1e30)
        engine.forward()
        mine = lower.blobs["head"].value.tensor()
        assert float((mine - theirs).abs().max()) <= 0.03 * float(theirs.abs().max())


def test_the_callers_autocast_does_not_count() -> None:
    net = build(RESIDUAL, "TEST")
    engine = create_engine("fast", net)
    engine.forward()
    before = net.blobs["head"].value.tensor().clone()
    with torch.autocast("cpu", torch.bfloat16):
        engine.forward()
    assert torch.equal(net.blobs["head"].value.tensor(), before)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["input", "weight", "bias"])
@NETS
def test_bad_numbers_are_not_lost_in_a_fused_relu(text: str, where: str, number: float) -> None:
    nets = [build(text, "TEST") for _ in range(2)]
    exact, fast = nets
    engines = [create_engine("exact", exact), create_engine("fast", fast)]
    blobs = {"input": lambda net: net.blobs["data"].data, "weight": lambda net: net.params["inner"][0].data,
             "bias": lambda net: net.params["inner"][1].data}  # fmt: skip
    for net in nets:
        blobs[where](net).flat[4] = number
    for engine in engines:
        engine.forward()
    mine, theirs = (net.blobs["head"].value.tensor() for net in (fast, exact))
    assert theirs.isnan().any()
    assert torch.equal(mine.isnan(), theirs.isnan())
    for net in nets:
        blobs[where](net).flat[4] = 0.5
    for engine in engines:
        engine.forward()
    mine, theirs = (net.blobs["head"].value.tensor() for net in (fast, exact))
    assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


def test_a_bad_number_is_not_lost_behind_a_convolution_that_no_kernel_fits() -> None:
    whole = convolution("whole", "data", "num_output: 8 kernel_h: 7 kernel_w: 9")
    text = "\n".join(
        [INPUT, whole, convolution("one", "whole", "num_output: 4 kernel_size: 1 pad: 1"), rectified("one")]
    )
    net = build(text, "TEST")
    engine = create_engine("fast", net)
    for number, stays in ((float("nan"), True), (0.5, False)):
        net.blobs["data"].data.flat[4] = number
        engine.forward()
        assert bool(net.blobs["one"].value.tensor().isnan().any()) == stays


def test_only_convolutions_of_values_from_elsewhere_look_for_bad_numbers() -> None:
    text = "\n".join(
        [
            RESIDUAL,
            'layer { name: "pool" type: "Pooling" bottom: "head" top: "pool" pooling_param { kernel_size: 2 } }',
            convolution("behind_pool", "pool"),
            'layer { name: "log" type: "Log" bottom: "behind_pool" top: "log" }',
            convolution("behind_log", "log"),
            rectified("behind_log"),
        ]
    )
    packed = {operation.layers[0].name: operation.run for operation in packed_operations(build(text, "TEST"))}
    runs = {name: run for name, run in packed.items() if isinstance(run, PackedConvolution)}
    assert [name for name, run in runs.items() if not all(run.origins)] == ["stem", "behind_log"]
    assert [name for name, run in runs.items() if run.starts_watch] == ["stem"]
    assert len({id(run.watch) for run in runs.values()}) == 1


def chain_of(names: list[str]) -> str:
    return "\n".join(convolution(top, bottom) + rectified(top) for bottom, top in pairwise(names))


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN.keys())
@pytest.mark.parametrize("factor", [1e9, 1e13, 1e18])
def test_nan_of_sums_that_overflow_stays_nan(between: str, factor: float) -> None:
    """Weights and images are finite; infinite values of both signs add up to NaN in the next layers."""
    layer = f'layer {{ name: "between" top: "between" {between} }}'
    chains = [chain_of(["data", "conv0", "conv1", "conv2"]), layer, chain_of(["between", "conv3", "conv4", "head"])]
    exact, fast = (build("\n".join([INPUT, *chains]), "TEST") for _ in range(2))
    engines = [create_engine("exact", exact), create_engine("fast", fast)]
    for scale in (1, factor, 1 / factor):
        for net, engine in zip((exact, fast), engines, strict=True):
            for index in range(5):
                net.params[f"conv{index}"][0].data[...] *= scale
            engine.forward()
        expected, found = (net.blobs["head"].value.tensor() for net in (exact, fast))
        assert bool(expected.isnan().any()) == (scale == factor)
        assert torch.equal(found.isnan(), expected.isnan())


def between(name: str, bottom: str, fields: str) -> str:
    return f'layer {{ name: "{name}" bottom: "{bottom}" top: "{name}" {fields} }}'


#: Layers behind convolution "large" that overflow although the bounds of all convolutions are small.
OVERFLOWING = {
    "up": [between("last", "large", 'type: "Eltwise" bottom: "large" eltwise_param { coeff: 1e25 coeff: 1e25 }')],
    "up and down": [
        between("up", "large", 'type: "Eltwise" bottom: "large" eltwise_param { coeff: 1e25 coeff: 1e25 }'),
        between("last", "up", 'type: "Eltwise" bottom: "up" eltwise_param { coeff: 1e-25 coeff: 1e-25 }'),
    ],
    "slope": [
        between("up", "large", 'type: "ReLU" relu_param { negative_slope: 1e30 }'),
        between("last", "up", 'type: "Eltwise" bottom: "up" eltwise_param { coeff: 1e-30 coeff: 0 }'),
    ],
    "sums of windows": [
        between("up", "large", 'type: "Eltwise" bottom: "large" eltwise_param { coeff: 4e19 coeff: 4e19 }'),
        between("last", "up", 'type: "Pooling" pooling_param { pool: AVE kernel_size: 7 }'),
    ],
    "division by a sum": [
        between("last", "large", 'type: "Pooling" pooling_param { pool: STOCHASTIC kernel_h: 1 kernel_w: 2 }')
    ],
}


@pytest.mark.parametrize("weights", [1e-10, 0.0])
@pytest.mark.parametrize("layers", OVERFLOWING.values(), ids=OVERFLOWING.keys())
def test_nan_behind_layers_that_overflow_between_convolutions_stays_nan(layers: list[str], weights: float) -> None:
    """The next weights are so small that they would make sums of finite values small."""
    large = convolution("large", "data", "num_output: 6 kernel_size: 1 bias_term: false")
    text = "\n".join([INPUT, large, *layers, chain_of(["last", "small", "head"])])
    exact, fast = (build(text, "TEST") for _ in range(2))
    for net in (exact, fast):
        net.blobs["data"].data[..., 1::2] = -net.blobs["data"].data[..., :-1:2]  # pairs whose sum is 0
        net.params["large"][0].data[...] *= 1e18
        net.params["small"][0].data[...] *= weights
        create_engine("exact" if net is exact else "fast", net).forward()
    expected, found = (net.blobs["head"].value.tensor() for net in (exact, fast))
    assert expected.isnan().any()
    assert torch.equal(found.isnan(), expected.isnan())


def test_only_few_values_of_a_deep_net_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join([INPUT, chain_of(["data", *(f"conv{index}" for index in range(40))])])
    looked: list[Tensor] = []

    def is_moderate(values: Tensor) -> bool:
        looked.append(values)
        return True

    monkeypatch.setattr(packed_convolution, "is_moderate", is_moderate)
    create_engine("fast", build(text, "TEST")).forward()
    # The images, and wherever the bound has grown by 20 orders of magnitude: by some 20 times in each layer.
    assert len(looked) == 1 + 2


def test_sums_in_a_row_do_not_count_as_values_that_may_overflow() -> None:
    """Each of them doubles the bound, and none is a packed convolution's."""
    blocks = [
        convolution(f"conv{index}", f"sum{index}", "num_output: 6 kernel_size: 1")
        + rectified(f"conv{index}")
        + summed(f"sum{index}", f"conv{index}", f"sum{index + 1}")
        for index in range(100)
    ]
    text = "\n".join([INPUT, convolution("sum0", "data"), *blocks])
    net, exact = build(text, "TEST"), build(text, "TEST")
    for one in (net, exact):
        for index in range(100):
            one.params[f"conv{index}"][0].data[...] *= 0.05
    engine = FastEngine(net)
    engine.forward()
    runs = [one.run for one in engine.plan.operations if isinstance(one.run, PackedConvolution)]
    assert len(runs) == 101
    assert not any(run.watch.has_found for run in runs)
    create_engine("exact", exact).forward()
    mine, theirs = (one.blobs["sum100"].value.tensor() for one in (net, exact))
    assert torch.allclose(mine, theirs, rtol=0, atol=10 * TOLERANCE * float(theirs.abs().max()))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_fixed_convolution_takes_no_sum_and_no_relu_that_learn(kernel: int, normalised: bool) -> None:
    """The kernels have no gradient: the ReLU's would be lost."""
    fixed, learning = (
        f"""layer {{ name: "{top}" type: "Convolution" bottom: "data" top: "{top}" param {{ lr_mult: {rate} }}
        convolution_param {{ num_output: 5 kernel_size: {kernel} pad: {kernel // 2} bias_term: false
        weight_filler {{ type: "gaussian" std: 0.5 }} }} }}"""
        for top, rate in (("fixed", 0), ("learning", 1))
    )
    if normalised:
        fixed += """layer { name: "n" type: "BatchNorm" bottom: "fixed" top: "fixed"
          batch_norm_param { use_global_stats: true } }"""
    behind = """layer { name: "r" type: "ReLU" bottom: "sum" top: "sum" }
      layer { name: "loss" type: "Reduction" bottom: "sum" top: "loss" loss_weight: 1 }"""
    text = "\n".join([INPUT, fixed, learning, summed("fixed", "learning"), behind])
    gradients = []
    for engine in ("exact", "fast"):
        net = build(text)
        create_engine(engine, net).forward_backward()
        gradients.append(next(one.parameter.grad for one in net.learnable if one.lr_mult))
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)


def test_nan_of_an_average_of_nothing_stays_nan() -> None:
    """The last window of 2 places with stride 3 starts behind the 9 places: Caffe divides 0 by 0."""
    text = """
    layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
    layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
    layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool"
      pooling_param { pool: AVE kernel_size: 2 stride: 3 } }
    layer { name: "conv2" type: "Convolution" bottom: "pool" top: "conv2"
      convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
    layer { name: "relu" type: "ReLU" bottom: "conv2" top: "conv2" }"""
    exact, fast = build(text, "TEST"), build(text, "TEST")
    create_engine("exact", exact).forward()
    create_engine("fast", fast).forward()
    expected = torch.from_numpy(exact.blobs["conv2"].data)
    assert expected.isnan().sum() == 5 * (4 - 1)
    torch.testing.assert_close(torch.from_numpy(fast.blobs["conv2"].data), expected, equal_nan=True)
