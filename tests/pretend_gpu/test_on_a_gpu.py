"""Runs tests on a GPU that is not there, and on one that is: tensors of two devices that meet, and waits, come out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


TESTS = [
    "tests/pretend_gpu/cases.py",
    "tests/recorded",
    "tests/engine/test_fast.py",
    "tests/layers/data",
    "tests/solvers/test_solver.py",
]


def run(tests: str, device: str, *options: str, plugin: str = "tests.pretend_gpu.plugin") -> None:
    """In a process of its own, whose torch knows the device before its first backward."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin]
    found = subprocess.run(
        [*command, "-m", "not slow", *options, tests],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TEST_GPU": device},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]


@pytest.mark.parametrize("tests", TESTS)
def test_tests_pass_on_the_pretended_gpu(tests: str) -> None:
    run(tests, "", "-k", "not bfloat16")  # autocast would need kernels of the device


@pytest.mark.parametrize("some", ["srn", "not srn"])
def test_no_step_waits_for_a_device_of_fakes(some: str) -> None:
    run("tests/pretend_gpu/fake_cases.py", "", "-k", some, plugin="tests.pretend_gpu.device")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("tests", TESTS)
def test_tests_pass_on_a_real_gpu(tests: str) -> None:
    run(tests, "cuda")
