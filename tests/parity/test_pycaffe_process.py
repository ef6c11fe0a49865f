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
import os
import sys
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

class Layer(object):
    def __init__(self, type):
        self.type = type

class Net(object):
    """y = 3 x, on the old positional arguments."""
    def __init__(self, prototxt, *rest):
        text = open(prototxt).read()
        assert rest[-1] in (TRAIN, TEST)
        if "dies" in text:
            sys.stderr.write("I1125 net.cpp:1] here\\nF1125 12:00:00.1 7 some_layer.hpp:67] Not Implemented Yet\\n")
            sys.stderr.write("*** Check failure stack trace: ***\\n    @ 1\\n    @ 2\\n    @ 3\\n")
            sys.stderr.flush()
            os.abort()
        if "broken" in text:
            raise RuntimeError("this Caffe has no such layer")
        self.forced = "force_backward: true" in text
        self.blobs = {"x": Blob(1, 1), "y": Blob(1, 1)}
        self.params = {"triple": [Blob(1)]}
        self.inputs, self.outputs = ["x"], ["y"]
        self._layer_names = ["input", "triple", "best"]
        self.layers = [Layer("Input"), Layer("Triple"), Layer("ArgMax")]
        self.top_names = {"input": ["x"], "triple": ["y"], "best": []}
        self.bottom_names = {"input": [], "triple": ["x"], "best": ["y"]}
    def reshape(self):
        self.blobs["y"].reshape(*self.blobs["x"].data.shape)
    def _forward(self, first, last):
        if first == 1:
            self.blobs["y"].data[...] = 3 * self.blobs["x"].data
    def _backward(self, first, last):
        assert first != 2, "Not Implemented Yet"
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
    assert recording.is_forced
    assert recording.notes == ["backward leaves out layers that only measure: best"]


def test_without_losses_and_seeds_backward_starts_from_random_gradients(other: PycaffeProcess, tmp_path: Path) -> None:
    recording = other.record_net(str(tmp_path / "net.prototxt"), None, "TEST", {}, {})
    assert recording.seeds["y"].all()
    np.testing.assert_allclose(recording.bottom_gradients["triple/x"], 3 * recording.seeds["y"])


@pytest.mark.parametrize(
    ("text", "forced"),
    [
        ('layer { type: "Embed" }', False),
        ('# type: "Embed"', True),
        ('layer { type: "Accuracy" } # force_backward', True),
        ('name: "a"\nforce_backward: false', True),
    ],
)
def test_gradients_are_forced_unless_a_layer_refuses(
    other: PycaffeProcess, tmp_path: Path, text: str, forced: bool
) -> None:
    (tmp_path / "net.prototxt").write_text(text)
    recording = other.record_net(str(tmp_path / "net.prototxt"), None, "TEST", {}, {})
    assert recording.is_forced is forced
    assert recording.bottom_gradients["triple/x"].any() == forced
    assert ("gradients are not forced, because Embed refuses: only what learns compares" in recording.notes) != forced


def test_the_check_that_ended_a_caffe_is_passed_on_without_its_stack(other: PycaffeProcess, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text("dies")
    with pytest.raises(MissingFeatureError, match=r"it ended with status -6: F1125 .* Not Implemented Yet$"):
        other.record_net(str(tmp_path / "net.prototxt"), None, "TEST", {})


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
