"""For `pytest -p tests.pretend_gpu.plugin`: any tests, with nets built on the pretended GPU."""

from collections.abc import Iterator

import pytest

import caffe_compat.net.build
import caffe_compat.net.device
import caffe_compat.pycaffe.net
from tests.pretend_gpu.device import GPU, PretendGpu


@pytest.fixture(autouse=True)
def _on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (caffe_compat.net.device, caffe_compat.net.build, caffe_compat.pycaffe.net):
        monkeypatch.setattr(module, "current_device", lambda: GPU)
    with PretendGpu():
        yield
