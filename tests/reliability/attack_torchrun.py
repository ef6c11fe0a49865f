"""Kills, stops and doubles trainings of two processes under torchrun: nothing is lost, and no process is left.

    python -m tests.reliability.attack_torchrun --count 50 --seed 1

Each of COUNT trainings meets one of the ways below at a random moment. Afterwards no process of it may live, and the
newest snapshot must be whole. In the end a run that goes on from the last snapshot must have the bytes of one that
nothing disturbed. The last line is `N trainings disturbed: no process left, every snapshot whole, equal bytes`.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from caffe_compat.solvers.prefix import newest_whole_snapshot
from tests.reliability.inputs import make_inputs

ROOT = Path(__file__).resolve().parents[2]
#: The variable by whose value the processes of one training are found.
MARK = "CAFFE_COMPAT_ATTACK"
#: Seconds: a stopped process ends the others; all of a training ends after it was disturbed; a training begins.
WORKER_TIMEOUT, TO_END, TO_BEGIN = 8, 240, 240
SOLVER = """net: "list.prototxt" base_lr: 0.01 momentum: 0.9 lr_policy: "step" stepsize: 5 gamma: 0.5
max_iter: {iterations} snapshot: 5 snapshot_prefix: "{prefix}" random_seed: 4 display: 1
"""


class Training:
    """One training of two processes under torchrun, in the current folder."""

    def __init__(self, prefix: str, iterations: int) -> None:
        Path(f"{prefix}_solver.prototxt").write_text(SOLVER.format(prefix=prefix, iterations=iterations))
        self.prefix, self.mark = prefix, uuid.uuid4().hex
        self.log = Path(f"{self.mark}.log")
        flags = "--snapshot=auto --engine=exact --keep=2"
        command = (
            f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node=2 -m caffe_compat train {flags} "
            f"--solver={prefix}_solver.prototxt --worker-timeout={WORKER_TIMEOUT}"
        ).split()
        environment = os.environ | {MARK: self.mark, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with self.log.open("wb") as log:
            self.launcher = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait_until_it_trains(self, iterations: int) -> None:
        """Returns when so many iterations were displayed; AssertionError where the training ends before."""
        until = time.monotonic() + TO_BEGIN
        while self.log.read_bytes().count(b"] Iteration ") < iterations:
            assert self.launcher.poll() is None, f"it ended with {self.launcher.returncode}: {self.said()}"
            assert time.monotonic() < until, f"it did not begin: {self.said()}"
            time.sleep(0.05)

    def ranks(self) -> list[int]:
        """The process ids of the two processes that train."""
        return sorted(set(self.living()) - {self.launcher.pid})

    def living(self) -> list[int]:
        """The process ids of all that this training started and that still live."""
        wanted = f"{MARK}={self.mark}".encode()
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if wanted in _environment(folder)]

    def wait_for_the_end(self) -> int:
        """The exit status of torchrun; AssertionError where a process lives on."""
        until = time.monotonic() + TO_END
        while self.living() or self.launcher.poll() is None:
            assert time.monotonic() < until, f"processes {self.living()} live on: {self.said()}"
            time.sleep(0.1)
        return int(self.launcher.returncode)

    def end(self) -> None:
        """Kills what is left."""
        for process in self.living():
            os.kill(process, signal.SIGKILL)
        self.launcher.wait()

    def said(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-1500:]


def _environment(folder: Path) -> bytes:
    try:
        return b"" if (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z" else (
            folder / "environ").read_bytes()  # fmt: skip
    except OSError:
        return b""


@contextmanager
def trainings(*prefixes: str, iterations: int) -> Iterator[list[Training]]:
    """Trainings that run while the block runs; whatever of them lives after it is killed."""
    started = [Training(prefix, iterations) for prefix in prefixes]
    try:
        yield started
    finally:
        for training in started:
            training.end()


def _signalled(prefix: str, draw: random.Random, number: int, to_rank: bool) -> None:
    with trainings(prefix, iterations=100_000) as (training,):
        training.wait_until_it_trains(draw.randrange(2, 40))
        time.sleep(draw.uniform(0, 0.5))
        target = draw.choice(training.ranks()) if to_rank else training.launcher.pid
        os.kill(target, number)
        status = training.wait_for_the_end()
        assert status != 0, "torchrun ended as if all were well"
        asked = not to_rank and number in (signal.SIGTERM, signal.SIGINT)
        stopped = "Optimization stopped early" in training.log.read_text(errors="replace")
        assert stopped or not asked, f"no last snapshot after signal {number}: {training.said()}"


def _two_at_once(prefix: str, draw: random.Random) -> None:
    with trainings(prefix, prefix, iterations=60) as (first, second):
        statuses = [first.wait_for_the_end(), second.wait_for_the_end()]
        assert 0 in statuses, f"no one trained: {first.said()}{second.said()}"
        for status, training in zip(statuses, (first, second), strict=True):
            whole = training.log.read_text(errors="replace")  # torchrun's own traceback comes after our line
            assert status == 0 or "writes" in whole, training.said()


WAYS: dict[str, Callable[[str, random.Random], None]] = {
    "SIGTERM to torchrun": lambda prefix, draw: _signalled(prefix, draw, signal.SIGTERM, to_rank=False),
    "SIGINT to torchrun": lambda prefix, draw: _signalled(prefix, draw, signal.SIGINT, to_rank=False),
    "SIGKILL to torchrun": lambda prefix, draw: _signalled(prefix, draw, signal.SIGKILL, to_rank=False),
    "SIGKILL to a process": lambda prefix, draw: _signalled(prefix, draw, signal.SIGKILL, to_rank=True),
    "SIGSTOP to a process": lambda prefix, draw: _signalled(prefix, draw, signal.SIGSTOP, to_rank=True),
    "two starts at once": _two_at_once,
}


def run_to_the_end(prefix: str) -> None:
    """Trains, from the newest snapshot where there is one, to iteration 40, and must succeed."""
    with trainings(prefix, iterations=40) as (training,):
        assert training.wait_for_the_end() == 0, training.said()


def attack(count: int, seed: int) -> int:
    """Disturbs so many trainings, each way in turn; returns how many."""
    draw = random.Random(seed)
    names = list(WAYS)
    for number in range(count):
        way, prefix = names[number % len(names)], f"p{number}"
        started = time.monotonic()
        WAYS[way](prefix, draw)
        newest = newest_whole_snapshot(prefix)
        left = list(Path().glob(f".{prefix}_iter_*.part"))
        assert newest is None or not left or "KILL" in way or "STOP" in way, f"{way} left {left}"
        print(f"{number + 1}: {way}: {newest or 'no snapshot yet'}, {time.monotonic() - started:.0f} s", flush=True)
        for file in [*Path().glob(f"{prefix}_*"), *Path().glob("*.log")]:
            file.unlink()
    return count


def compare(draw: random.Random) -> None:
    """A training that is killed twice and goes on ends with the bytes of one that nothing disturbed."""
    run_to_the_end("w")
    for _ in range(2):
        with trainings("k", iterations=40) as (training,):
            training.wait_until_it_trains(draw.randrange(4, 12))
            os.kill(draw.choice(training.ranks()), signal.SIGKILL)
            training.wait_for_the_end()
    run_to_the_end("k")
    for kind in ("caffemodel", "solverstate"):  # the sidecar also holds generators that nothing seeds
        undisturbed, killed = (Path(f"{prefix}_iter_40.{kind}").read_bytes() for prefix in "wk")
        assert undisturbed.replace(b"w_iter", b"k_iter") == killed, f"other bytes of the {kind} after kills"


def main() -> int:
    """Attacks in a new folder; AssertionError where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="attack_")
    os.chdir(folder)
    make_inputs(Path(folder))
    compare(random.Random(arguments.seed))
    done = attack(arguments.count, arguments.seed)
    os.chdir("/")
    shutil.rmtree(folder)
    print(f"{done} trainings disturbed: no process left, every snapshot whole, equal bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
