"""Every step of training and prediction on fakes; `test_on_a_gpu.py` runs these in a process of their own.

FakeTensor refuses operations that the device lacks, and results whose shapes depend on values. So a step without waits
can be captured as a CUDA graph.
"""

from typing import Any

import pytest
import torch
from google.protobuf import text_format

from caffe_compat.engine.create import create_engine
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.update_rules.registry import solver_types
from prototxt_gen import generate
from tests.pretend_gpu.fake import CUDA, PRETENDED, fakes_on
from tests.prototxt_gen.test_generated_nets_run import with_dummy_data

# The fast engine looks at addresses of frozen weights, to notice that they have been exchanged.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor is deprecated:UserWarning")

SRN: dict[str, Any] = {"labels": 5, "depth": 26, "width": 8, "input_size": 64, "model": "resnet101_srn"}
STEPS = 2
TINY = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 3 dim: 2 dim: 5 dim: 4 } shape { dim: 3 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "label" top: "loss" }
"""


def generated(step: str, ending: str, norm: str = "batchnorm") -> caffe_pb2.NetParameter:
    """A net of the small SRN."""
    (net,) = (net for name, net in generate(**SRN, norm=norm, step=step).items() if name.endswith(ending))
    assert isinstance(net, caffe_pb2.NetParameter)
    return net


def solver_parameter(net: caffe_pb2.NetParameter, **fields: Any) -> caffe_pb2.SolverParameter:
    """Training of the net on data of one fixed size."""
    made = caffe_pb2.SolverParameter(base_lr=0.01, weight_decay=5e-4, lr_policy="fixed")
    made.net_param.CopyFrom(net)
    made.MergeFrom(caffe_pb2.SolverParameter(**fields))
    return made


def tiny(**fields: Any) -> caffe_pb2.SolverParameter:
    return solver_parameter(text_format.Parse(TINY, caffe_pb2.NetParameter()), **fields)


def waits_of(parameter: caffe_pb2.SolverParameter, engine: str, on_nan: str = "ignore") -> list[str]:
    """What the host waits for in STEPS iterations, after a first one that makes what later ones keep."""
    with fakes_on(PRETENDED) as fakes:
        solver = Solver(parameter, engine, on_nan=on_nan)
        solver.step(1)
        fakes.waits.clear()
        solver.step(STEPS)
        return fakes.waits


@pytest.mark.parametrize(
    ("step", "norm", "engine"),
    [
        ("1", "batchnorm", "fast"),
        ("2", "bn", "fast"),
        ("3", "batchnorm", "fast"),
        ("4", "bn", "fast"),
        ("4", "batchnorm", "exact"),
        ("3", "bn", "exact"),
        ("4", "batchnorm", "fast-bf16"),
    ],
)
def test_no_step_of_srn_waits(step: str, norm: str, engine: str) -> None:
    net = with_dummy_data(generated(step, "trainval.prototxt", norm), labels=5)
    assert waits_of(solver_parameter(net, momentum=0.9), engine) == []


@pytest.mark.parametrize("engine", ["exact", "fast", "fast-bf16"])
@pytest.mark.parametrize("rule", solver_types())
def test_no_update_rule_waits(rule: str, engine: str) -> None:
    momentum = {} if rule in ("AdaGrad", "RMSProp") else {"momentum": 0.9}
    assert waits_of(tiny(type=rule, **momentum), engine) == []


@pytest.mark.parametrize("regularization", ["L1", "L2"])
def test_accumulation_and_regularisation_do_not_wait(regularization: str) -> None:
    assert waits_of(tiny(regularization_type=regularization, iter_size=3, momentum=0.9), "fast") == []


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_looking_for_nan_waits_once_per_iteration(on_nan: str) -> None:
    assert waits_of(tiny(momentum=0.9), "fast", on_nan) == ["_local_scalar_dense"] * STEPS


def test_clipping_waits_once_per_iteration_to_tell_the_log() -> None:
    assert waits_of(tiny(clip_gradients=5), "fast") == ["_local_scalar_dense"] * STEPS


def ran(net: Net, engine: str) -> Any:
    """Runs the engine for the net's outputs; returns the first output."""
    made = create_engine(engine, net, list(net.outputs))
    with torch.no_grad():
        made.forward()
        return net.blobs[net.outputs[0]].value.tensor()


@pytest.mark.parametrize(
    ("norm", "engine", "device"),
    [
        ("batchnorm", "exact", CUDA),
        ("bn", "exact", CUDA),
        ("batchnorm", "fast", PRETENDED),
        ("bn", "fast", PRETENDED),
        ("batchnorm", "fast-bf16", PRETENDED),
    ],
)
def test_prediction_does_not_wait(norm: str, engine: str, device: torch.device) -> None:
    parameter = generated("test", "test.prototxt", norm)
    upgrade_net(parameter)
    with fakes_on(device) as fakes:
        net = build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TEST))
        ran(net, engine)
        fakes.waits.clear()
        scores = ran(net, engine)
        assert (scores.device, scores.shape) == (device, (1, 5))
        assert fakes.waits == []


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_the_test_net_of_a_solver_does_not_wait(engine: str) -> None:
    parameter = with_dummy_data(generated("4", "trainval.prototxt"), labels=5)
    with fakes_on(PRETENDED) as fakes:
        net = build_net(parameter, caffe_pb2.NetState(phase=caffe_pb2.TEST))
        ran(net, engine)
        fakes.waits.clear()
        ran(net, engine)
        assert fakes.waits == []


def test_products_in_lower_precision_are_those() -> None:
    with fakes_on(PRETENDED):
        values = torch.ones(2, 3, 4, 4, device=PRETENDED)
        with torch.autocast(PRETENDED.type, torch.bfloat16):
            assert torch.nn.functional.conv2d(values, torch.ones(5, 3, 1, 1, device=PRETENDED)).dtype == torch.bfloat16
            assert values.exp().dtype == torch.float32


def test_what_waits_is_noticed() -> None:
    with fakes_on(PRETENDED) as fakes:
        values = torch.ones(3, device=PRETENDED)
        assert not bool(values.sum() > 2)  # a number that is read is 0
        values.cpu()
        values.copy_(torch.ones(3))
        torch.cuda.synchronize()
        torch.accelerator.synchronize(PRETENDED)
        assert fakes.waits == [
            "_local_scalar_dense",
            f"_to_copy between cpu and {PRETENDED.type}",
            f"copy_ between cpu and {PRETENDED.type}",
            "synchronize",
            "synchronize",
        ]
        with pytest.raises(torch._subclasses.fake_tensor.DynamicOutputShapeException):
            values.nonzero()
        with pytest.raises(torch._subclasses.fake_tensor.FakeTensorDeviceMismatchError):
            values + torch.ones(3)
