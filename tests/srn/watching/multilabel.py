"""A solver on random multi-label data, small enough to compute everything again in loops."""

import numpy as np
from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver

IMAGES, INPUTS, CLASSES = 6, 4, 3
NET = f"""
net_param {{
  name: "multilabel"
  layer {{ name: "data" type: "Input" top: "data" top: "label"
    input_param {{ shape {{ dim: {IMAGES} dim: {INPUTS} }} shape {{ dim: {IMAGES} dim: {CLASSES} dim: 1 dim: 1 }} }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "y"
    inner_product_param {{ num_output: {CLASSES} weight_filler {{ type: "gaussian" std: 0.7 }} }} }}
  layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "label" top: "loss" }}
  MORE
}}
random_seed: 3 base_lr: 0.1 lr_policy: "fixed" max_iter: 6 display: 2 test_iter: 2 test_interval: 3
snapshot_after_train: false
"""
SECOND_LOSS = """
  layer { name: "double" type: "Power" bottom: "y" top: "z" power_param { scale: -2 } }
  layer { name: "loss_z" type: "SigmoidCrossEntropyLoss" bottom: "z" bottom: "label" top: "loss_z" }
"""


def make_solver(engine: str = "exact", more: str = "", fields: str = "") -> Solver:
    """The problem with further layers and solver fields; data and labels are the same at every call."""
    parameter = text_format.Parse(NET.replace("MORE", more) + fields, caffe_pb2.SolverParameter())
    solver = Solver(parameter, engine)
    generator = np.random.default_rng(8)
    for net in (solver.net, *solver.test_nets):
        net.blobs["data"].data[...] = generator.normal(size=(IMAGES, INPUTS))
        net.blobs["label"].data[...] = generator.random((IMAGES, CLASSES, 1, 1)) < 0.5
    return solver
