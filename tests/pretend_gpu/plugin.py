"""For `pytest -p tests.pretend_gpu.plugin`: any tests, with nets built on the pretended GPU, or on a real one.

The environment variable TEST_GPU=cuda asks for the real one.
"""

from collections.abc import Iterator

import pytest

import caffe_compat.net.build
import caffe_compat.net.settings
import caffe_compat.pycaffe.net
from tests.pretend_gpu.device import GPU, on_the_gpu


@pytest.fixture(autouse=True)
def _on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (caffe_compat.net.settings, caffe_compat.net.build, caffe_compat.pycaffe.net):
        monkeypatch.setattr(module, "current_device", lambda: GPU)
    with on_the_gpu():
        yield
