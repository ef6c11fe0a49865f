"""The one table of benchmarks: which sizes it takes, and what becomes of a benchmark that does not end."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import everything
from benchmarks.everything import Benchmark, main

pytestmark = pytest.mark.slow

#: Writes the result of a benchmark, with the sizes that it was given.
QUICK = """
import json, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
result = {"ratio to one": {"one": 1.0}, "seconds": {"one": 0.25}, "settings": {"batch": given["--batch"]}}
pathlib.Path(given["--json"]).write_text(json.dumps(result))
"""
#: Starts a process of its own, as benchmarks with a process for each contender do, and never ends.
ENDLESS = """
import pathlib, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(__file__).with_name("other").write_text(str(other.pid))
time.sleep(60)
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces the benchmarks by one that runs this program."""

    def replace(program: str) -> Path:
        (tmp_path / "program.py").write_text(program)
        made = Benchmark("a step", str(tmp_path / "program.py"), {"batch": 32}, {"batch": 4})
        monkeypatch.setattr(everything, "BENCHMARKS", (made,))
        return tmp_path

    return replace


@pytest.mark.parametrize(
    ("device", "flags", "batch", "nets"),
    [
        ("cpu", [], 4, "small nets"),
        ("cpu", ["--no-small"], 32, "ResNet-101"),
        ("NVIDIA H200", [], 32, "ResNet-101"),
        ("NVIDIA H200", ["--small"], 4, "small nets"),
    ],
)
def test_nets_are_small_without_a_gpu(
    device: str, flags: list[str], batch: int, nets: str, bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    folder = bench(QUICK)
    monkeypatch.setattr(everything, "machine", lambda: {"device": device, "torch": "2", "threads": 3})
    assert main([*flags, "--json", str(folder / "all.json")]) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    assert head == f"{device}, torch 2, 3 threads, {nets}"
    assert row.split() == ["a", "step", f"({batch})", "one", "250.00", "1.00"]
    assert json.loads((folder / "all.json").read_text())["small"] == (nets == "small nets")


def test_a_benchmark_without_an_end_leaves_no_process(bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    folder = bench(ENDLESS)
    monkeypatch.setattr(everything, "LEAST_SECONDS", 0)
    assert main(["--minutes", "0.05"]) == 1
    assert "not done after 3 s" in capsys.readouterr().out
    other = int((folder / "other").read_text())
    until = time.monotonic() + 5
    while is_running(other) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(other)


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended; one that nobody waited for counts as ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_benchmark_that_fails_says_why(bench: Any, capsys: Any) -> None:
    bench("raise SystemExit('no such net')")
    assert main([]) == 1
    assert "no such net" in capsys.readouterr().out
