"""Reads thousands of damaged inputs: each must end in success or in one clear line, in seconds and in little memory.

    python -m tests.reliability.attack_inputs --count 10000 --seed 1 [--kind lmdb] [--keep FOLDER]

The last line is `N inputs of K kinds: A read, B refused, 0 surprises`; the exit status is 1 with surprises.
"""

import argparse
import collections
import logging
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, NamedTuple

from caffe_compat.errors import CaffeError, for_a_terminal
from tests.reliability.command_inputs import COMMAND_KINDS, make_command_inputs
from tests.reliability.damage import damaged
from tests.reliability.inputs import KINDS, Kind, make_inputs

#: Limits of one input: seconds of the processor, bytes of memory beyond what the process had, characters of a message.
SECONDS, BYTES, CHARACTERS = 10.0, 2**30, 800
#: A prototxt's message has a line for each unknown word.
LINES = 10
#: Seconds of the clock after which a process hangs; other work may hold the processor in the meantime.
PATIENCE = 300.0
ALL_KINDS = (*KINDS, *COMMAND_KINDS)
#: Inputs of one process, so that what one leaves behind cannot hide what the next does.
_PER_PROCESS = 150


class Outcome(NamedTuple):
    """How one input ended: read, refused, or a surprise with its words."""

    kind: str
    number: int
    verdict: str
    words: str


def outcome(kind: Kind, number: int) -> Outcome:
    """Uses the input in the current folder."""
    before, started = _start_of_peak(), time.process_time()
    try:
        kind.use()
        verdict, words = "read", ""
    except (CaffeError, OSError) as error:
        verdict, words = "refused", for_a_terminal(str(error))
        lines = words.split("\n")
        if len(lines) > LINES or len(words) > CHARACTERS or not all(map(str.isprintable, lines)):
            verdict = "surprise: a message that is long or no text"
    except BaseException as error:
        verdict, words = f"surprise: {type(error).__name__}", str(error)
    taken = _peak() - before
    if taken > BYTES:
        verdict = f"surprise: {taken >> 20} MiB"
    if time.process_time() - started > SECONDS:
        verdict = f"surprise: {time.process_time() - started:.0f} s"
    return Outcome(kind.name, number, verdict, words)


def _start_of_peak() -> int:
    """Forgets the largest memory so far, which an earlier input took; returns the memory of this moment in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The largest memory of this process since `_start_of_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _prepare(folder: Path) -> None:
    os.chdir(folder)
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libjpeg writes there itself


def write_damaged(kind: Kind, number: int, seed: int, folder: Path) -> bytes:
    """Puts the damaged file of this number in place; returns what stood there."""
    draw = random.Random(f"{seed} {kind.name} {number}")
    path = folder / kind.file
    good = path.read_bytes()
    path.write_bytes(damaged(good, draw))
    return good


def _work(numbers: range, seed: int, kinds: tuple[Kind, ...], folder: Path, results: Connection) -> None:
    _prepare(folder)
    for number in numbers:
        kind = kinds[number % len(kinds)]
        good = write_damaged(kind, number, seed, folder)
        results.send(number)
        result = outcome(kind, number)
        (folder / kind.file).write_bytes(good)
        results.send(result)
    results.send(None)


def attack(count: int, seed: int, kinds: tuple[Kind, ...], folder: Path) -> Iterator[Outcome]:
    """The outcome of every input; a process that hangs or dies is one, too."""
    context = multiprocessing.get_context("fork")
    first = 0
    while first < count:
        ours, theirs = context.Pipe(duplex=False)
        numbers = range(first, min(count, first + _PER_PROCESS))
        process = context.Process(target=_work, args=(numbers, seed, kinds, _fresh(folder), theirs))
        process.start()
        theirs.close()
        first = numbers.stop
        for result in _results(ours, process, kinds):
            yield result
            if result.verdict.startswith("surprise: the process"):
                first = result.number + 1
        process.join()


def _fresh(folder: Path) -> Path:
    """A copy of the good inputs."""
    copy = folder.with_name("work")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def _results(ours: Connection, process: ForkProcess, kinds: tuple[Kind, ...]) -> Iterator[Outcome]:
    number = 0
    while True:
        try:
            message: Any = ours.recv() if ours.poll(PATIENCE) else "hang"
        except EOFError:
            process.join()
            yield Outcome(
                kinds[number % len(kinds)].name, number, f"surprise: the process died ({process.exitcode})", ""
            )
            return
        if message == "hang":
            process.kill()
            yield Outcome(kinds[number % len(kinds)].name, number, f"surprise: the process hung {PATIENCE:g} s", "")
            return
        if message is None:
            return
        if isinstance(message, int):
            number = message
        else:
            yield message


def make_folder() -> Path:
    """A new folder with the good inputs, made by a process of its own, whose threads no later process inherits."""
    folder = Path(tempfile.mkdtemp(prefix="attack_")) / "good"
    folder.mkdir()
    maker = multiprocessing.get_context("fork").Process(target=_make, args=(folder,))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise RuntimeError("the good inputs cannot be made; see above")
    return folder


def _make(folder: Path) -> None:
    os.chdir(folder)
    make_inputs(folder.with_name("work"))
    make_command_inputs()


def main() -> int:
    """Attacks, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="one kind only")
    arguments = parser.parse_args()
    kinds = tuple(kind for kind in ALL_KINDS if arguments.kind in (None, kind.name))
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
    folder = make_folder()
    verdicts: collections.Counter[tuple[str, str]] = collections.Counter()
    for result in attack(arguments.count, arguments.seed, kinds, folder):
        verdicts[result.kind, result.verdict.partition(":")[0]] += 1
        if result.verdict.startswith("surprise"):
            print(f"{result.kind} {result.number}: {result.verdict}: {result.words[:300]!r}", flush=True)
    for kind in kinds:
        print(f"{kind.name:20}", *(f"{verdicts[kind.name, word]:6} {word}" for word in ("read", "refused", "surprise")))
    total = {
        word: sum(n for (_, verdict), n in verdicts.items() if verdict == word)
        for word in ("read", "refused", "surprise")
    }
    print(f"{sum(total.values())} inputs of {len(kinds)} kinds: {total['read']} read, {total['refused']} refused, "
          f"{total['surprise']} surprises")  # fmt: skip
    shutil.rmtree(folder.parent, ignore_errors=True)
    return int(total["surprise"] > 0)


if __name__ == "__main__":
    sys.exit(main())
