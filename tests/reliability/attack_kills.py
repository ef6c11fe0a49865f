"""Kills trainings at random moments, inside snapshots too, and resumes them: the end must have the same bytes.

    python -m tests.reliability.attack_kills --count 150 --inside 50 --seed 1

A child trains with `--snapshot=auto`. A kill inside a snapshot comes at the Nth call of the system that makes a file,
flushes it or renames it; the other kills come after a random time. The last line is `N kills, M inside a snapshot: all
resumed, equal bytes`; the exit status is 1 otherwise.
"""

import argparse
import json
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from caffe_compat.net.settings import Surroundings
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.run_training import AUTO, Wishes, run_training
from tests.reliability.inputs import make_inputs

#: The calls of a snapshot at which a process can be killed.
CALLS = ("replace", "fsync", "open")
ITERATIONS, INTERVAL = 40, 3


def train(prefix: str, iterations: int = ITERATIONS, keep: int = 0) -> None:
    """Trains to the end, from the newest whole snapshot where there is one."""
    parameter = read_solver("list_solver.prototxt")
    parameter.snapshot_prefix, parameter.max_iter, parameter.snapshot, parameter.display = (
        prefix,
        iterations,
        INTERVAL,
        0,
    )
    run_training(parameter, Surroundings(), Wishes("exact", AUTO, keep=keep))


def kill_at_call(number: int) -> None:
    """Ends this process at the Nth of CALLS, before or after it."""
    left, before = number // 2, number % 2 == 0

    def counted(name: str) -> Callable[..., object]:
        call = getattr(os, name)

        def killing(*arguments: object, **keywords: object) -> object:
            nonlocal left
            left -= 1
            if left == 0 and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **keywords)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return killing

    for name in CALLS:
        setattr(os, name, counted(name))


def train_until_call(number: int, prefix: str) -> None:
    """Trains, and dies at the Nth of CALLS."""
    kill_at_call(number)
    train(prefix)


def run_child(work: Callable[[], None], limit: float | None = None) -> int:
    """Runs `work` in a child; kills it after `limit` seconds; returns its status as the system gives it."""
    child = os.fork()
    if not child:
        try:
            logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
            work()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    if limit is not None:
        time.sleep(limit)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def killed_often(prefix: str, kills: int, inside: int, draw: random.Random, seconds: float) -> tuple[int, int]:
    """Kills and resumes a training until it is done; returns how many kills were made, and how many inside."""
    done = done_inside = 0
    while done < kills:
        is_inside = done_inside < inside and draw.random() < 0.7
        if is_inside:
            number = draw.randrange(2, 60)
            status = run_child(partial(train_until_call, number, prefix))
        else:
            status = run_child(lambda: train(prefix), draw.uniform(0.02, seconds))
        if status == signal.SIGKILL:
            done, done_inside = done + 1, done_inside + is_inside
        elif status == 0:
            break
        else:
            raise AssertionError(f"a resumed training failed with status {status}")
    return done, done_inside


def equal(one: str, other: str) -> bool:
    """Whether the last snapshots of two prefixes have the same bytes, but for their names.

    The generator of Python's `random` is not seeded by a solver, so it differs between any two runs.
    """
    names = [f"_iter_{ITERATIONS}.{kind}" for kind in ("caffemodel", "solverstate", "resume.json")]
    files = [
        [Path(prefix + name).read_bytes().replace(f"{prefix}_iter".encode(), b"?") for name in names]
        for prefix in (one, other)
    ]
    sidecars = [json.loads(contents.pop()) for contents in files]
    for sidecar in sidecars:
        del sidecar["solver"]
        for process in sidecar["processes"]:
            del process["random"]["python"]
    return files[0] == files[1] and sidecars[0] == sidecars[1]


def attack(count: int, inside: int, seed: int) -> tuple[int, int]:
    """Kills until the numbers are reached, over as many trainings as it takes; AssertionError for other bytes."""
    draw = random.Random(seed)
    started = time.perf_counter()
    assert run_child(lambda: train("w")) == 0
    seconds = time.perf_counter() - started
    done = done_inside = run = 0
    while done < count or done_inside < inside:
        run += 1
        prefix = chr(ord("a") + run % 20)
        for file in Path().glob(f"*{prefix}_iter_*"):
            file.unlink()
        kills, more_inside = killed_often(prefix, 12, inside - done_inside, draw, seconds)
        assert run_child(partial(train, prefix)) == 0, "the last resume failed"
        assert equal("w", prefix), f"run {run} ended with other bytes"
        assert not list(Path().glob(f".{prefix}_iter_*.part")), "an unfinished file was left"
        done, done_inside = done + kills, done_inside + more_inside
    return done, done_inside


def main() -> int:
    """Attacks; returns 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--inside", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
    folder = tempfile.mkdtemp(prefix="attack_")
    os.chdir(folder)
    make_inputs(Path(folder))
    kills, inside = attack(arguments.count, arguments.inside, arguments.seed)
    shutil.rmtree(folder)
    print(f"{kills} kills, {inside} inside a snapshot: all resumed, equal bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
