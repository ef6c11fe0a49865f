"""Refuses the Nth write of every command that writes a file, for every N, and files above a size, as a quota does.

    python -m tests.reliability.attack_outputs [--command NAME]

A command runs once on a good disk, then again over its own outputs while the disk fails: every older file must stay
whole, and the command's message must be one line. A database that a failed command began must not be left half. The
last line is `N failures injected into K commands: every older file whole, every message one line`.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import CaffeError
from caffe_compat.solvers import snapshot
from tests.reliability.attack_disk import failing_at, require_one_line, status_of_child
from tests.reliability.command_inputs import EVALUATE, VERIFY, command, make_command_inputs
from tests.reliability.inputs import make_inputs

#: Sizes in bytes above which the system refuses files.
LIMITS = (0, 1, 100, 1000, 4000, 20_000, 100_000)


class Writing(NamedTuple):
    """A command line, the files that it writes again at every run, and the new folders that it makes."""

    name: str
    arguments: tuple[str, ...]
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def converted(to: str, ending: str, *more: str, source: str = "s_iter_2.caffemodel", beside: str = "") -> Writing:
    """A conversion of weights or of a mean image."""
    out = f"converted{ending}"
    files = (out, f"{out}{beside}") if beside else (out,)
    return Writing(f"convert to {to}{ending}", ("convert", source, "--to", to, "--out", out, *more), files)


WRITINGS = (
    converted("safetensors", ".safetensors"),
    converted("torch", ".pt", beside=".json"),
    converted("hdf5", ".caffemodel.h5"),
    converted("caffemodel", ".caffemodel"),
    converted("onnx", ".onnx"),
    converted("prototxt", ".prototxt"),
    *(converted(to, ending, source="mean.binaryproto")
      for to, ending in (("npy", ".npy"), ("safetensors", ".mean.safetensors"), ("torch", ".mean.pt"))),
    converted("binaryproto", ".binaryproto", source="mean.npy"),
    Writing("convert --report", ("convert", "s_iter_2.caffemodel", "--to", "caffemodel", "--out", "reported.caffemodel",
            "--report", "report.json"), ("report.json", "reported.caffemodel")),
    Writing("upgrade_net_proto_text", ("upgrade_net_proto_text", "old.prototxt", "new.prototxt"), ("new.prototxt",)),
    Writing("upgrade_net_proto_binary", ("upgrade_net_proto_binary", "s_iter_2.caffemodel", "new.caffemodel"),
            ("new.caffemodel",)),
    Writing("compute_image_mean", ("compute_image_mean", "db", "new.binaryproto"), ("new.binaryproto",)),
    Writing("convert_imageset", ("convert_imageset", "./", "list.txt", "new_db"), folders=("new_db",)),
    Writing("convert_imageset, leveldb", ("convert_imageset", "--backend=leveldb", "./", "list.txt", "new_level"),
            folders=("new_level",)),
    Writing("create-label-lmdb", ("create-label-lmdb", "own_labels.txt", "own.txt", "new_labels"),
            folders=("new_labels",)),
    Writing("extract_features", ("extract_features", "s_iter_2.caffemodel", "list.prototxt", "y", "new_features", "2",
            "lmdb"), folders=("new_features",)),
    Writing("predict, text", ("predict", "./", "list.txt", "deploy.prototxt", "s_iter_2.caffemodel", "predicted.txt",
            "--quiet"), ("predicted.txt",)),
    Writing("predict, npy", ("predict", "./", "list.txt", "deploy.prototxt", "s_iter_2.caffemodel", "predicted.npy",
            "--quiet"), ("predicted.npy",)),
    Writing("evaluate", (*EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt", "--json", "e.json",
            "--csv", "e.csv", "--latex", "e.tex", "--png", "e.png"), ("e.json", "e.csv", "e.tex", "e.png")),
    Writing("parse-log", ("parse-log", "train.log", "tables"), ("tables/train.log.train", "tables/train.log.test")),
    Writing("plot-log", ("plot-log", "6", "plotted.png", "train.log"), ("plotted.png",)),
    Writing("view", ("view", "deploy.prototxt", "--out", "view.html"), ("view.html",)),
    Writing("summary", ("summary", "deploy.prototxt", "--json", "summary.json"), ("summary.json",)),
    Writing("verify", (*VERIFY, "exact", "--json", "v.json", "--html", "v.html"), ("v.json", "v.html")),
    Writing("generate", ("generate", "--model", "resnet101_srn", "--dataset", "coco", "--depth", "26", "--width", "8",
            "--step", "1", "--out", "generated"), ("generated/step_1_resnet101_solver.prototxt",)),
    Writing("prepare", ("prepare", "own", "--train", "own.csv", "--out", "new_data", "--workers", "1", "--quiet"),
            folders=("new_data",)),
    Writing("test --json", ("test", "--model=list.prototxt", "--weights=s_iter_2.caffemodel", "--iterations=1",
            "--json=test.json"), ("test.json",)),
    Writing("train --watch", ("train", "--solver=list_solver.prototxt", "--watch=watch", "--quiet"),
            ("watch/report.html",)),
)  # fmt: skip


def attempt(writing: Writing) -> bool:
    """Runs the command; returns whether it succeeded. AssertionError for a message that is no short line."""
    for folder in writing.folders:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        command(*writing.arguments)
    except (CaffeError, OSError) as error:
        require_one_line(str(error))
        return False
    return True


def contents(writing: Writing) -> dict[str, bytes]:
    """The bytes of the files that the command wrote."""
    return {file: Path(file).read_bytes() for file in writing.files}


def require_whole(writing: Writing, good: dict[str, bytes], succeeded: bool) -> None:
    """AssertionError where a file is neither the older nor a whole new one, or where something is left over."""
    for file, content in contents(writing).items():
        if content != good[file]:  # reports hold the time at which they were made
            assert file.endswith((".json", ".html")), f"{writing.name}: {file} has other bytes"
            assert len(content) > 0.9 * len(good[file]), f"{writing.name}: {file} is cut"
            if file.endswith(".json"):
                json.loads(content)
    for folder in writing.folders:
        assert succeeded or not list(Path(folder).glob("*")), f"{writing.name}: a failure left a part of {folder}"
    left = [str(path) for path in Path().rglob(".*") if path.name.endswith((".part", ".trial", ".tempfile"))]
    assert not left, f"{writing.name}: left {left}"


def inject_calls(writing: Writing, good: dict[str, bytes]) -> int:
    """The Nth call that changes the disk fails, for every N; returns how many failed."""
    number = 1
    while True:
        with failing_at(number) as has_failed:
            succeeded = attempt(writing)
        if not has_failed():
            return number - 1
        require_whole(writing, good, succeeded)
        number += 1


def inject_sizes(writing: Writing, good: dict[str, bytes]) -> int:
    """The system itself refuses files above a size, which libraries in C meet as well; returns how often it did."""
    failures = 0
    for limit in LIMITS:
        status = status_of_child(partial(_attempt_within, writing, limit))
        assert status in (0, 3), f"{writing.name}, files of at most {limit} bytes: status {status}"
        require_whole(writing, good, succeeded=status == 0)
        failures += status == 3
    return failures


def _attempt_within(writing: Writing, limit: int) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return 0 if attempt(writing) else 3


def attack(writing: Writing, inject: Callable[[Writing, dict[str, bytes]], int]) -> int:
    """Fails one command in every way of `inject`; returns the number of failures."""
    assert attempt(writing), writing.name
    return inject(writing, contents(writing))


def main() -> int:
    """Attacks in a new folder; returns 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", help="one command only")
    chosen = [each for each in WRITINGS if parser.parse_args().command in (None, each.name)]
    folder = tempfile.mkdtemp(prefix="attack_")
    os.chdir(folder)
    make_inputs(Path(folder))
    make_command_inputs()
    snapshot.WAIT_SECONDS = 0.0  # a training that can write nowhere would try again for half an hour
    failures = wrong = 0
    for writing in chosen:
        for inject in (inject_calls, inject_sizes):
            try:
                failures += attack(writing, inject)
            except AssertionError as error:
                wrong += 1
                print(f"{writing.name}: {error}", flush=True)
    shutil.rmtree(folder)
    print(f"{failures} failures injected into {len(chosen)} commands: " + (
        f"{wrong} commands lost something" if wrong else "every older file whole, every message one line"))  # fmt: skip
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
