"""A pycaffe in another Python: here one of few lines, so that no net of ours is on both sides."""

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.parity.pycaffe_process import PycaffeProcess

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "tools/record_blobs.py")
FAKE = '''
import numpy as np
TRAIN, TEST = 0, 1
__version__ = "0.15-fake"

def set_mode_cpu():
    pass

class Blob(object):
    def __init__(self, *shape):
        self.reshape(*shape)
    def reshape(self, *shape):
        self.data = np.zeros(shape, np.float32)
        self.diff = np.zeros(shape, np.float32)

class Net(object):
    """y = 3 x, on the old positional arguments."""
    def __init__(self, prototxt, *rest):
        text = open(prototxt).read()
        assert rest[-1] in (TRAIN, TEST)
        if "broken" in text:
            raise RuntimeError("this Caffe has no such layer")
        self.forced = "force_backward: true" in text
        self.blobs = {"x": Blob(1, 1), "y": Blob(1, 1)}
        self.params = {"triple": [Blob(1)]}
        self.inputs, self.outputs = ["x"], ["y"]
        self._layer_names = ["input", "triple"]
        self.top_names = {"input": ["x"], "triple": ["y"]}
        self.bottom_names = {"input": [], "triple": ["x"]}
    def reshape(self):
        self.blobs["y"].reshape(*self.blobs["x"].data.shape)
    def _forward(self, first, last):
        if first == 1:
            self.blobs["y"].data[...] = 3 * self.blobs["x"].data
    def _backward(self, first, last):
        if first == 1 and self.forced:
            self.blobs["x"].diff[...] = 3 * self.blobs["y"].diff
'''


@pytest.fixture
def other(tmp_path: Path) -> PycaffeProcess:
    (tmp_path / "caffe.py").write_text(FAKE)
    (tmp_path / "net.prototxt").write_text('name: "fake"\n')
    return PycaffeProcess(sys.executable, SCRIPT, ["--caffe-root", str(tmp_path)])


def test_it_runs_on_our_inputs_forward_and_backward(other: PycaffeProcess, tmp_path: Path) -> None:
    inputs = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    seeds = {"y": np.full((2, 3), 2, np.float32)}
    recording = other.record_net(str(tmp_path / "net.prototxt"), "w.caffemodel", "TEST", inputs, seeds)
    np.testing.assert_array_equal(recording.inputs["x"], inputs["x"])
    np.testing.assert_array_equal(recording.tops["triple/y"], 3 * inputs["x"])
    np.testing.assert_array_equal(recording.bottom_gradients["triple/x"], np.full((2, 3), 6))
    assert recording.source.startswith("pycaffe 0.15-fake, Python 3")


def test_without_seeds_there_is_no_backward(other: PycaffeProcess, tmp_path: Path) -> None:
    recording = other.record_net(str(tmp_path / "net.prototxt"), None, "TRAIN", {})
    assert recording.bottom_gradients == {}
    assert recording.inputs["x"].shape == (1, 1)


def test_what_goes_wrong_over_there_is_passed_on(other: PycaffeProcess, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text("broken")
    with pytest.raises(
        MissingFeatureError, match=r"it ended with status 1: .*RuntimeError: this Caffe has no such layer$"
    ):
        other.record_net(str(tmp_path / "net.prototxt"), None, "TEST", {})


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFeatureError, match=r"^/no/such/python: cannot be run as a Python: "):
        PycaffeProcess("/no/such/python", SCRIPT).record_net("net.prototxt", None, "TEST", {})


def test_a_python_that_writes_nothing_is_refused(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(silent.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(MissingFeatureError, match=r"it ended with status 0: nothing on stderr$"):
        PycaffeProcess(str(silent), SCRIPT).record_training("solver.prototxt", None, 2)
