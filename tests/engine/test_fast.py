"""cuDNN's search for kernels holds while the fast engine runs, and no longer; flags only: no GPU is touched."""

import pytest
import torch

from caffe_compat.engine.create import create_engine
from caffe_compat.engine.fast import FastEngine, chosen_kernels
from caffe_compat.engine.plan import Plan
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.blob import gradient_of
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net
from prototxt_gen import generate
from tests.engine.nets import build, double, seeded

cudnn = torch.backends.cudnn


@pytest.mark.parametrize("deterministic", [False, True])
def test_on_a_gpu_the_quickest_kernels_unless_they_must_be_deterministic(deterministic: bool) -> None:
    with cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic, allow_tf32=False):
        with chosen_kernels(torch.device("cuda")):
            assert cudnn.benchmark is not deterministic
            assert cudnn.deterministic is deterministic
            assert cudnn.allow_tf32 is False
        assert cudnn.benchmark is False


def test_on_the_cpu_nothing_changes() -> None:
    before = cudnn.benchmark
    with chosen_kernels(torch.device("cpu")):
        assert cudnn.benchmark == before


#: In float64 both engines do the same mathematics; what is left is the order of sums.
RELATIVE = 1e-9

MIXED = """
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 5 dim: 3 dim: 8 dim: 9 } shape { dim: 5 dim: 4 } } }
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1"
  convolution_param { num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "n1" type: "BatchNorm" bottom: "c1" top: "c1" batch_norm_param { eps: 0.01 } }
layer { name: "s1" type: "Scale" bottom: "c1" top: "c1" scale_param { bias_term: true filler { value: 0.7 } } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "c2" type: "Convolution" bottom: "c1" top: "c2"
  convolution_param { num_output: 6 kernel_size: 1 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "n2" type: "BN" bottom: "c2" top: "n2" bn_param { slope_filler { value: 0.8 } } }
layer { name: "sum" type: "Eltwise" bottom: "c1" bottom: "n2" top: "sum" }
layer { name: "r2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "pool" type: "Pooling" bottom: "sum" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Sigmoid" bottom: "fc" top: "prob" }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 0.5 }
"""


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-6))


def assert_engines_agree(exact_net: Net, fast_net: Net, backward: bool) -> None:
    results = []
    for name, net in (("exact", exact_net), ("fast", fast_net)):
        engine = create_engine(name, net)
        net.clear_parameter_gradients()
        results.append(engine.forward_backward() if backward else engine.forward())
    assert results[1].item() == pytest.approx(results[0].item(), rel=1e-6)
    for output in exact_net.outputs:
        mine, theirs = (net.blobs[output].value.tensor() for net in (fast_net, exact_net))
        assert relative(mine, theirs) <= RELATIVE, output
    for weight, other in zip(fast_net.parameters(), exact_net.parameters(), strict=True):
        assert relative(weight.detach(), other.detach()) <= RELATIVE  # running statistics
    if backward:
        # Some gradients vanish but for rounding (a bias under a normalisation): errors count against the largest one.
        largest = max(float(gradient_of(learnable.parameter).abs().max()) for learnable in exact_net.learnable)
        for fast, exact in zip(fast_net.learnable, exact_net.learnable, strict=True):
            error = (gradient_of(fast.parameter) - gradient_of(exact.parameter)).abs().max()
            assert float(error) <= RELATIVE * largest, fast.label


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_mixed_net(phase: str) -> None:
    assert_engines_agree(double(build(MIXED, phase)), double(build(MIXED, phase)), backward=phase == "TRAIN")


def test_backward_at_test_phase() -> None:
    assert_engines_agree(double(build(MIXED, "TEST")), double(build(MIXED, "TEST")), backward=True)


def test_float32_stays_close() -> None:
    exact, fast = build(MIXED, "TEST"), build(MIXED, "TEST")
    create_engine("exact", exact).forward()
    create_engine("fast", fast).forward()
    # Folding rounds weights once more; channels-last sums in another order.
    assert relative(fast.blobs["prob"].value.tensor(), exact.blobs["prob"].value.tensor()) < 1e-5


