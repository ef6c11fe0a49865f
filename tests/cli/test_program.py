"""The program in a process of its own: what only a process shows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
PROGRAM = [sys.executable, "-m", "caffe_compat"]


@pytest.mark.slow
def test_the_reader_of_the_output_goes_away() -> None:
    with subprocess.Popen([*PROGRAM, "generate", "--all", "--count"], env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (141, b"")


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.7, 1.5])  # earlier, Python itself may not have started yet
def test_ctrl_c_at_any_time_is_one_line(delay: float, tmp_path: Path) -> None:
    command = [*PROGRAM, "generate", "--all", "--out", str(tmp_path)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"caffe-compat generate: interrupted\n"


@pytest.mark.slow
def test_the_current_folder_is_no_source_of_modules(tmp_path: Path) -> None:
    for name in ("torch", "numpy", "cv2"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module ran')")
    done = subprocess.run([*PROGRAM, "device_query"], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["evaluate", "parse_log"])
def test_a_program_of_tools_runs_from_any_folder(tool: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), "--nothing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tool}.py: unknown flag '--nothing'; ")
