"""A runtime that reads Caffe nets, weights and solvers and runs them on PyTorch; it looks like `import caffe`.

Names are looked up when first used, so that the schema alone can be imported without torch.
"""

import importlib

from caffe_compat.processors import share_processors

#: As typing's own, which takes 10 ms to import: in this time Ctrl-C would print a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

share_processors()  # before anything imports torch

#: The version of this program, stated here and nowhere else. After install_as_caffe(), `caffe.__version__` is Caffe's.
__version__ = "0.2.0"

_HOMES = {
    "AdaDeltaSolver": "caffe_compat.pycaffe.solver",
    "AdaGradSolver": "caffe_compat.pycaffe.solver",
    "AdamSolver": "caffe_compat.pycaffe.solver",
    "Blob": "caffe_compat.net.blob",
    "Classifier": "caffe_compat.pycaffe.classifier",
    "Detector": "caffe_compat.pycaffe.detector",
    "Layer": "caffe_compat.pycaffe",
    "NCCL": "caffe_compat.pycaffe.nccl",
    "NesterovSolver": "caffe_compat.pycaffe.solver",
    "Net": "caffe_compat.pycaffe.net",
    "NetSpec": "caffe_compat.pycaffe.net_spec",
    "Preprocessing": "caffe_compat.data.preprocessing",
    "RMSPropSolver": "caffe_compat.pycaffe.solver",
    "SGDSolver": "caffe_compat.pycaffe.solver",
    "TEST": "caffe_compat.proto.caffe_pb2",
    "TRAIN": "caffe_compat.proto.caffe_pb2",
    "Timer": "caffe_compat.pycaffe.timer",
    "allow_python_layers": "caffe_compat.net.settings",
    "get_solver": "caffe_compat.pycaffe.solver",
    "has_nccl": "caffe_compat.pycaffe.nccl",
    "init_log": "caffe_compat.net.settings",
    "install_as_caffe": "caffe_compat.pycaffe.install",
    "layer_type_list": "caffe_compat.net.settings",
    "load": "caffe_compat.module.load",
    "log": "caffe_compat.net.settings",
    "params": "caffe_compat.pycaffe.net_spec",
    "save": "caffe_compat.module.save",
    "set_device": "caffe_compat.net.settings",
    "set_mode_cpu": "caffe_compat.net.settings",
    "set_mode_gpu": "caffe_compat.net.settings",
    "set_multiprocess": "caffe_compat.net.settings",
    "set_phase_test": "caffe_compat.net.settings",
    "set_phase_train": "caffe_compat.net.settings",
    "set_random_seed": "caffe_compat.net.settings",
    "set_solver_count": "caffe_compat.net.settings",
    "set_solver_rank": "caffe_compat.net.settings",
    "solver_count": "caffe_compat.net.settings",
    "solver_rank": "caffe_compat.net.settings",
    "to_proto": "caffe_compat.pycaffe.net_spec",
}
_MODULES = {
    "_caffe": "caffe_compat",
    "classifier": "caffe_compat.pycaffe.classifier",
    "coord_map": "caffe_compat.pycaffe.coord_map",
    "detector": "caffe_compat.pycaffe.detector",
    "draw": "caffe_compat.pycaffe.draw",
    "io": "caffe_compat.pycaffe.io",
    "layers": "caffe_compat.layers",
    "net_spec": "caffe_compat.pycaffe.net_spec",
    "proto": "caffe_compat.proto",
    "pycaffe": "caffe_compat.pycaffe",
}

__all__ = sorted({*_HOMES, *_MODULES} - {"_caffe"})


# For editors and type checkers, which do not run __getattr__; a test holds it equal to the tables above.
if TYPE_CHECKING:
    from caffe_compat import layers as layers
    from caffe_compat import proto as proto
    from caffe_compat import pycaffe as pycaffe
    from caffe_compat.data.preprocessing import Preprocessing as Preprocessing
    from caffe_compat.module.load import load as load
    from caffe_compat.module.save import save as save
    from caffe_compat.net.blob import Blob as Blob
    from caffe_compat.net.settings import allow_python_layers as allow_python_layers
    from caffe_compat.net.settings import init_log as init_log
    from caffe_compat.net.settings import layer_type_list as layer_type_list
    from caffe_compat.net.settings import log as log
    from caffe_compat.net.settings import set_device as set_device
    from caffe_compat.net.settings import set_mode_cpu as set_mode_cpu
    from caffe_compat.net.settings import set_mode_gpu as set_mode_gpu
    from caffe_compat.net.settings import set_multiprocess as set_multiprocess
    from caffe_compat.net.settings import set_phase_test as set_phase_test
    from caffe_compat.net.settings import set_phase_train as set_phase_train
    from caffe_compat.net.settings import set_random_seed as set_random_seed
    from caffe_compat.net.settings import set_solver_count as set_solver_count
    from caffe_compat.net.settings import set_solver_rank as set_solver_rank
    from caffe_compat.net.settings import solver_count as solver_count
    from caffe_compat.net.settings import solver_rank as solver_rank
    from caffe_compat.proto.caffe_pb2 import TEST as TEST
    from caffe_compat.proto.caffe_pb2 import TRAIN as TRAIN
    from caffe_compat.pycaffe import Layer as Layer
    from caffe_compat.pycaffe import classifier as classifier
    from caffe_compat.pycaffe import coord_map as coord_map
    from caffe_compat.pycaffe import detector as detector
    from caffe_compat.pycaffe import draw as draw
    from caffe_compat.pycaffe import io as io
    from caffe_compat.pycaffe import net_spec as net_spec
    from caffe_compat.pycaffe.classifier import Classifier as Classifier
    from caffe_compat.pycaffe.detector import Detector as Detector
    from caffe_compat.pycaffe.install import install_as_caffe as install_as_caffe
    from caffe_compat.pycaffe.nccl import NCCL as NCCL
    from caffe_compat.pycaffe.nccl import has_nccl as has_nccl
    from caffe_compat.pycaffe.net import Net as Net
    from caffe_compat.pycaffe.net_spec import NetSpec as NetSpec
    from caffe_compat.pycaffe.net_spec import params as params
    from caffe_compat.pycaffe.net_spec import to_proto as to_proto
    from caffe_compat.pycaffe.solver import AdaDeltaSolver as AdaDeltaSolver
    from caffe_compat.pycaffe.solver import AdaGradSolver as AdaGradSolver
    from caffe_compat.pycaffe.solver import AdamSolver as AdamSolver
    from caffe_compat.pycaffe.solver import NesterovSolver as NesterovSolver
    from caffe_compat.pycaffe.solver import RMSPropSolver as RMSPropSolver
    from caffe_compat.pycaffe.solver import SGDSolver as SGDSolver
    from caffe_compat.pycaffe.solver import get_solver as get_solver
    from caffe_compat.pycaffe.timer import Timer as Timer


def __getattr__(name: str) -> "Any":
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    # A solver of this program's own needs no line in _HOMES: the registry of update rules knows it.
    home = _HOMES.get(name) or ("caffe_compat.pycaffe.solver" if name.endswith("Solver") else None)
    if home is None or not hasattr(importlib.import_module(home), name):
        raise AttributeError(f"module 'caffe_compat' has no attribute '{name}'")
    found = globals()[name] = getattr(importlib.import_module(home), name)  # the next look-up does not come here
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