def test_bfloat16_is_near_and_keeps_weights_and_losses_in_float32() -> None:
    exact, lower = build(MIXED), build(MIXED)
    loss = create_engine("exact", exact).forward_backward()
    half = create_engine("fast-bf16", lower).forward_backward()
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss.item(), rel=0.03)  # 8 bits of mantissa
    assert half.item() != loss.item()
    for mine, theirs in zip(lower.learnable, exact.learnable, strict=True):
        assert gradient_of(mine.parameter).dtype == torch.float32
        largest = float(gradient_of(theirs.parameter).abs().max())
        assert float((gradient_of(mine.parameter) - gradient_of(theirs.parameter)).abs().max()) <= 0.1 * largest + 1e-2
    assert lower.blobs["prob"].data.dtype == exact.blobs["prob"].data.dtype


def test_folded_weights_follow_the_weights() -> None:
    net, fresh = build(MIXED, "TEST"), build(MIXED, "TEST")
    engine = create_engine("fast", net)
    engine.forward()
    for other in (net, fresh):
        other.params["c1"][0].data[...] *= 2
        with torch.no_grad():
            other.step_of("s1").layer.blobs[0].mul_(3)
    engine.forward()
    create_engine("exact", fresh).forward()
    assert relative(net.blobs["prob"].value.tensor(), fresh.blobs["prob"].value.tensor()) < 1e-5


def test_only_requested_blobs_run() -> None:
    net = build(MIXED, "TEST")
    engine = FastEngine(net, ["c2"])
    assert {layer.name for operation in engine.plan.operations for layer in operation.layers} >= {"c1", "c2"}
    ran = {layer.name for operation in engine.plan.operations for layer in operation.layers}
    assert "pool" not in ran
    assert "n2" not in ran


def test_unknown_engine() -> None:
    with pytest.raises(MissingFeatureError, match=r"^no engine 'quick'; expected one of: exact, fast, fast-bf16"):
        create_engine("quick", build(MIXED))


def generated(message: caffe_pb2.NetParameter, phase: str) -> Net:
    """A generated net with its data layers replaced by inputs."""
    parameter = caffe_pb2.NetParameter()
    parameter.CopyFrom(message)
    upgrade_net(parameter)  # the fork's files say `input:`
    sources = [layer for layer in parameter.layer if layer.type == "Data"]
    for layer in sources:
        parameter.layer.remove(layer)
    if sources:
        inputs = caffe_pb2.LayerParameter(name="in", type="Input", top=["data", "label"])
        inputs.input_param.shape.add(dim=[3, 3, 64, 64])
        inputs.input_param.shape.add(dim=[3, 5, 1, 1])
        rest = list(parameter.layer)
        del parameter.layer[:]
        parameter.layer.append(inputs)
        parameter.layer.extend(rest)
    torch.manual_seed(3)
    return seeded(build_net(parameter, caffe_pb2.NetState(phase=phase)))


MODELS = ["resnet101", "resnet107", "resnet101_semantic", "resnet101_srn_att", "resnet101_srn"]


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("layout", ["paper", "released"])
@pytest.mark.parametrize("model", MODELS)
def test_generated_models(model: str, layout: str, norm: str) -> None:
    files = generate(model=model, layout=layout, norm=norm, labels=5, depth=26, width=8, input_size=64)
    nets = {name: message for name, message in files.items() if isinstance(message, caffe_pb2.NetParameter)}
    assert nets
    for name, message in nets.items():
        train = "trainval" in name
        phase = "TRAIN" if train else "TEST"
        nets_of_both = double(generated(message, phase)), double(generated(message, phase))
        assert_engines_agree(*nets_of_both, backward=train)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("model", MODELS)
