"""`run`: scripts of pycaffe, as they are."""

import builtins
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli.commands.run import main
from caffe_compat.cli.python_2 import MODULES
from caffe_compat.net.settings import allow_python_layers
from tests.cli.conftest import Done

Runs = Callable[..., Done]

SCRIPT = """
import sys, os
import numpy as np
import caffe
from caffe import layers as L, params as P
import a_module_beside

n = caffe.NetSpec()
n.data = L.Input(shape=dict(dim=[1, 2, 6, 5]))
n.conv = L.Convolution(n.data, num_output=3, kernel_size=2, weight_filler=dict(type='constant', value=1))
n.prob = L.Softmax(n.conv)
with open('net.prototxt', 'w') as f:
    f.write(str(n.to_proto()))
caffe.set_mode_cpu()
net = caffe.Net('net.prototxt', caffe.TEST)
net.save('net.caffemodel')
net = caffe.Net('net.prototxt', 'net.caffemodel', caffe.TEST)
net.blobs['data'].reshape(4, 2, 6, 5)
net.blobs['data'].data[...] = np.arange(240).reshape(4, 2, 6, 5)
out = net.forward()
print(sys.argv, __name__, out[net.outputs[0]].shape, net.blobs['conv'].data[0, 0, 0, 0], list(xrange(2)))
"""


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Done]]:
    """Runs the command in `tmp_path`; afterwards the process knows no caffe and no old names."""
    before = [(place, dict(place)) for place in (builtins.__dict__, np.__dict__)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["caffe-compat"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))

    def run_script(*arguments: str, level: str = "2") -> Done:
        monkeypatch.setenv("GLOG_minloglevel", level)
        status = main(arguments)
        return Done(status, *capsys.readouterr())

    yield run_script
    for place, contents in before:
        for name in set(place) - set(contents):
            del place[name]
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in {"caffe", *MODULES} or (getattr(module, "__file__", None) or "").startswith(
            str(tmp_path)
        ):
            del sys.modules[name]
    sys.path_importer_cache.clear()
    allow_python_layers(False)


def test_a_script_runs_as_it_is(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(SCRIPT)
    (tmp_path / "scripts" / "a_module_beside.py").touch()
    done = run("scripts/script.py", "-x", "--solver=s")
    assert done.returncode == 0, done.stderr
    expected = sum(row * 5 + column + 30 * channel for channel in (0, 1) for row in (0, 1) for column in (0, 1))
    assert done.stdout == (
        f"['scripts/script.py', '-x', '--solver=s'] __main__ (4, 3, 5, 4) {float(expected)} [0, 1]\n"
    )


def test_a_module_runs_too(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "test_it.py").write_text(
        "import unittest, caffe\nclass T(unittest.TestCase):\n    def test(self): self.assertTrue(caffe.Net)\n"
    )
    done = run("-m", "unittest", "test_it")
    assert done.returncode == 0, done.stderr
    assert "Ran 1 test" in done.stderr


def test_the_scripts_exit_status_comes_out(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "script.py").write_text("import sys; sys.exit(5)")
    assert run("script.py").returncode == 5


def test_the_script_says_how_much_is_logged(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "script.py").write_text(
        "import os\nos.environ['GLOG_minloglevel'] = '0'\nimport caffe\ncaffe.log('heard')\n"
        "os.environ['GLOG_minloglevel'] = '1'\ncaffe.log('not heard')\n"
    )
    lines = run("script.py", level="0").stderr.splitlines()
    assert [line.split("] ")[1] for line in lines] == ["heard"]


def test_an_error_shows_the_script_only(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "script.py").write_text("def f():\n    1 / 0\nf()\n")
    done = run("script.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert done.stderr.count("File ") == done.stderr.count("script.py") == 2


PYTHON_2 = """
import cPickle, StringIO
import caffe
import module_of_python_2
print 'phase', caffe.TEST, 7 / 2, module_of_python_2.half(9)
try:
    raise ValueError, 'wrong'
except ValueError, error:
    print error
"""


def test_python_2_runs_as_it_is(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "script.py").write_text(PYTHON_2)
    (tmp_path / "module_of_python_2.py").write_text("def half(n):\n\tprint 'halving'\n        return n / 2\n")
    done = run("script.py")
    assert (done.returncode, done.stdout) == (0, "halving\nphase 1 3 4\nwrong\n"), done.stderr
    assert done.stderr.count("this is Python 2; it runs as translated to Python 3") == 2
    assert (tmp_path / "script.py").read_text() == PYTHON_2
    assert not list(tmp_path.rglob("*.pyc"))


def test_what_is_python_of_no_version(tmp_path: Path, run: Runs) -> None:
    (tmp_path / "script.py").write_text("import caffe\nprint (\n")
    done = run("script.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("SyntaxError: '(' was never closed")


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ((), "expected a script: caffe-compat run SCRIPT", 2),
        (("none.py",), "none.py: no such script", 1),
        (("--gpu", "a.py"), "unknown flag '--gpu'; flags of the script stand behind it", 2),
    ],
)
def test_a_script_is_needed(run: Runs, arguments: tuple[str, ...], message: str, status: int) -> None:
    done = run(*arguments)
    assert done.returncode == status
    assert message in done.stderr
