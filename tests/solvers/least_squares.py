"""A solver on a linear least-squares problem, whose gradients are known in closed form."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]

ITEMS, INPUTS, OUTPUTS = 5, 4, 3
NET = f"""
net_param {{
  name: "least_squares"
  layer {{ name: "data" type: "Input" top: "data" top: "target"
    input_param {{ shape {{ dim: {ITEMS} dim: {INPUTS} }} shape {{ dim: {ITEMS} dim: {OUTPUTS} }} }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "y"
    param {{ lr_mult: 1.5 decay_mult: 2 }} param {{ lr_mult: 0.5 decay_mult: 0 }}
    inner_product_param {{ num_output: {OUTPUTS} weight_filler {{ type: "gaussian" std: 0.7 }}
      bias_filler {{ type: "uniform" min: -0.4 max: 0.9 }} }} }}
  layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "target" top: "loss" loss_weight: 1.3 }}
}}
"""
RATES, DECAYS = (1.5, 0.5), (2.0, 0.0)


def solver_parameter(text: str) -> caffe_pb2.SolverParameter:
    """The problem with these solver fields; the policy is `fixed` where they do not say."""
    parameter = text_format.Parse(NET + text, caffe_pb2.SolverParameter())
    parameter.lr_policy = parameter.lr_policy or "fixed"
    return parameter


def make_solver(text: str, engine: str = "exact") -> Solver:
    """A solver whose inputs and weights are random, but the same at every call."""
    solver = Solver(solver_parameter(f"random_seed: 11 {text}"), engine)
    random = np.random.RandomState(5)
    for name in ("data", "target"):
        solver.net.blobs[name].data[...] = random.randn(*solver.net.blobs[name].shape)
    return solver


def weights_of(solver: Solver) -> list[Array]:
    """Weight (3, 4) and bias (3,), as float64 copies."""
    return [blob.data.astype(np.float64) for blob in solver.net.params["ip"]]


@dataclass
class Problem:
    """The problem in float64, with what an update rule keeps."""

    data: Array
    target: Array
    weights: list[Array]
    state: dict[str, list[Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, solver: Solver) -> "Problem":
        data, target = (solver.net.blobs[name].data.astype(np.float64) for name in ("data", "target"))
        return cls(data, target, weights_of(solver))

    def gradients(self) -> list[Array]:
        """Of 1.3 * sum((x w' + b - t)^2) / (2 N), by plain loops."""
        weight, bias = (np.zeros_like(blob) for blob in self.weights)
        for item, target in zip(self.data, self.target, strict=True):
            for output in range(OUTPUTS):
                error = float(np.dot(self.weights[0][output], item)) + self.weights[1][output] - target[output]
                weight[output] += 1.3 * error * item / ITEMS
                bias[output] += 1.3 * error / ITEMS
        return [weight, bias]

    def kept(self, name: str) -> list[Array]:
        """What a rule keeps under a name, zeros at first."""
        return self.state.setdefault(name, [np.zeros_like(blob) for blob in self.weights])
