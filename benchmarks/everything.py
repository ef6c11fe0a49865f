"""One table of prediction and training, unattended: on the GPU if there is one, else on the CPU.

    python benchmarks/everything.py [--minutes 10] [--small | --no-small] [--json FILE]

Each benchmark runs in a process of its own, and stops where the time is over; the table then says so. Small nets, which
take two minutes or three on any machine, are the default without a GPU: there a training step of ResNet-101 with 16
images takes so long that its rounds are not done in ten minutes. `--no-small` takes ResNet-101 all the same.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import machine

FOLDER = Path(__file__).resolve().parent
#: Without a result after so many seconds a benchmark is hopeless, whatever time is left.
LEAST_SECONDS = 5


class Benchmark(NamedTuple):
    """A row of the table: what it measures, its program, and the sizes of the full and the small form."""

    title: str
    program: str
    full: dict[str, int]
    small: dict[str, int]


_SMALL_NET = {"depth": 26, "width": 16, "size": 96, "rounds": 3}
_RESNET = {"depth": 101, "width": 64, "size": 224, "rounds": 9}
#: In the order of their worth, as the last ones may find no time left.
BENCHMARKS = (
    Benchmark("prediction of one image", "inference.py", {**_RESNET, "batch": 1}, {**_SMALL_NET, "batch": 1}),
    Benchmark("training step 4", "training_step.py", {**_RESNET, "batch": 16}, {**_SMALL_NET, "batch": 4}),
    Benchmark("prediction of a batch", "inference.py", {**_RESNET, "batch": 32}, {**_SMALL_NET, "batch": 4}),
    Benchmark("training step 4 of a small net", "training_step.py", {"rounds": 9}, {**_SMALL_NET, "batch": 8}),
)


def measured(benchmark: Benchmark, small: bool, seconds: float) -> dict[str, Any] | str:
    """Runs a benchmark for so many seconds at most; returns what it wrote, or why there is nothing."""
    if seconds < LEAST_SECONDS:
        return "no time left"
    sizes = benchmark.small if small else benchmark.full
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        flags = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(FOLDER / benchmark.program), *flags, "--json", str(file)]
        try:
            status, said = _run(command, seconds)
        except subprocess.TimeoutExpired:
            return f"not done after {seconds:.0f} s"
        if status or not file.exists():
            return (said.strip().splitlines() or ["failed without a word"])[-1]
        result: dict[str, Any] = json.loads(file.read_text())
        return result


def _run(command: list[str], seconds: float) -> tuple[int, str]:
    """Returns a command's exit status and what it wrote to stderr; TimeoutExpired after so many seconds.

    The command has a session of its own: processes that it started end with it, and disturb no later benchmark.
    """
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def lines_of(title: str, result: dict[str, Any] | str) -> Iterator[str]:
    """The benchmark's lines of the table."""
    if isinstance(result, str):
        yield f"{title:36s}{result}"
        return
    (key,) = (name for name in result if name.startswith("ratio to "))
    title = f"{title} ({result['settings']['batch']})"
    for name, seconds in result["seconds"].items():
        yield f"{title:36s}{name:26s}{1000 * seconds:12.2f}{result[key][name]:8.2f}"
        title = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; returns 0, or 1 if a benchmark has no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="stop after this time (default: 10)")
    parser.add_argument("--small", action=argparse.BooleanOptionalAction, help="small nets (default: without a GPU)")
    parser.add_argument("--json", type=Path, help="write all figures")
    arguments = parser.parse_args(argv)
    about = machine()
    small = about["device"] == "cpu" if arguments.small is None else arguments.small
    end = time.monotonic() + 60 * arguments.minutes
    found: dict[str, dict[str, Any] | str] = {}
    for benchmark in BENCHMARKS:
        print(f"{benchmark.title} ...", file=sys.stderr, flush=True)
        found[benchmark.title] = measured(benchmark, small, end - time.monotonic())
    nets = "small nets" if small else "ResNet-101"
    print(f"{about['device']}, torch {about['torch']}, {about['threads']} threads, {nets}")
    print(f"{'':36s}{'':26s}{'median ms':>12s}{'ratio':>8s}")
    for title, result in found.items():
        print("\n".join(lines_of(title, result)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": about, "small": small, "results": found}, indent=1) + "\n")
    return int(any(isinstance(result, str) for result in found.values()))


if __name__ == "__main__":
    sys.exit(main())
