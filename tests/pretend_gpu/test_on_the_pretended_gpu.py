"""Runs tests on a GPU that is not there: tensors of two devices that meet, and waits for the device, come out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def run(tests: str) -> None:
    """In a process of its own, whose torch knows the device before its first backward."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.pretend_gpu.plugin"]
    found = subprocess.run(
        [*command, "-m", "not slow", tests],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-2000:]


@pytest.mark.parametrize(
    "tests",
    ["tests/pretend_gpu/cases.py", "tests/recorded", "tests/engine/test_fast.py", "tests/layers/data"],
)
def test_tests_pass_on_it(tests: str) -> None:
    run(tests)
