"""The module that `import caffe` returns: pycaffe's interface to this runtime; also `caffe.pycaffe`."""

from caffe_compat.layers.utility.python_interface import PythonLayer as Layer
from caffe_compat.pycaffe.nccl import NCCL
from caffe_compat.pycaffe.net import Net
from caffe_compat.pycaffe.solver import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
)
from caffe_compat.pycaffe.timer import Timer

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Layer",
    "NesterovSolver",
    "Net",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
]