def test_generated_models_at_test_in_float32(model: str, norm: str) -> None:
    """What float64 does not run: packed convolutions."""
    files = generate(model=model, norm=norm, labels=5, depth=26, width=8, input_size=64)
    for message in files.values():
        if isinstance(message, caffe_pb2.NetParameter):
            exact, fast = generated(message, "TEST"), generated(message, "TEST")
            losses = [create_engine(name, net).forward().item() for name, net in (("exact", exact), ("fast", fast))]
            assert losses[1] == pytest.approx(losses[0], rel=1e-5)
            for output in exact.outputs:
                mine, theirs = (net.blobs[output].value.tensor() for net in (fast, exact))
                assert relative(mine, theirs) <= 1e-5, output


def test_weights_that_share_memory_in_other_shapes_stay_together() -> None:
    """A (3, 3, 3, 3) kernel that another layer reads as (9, 3, 3, 1)."""
    shared = "param { name: 'w' share_mode: PERMISSIVE }"
    text = f"""
    layer {{ name: "in" type: "Input" top: "data" top: "label"
      input_param {{ shape {{ dim: 2 dim: 3 dim: 5 dim: 4 }} shape {{ dim: 2 dim: 4 }} }} }}
    layer {{ name: "a" type: "Convolution" bottom: "data" top: "a" {shared} convolution_param {{
      num_output: 3 kernel_size: 3 pad: 1 bias_term: false weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "b" type: "Convolution" bottom: "a" top: "b" {shared} convolution_param {{
      num_output: 9 kernel_h: 3 kernel_w: 1 bias_term: false weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "fc" type: "InnerProduct" bottom: "b" top: "fc"
      inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "label" top: "loss" }}
    """
    nets = double(build(text)), double(build(text))
    for net in nets:
        net.learnable[0].tie_views()
    assert_engines_agree(*nets, backward=True)
    owner, view = (nets[1].step_of(layer).layer.blobs[0] for layer in "ab")
    with torch.no_grad():
        owner.fill_(0.25)
    assert (view == 0.25).all()
    assert view.data_ptr() == owner.data_ptr()
    assert gradient_of(view).data_ptr() == gradient_of(owner).data_ptr()


def is_one_operation(plan: Plan, names: set[str]) -> bool:
    return any(names <= {layer.name for layer in operation.layers} for operation in plan.operations)


def test_a_net_with_losses_is_folded_where_only_its_forward_runs() -> None:
    exact, fast = double(build(MIXED, "TEST")), double(build(MIXED, "TEST"))
    engine = FastEngine(fast)
    assert is_one_operation(engine.plan, {"c2", "n2"})
    assert not is_one_operation(engine.learning_plan, {"c2", "n2"})
    loss = create_engine("exact", exact).forward()
    assert engine.forward().item() == pytest.approx(loss.item(), rel=1e-6)
    engine.forward_backward()
    assert fast.params["c1"][0].diff.any()


def test_weights_have_their_layout_before_the_first_run() -> None:
    net = build(MIXED)
    FastEngine(net)
    weight = net.step_of("c1").layer.blobs[0]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.zeros_like(weight).stride() == gradient_of(weight).stride() == weight.stride()


def test_blobs_that_are_kept_hold_their_values_and_change_nothing_else() -> None:
    """A blob in the middle, the copy of a blob that a Split makes, and an input, besides the net's own outputs."""
    nets = [double(build(MIXED, "TEST")) for _ in range(3)]
    exact, plain, keeping = create_engine("exact", nets[0]), FastEngine(nets[1]), FastEngine(nets[2])
    scores = next(step.bottoms[0] for step in nets[0].steps if step.layer.spec.type == "SigmoidCrossEntropyLoss")
    assert scores != "fc"
    for engine in (exact, keeping):
        engine.keep(["pool", scores, "label"])
    losses = [engine.forward().item() for engine in (exact, plain, keeping)]
    assert losses[1] == losses[2] == pytest.approx(losses[0], rel=1e-6)
    for blob in ("pool", scores, "label", *nets[0].outputs):
        assert relative(nets[2].blobs[blob].value.tensor(), nets[0].blobs[blob].value.tensor()) <= RELATIVE, blob
    keeping.forward_backward()
    keeping.keep([])
    assert keeping.forward().item() == losses[1]
