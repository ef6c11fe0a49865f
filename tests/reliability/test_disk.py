"""The short form of the attack on the disk: a failure at the Nth write, for every N."""

import errno
import os
from pathlib import Path

import pytest

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.solver import Solver
from tests.reliability.attack_disk import attack_conversion, attack_snapshots, failing_at
from tests.reliability.attack_outputs import WRITINGS, Writing, inject_calls, inject_sizes
from tests.reliability.attack_outputs import attack as attack_output


@pytest.mark.slow
@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_no_failed_write_costs_an_older_snapshot(form: str, inputs: Path) -> None:
    assert attack_snapshots(form) >= 10


def test_no_failed_write_costs_older_weights(inputs: Path) -> None:
    assert attack_conversion(write_safetensors, "m.safetensors") >= 3


#: Commands that take a moment; `python -m tests.reliability.attack_outputs` is the long form.
QUICK = ("convert to torch.pt", "parse-log", "summary", "convert_imageset", "upgrade_net_proto_text")
#: A child of a process that has trained waits for ever for autograd's threads, which only its parent has.
FORKABLE = [each for each in WRITINGS if "train" not in each.arguments]


@pytest.mark.parametrize("writing", [each for each in WRITINGS if each.name in QUICK], ids=lambda writing: writing.name)
def test_no_failed_write_of_a_command_costs_an_older_file(writing: Writing, command_inputs: Path) -> None:
    assert attack_output(writing, inject_calls) >= 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, from Python 3.12 on
@pytest.mark.parametrize("writing", FORKABLE, ids=lambda writing: writing.name)
def test_no_refused_size_costs_an_older_file(writing: Writing, command_inputs: Path) -> None:
    attack_output(writing, inject_sizes)


def test_the_attack_fails_a_call(inputs: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "m.safetensors")
    model = read_model("s_iter_2.caffemodel")
    with failing_at(2) as has_failed, pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        write_safetensors(path, model)
    assert has_failed()


def test_training_goes_on_over_a_failed_snapshot_and_keeps_the_last(inputs: Path) -> None:
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix, parameter.snapshot, parameter.max_iter = "full", 1, 3
    solver = Solver(parameter, "exact")
    solver.step(1)
    with failing_at(1):
        solver.step(1)
    solver.solve()
    solver.close()
    assert sorted(path.name for path in inputs.glob("full_iter_*.solverstate")) == [
        "full_iter_1.solverstate",
        "full_iter_3.solverstate",
    ]
