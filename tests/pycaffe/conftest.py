"""Small nets in files, and a process that is as it was after every test."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from caffe_compat.net import settings
from caffe_compat.pycaffe.net import Net

NetFile = Callable[[str], str]

NET = """
name: 'small' force_backward: true
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 3 dim: 2 dim: 6 dim: 5 } } }
layer { name: 'label' type: 'Input' top: 'label' input_param { shape { dim: 3 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 weight_filler { type: 'gaussian' std: 0.3 } } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'conv' top: 'scores'
  inner_product_param { num_output: 7 weight_filler { type: 'gaussian' std: 0.2 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'scores' bottom: 'label' top: 'loss' loss_weight: 2 }
"""

DEPLOY = """
name: 'deploy' force_backward: true
layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: 'gaussian' std: 0.1 } } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'conv' top: 'scores'
  inner_product_param { num_output: 2 weight_filler { type: 'gaussian' std: 0.1 } } }
"""


@pytest.fixture
def net_file(tmp_path: Path) -> NetFile:
    """Writes a prototxt and gives its path."""

    def write(text: str) -> str:
        path = tmp_path / f"net_{len(list(tmp_path.iterdir()))}.prototxt"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def net(net_file: NetFile) -> Net:
    return Net(net_file(NET), 0)


@pytest.fixture
def deploy(net_file: NetFile) -> Net:
    return Net(net_file(DEPLOY), 1)


@pytest.fixture(autouse=True)
def same_process_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Seed, solver count, trust and the modules called caffe are set back."""
    torch.manual_seed(0)
    monkeypatch.setattr(settings, "_PROCESS", replace(settings._PROCESS))
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "caffe"}
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "caffe"]:
        del sys.modules[name]
    sys.modules.update(before)
