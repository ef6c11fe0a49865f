"""How long does a .caffemodel of ResNet-101 (171 MB) take to load, in how much memory? Against OpenCV's importer.

    python benchmarks/load_weights.py [--rounds 15] [--json FILE]

Both read the file, connect the layers and hold the weights: cv2.dnn.readNetFromCaffe and caffe_compat.load. OpenCV
leaves making the layers to the first run; so what reading and copying alone take is timed, too, and the first output
for one image. They take turns in every
round, after one that does not count, and figures are medians over rounds (ratios: of the ratios within a round), so
that other load on the machine falls on both alike. Seconds are of the processor (over all threads), and of the clock.
"In a new process" is the same in processes that have loaded nothing large before, in turns as well. Memory is what such
a process holds more after loading (RssAnon of /proc/self/status: pages that are not the
file's, which the system may drop).
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import caffe_compat
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.proto.read import read_weights

ROOT = Path(__file__).resolve().parents[1]
PROTOTXT = ROOT / "models" / "coco" / "resnet101" / "coco_resnet101_test.prototxt"
IMAGE = np.random.default_rng(1).normal(0, 50, (1, 3, 224, 224)).astype(np.float32)


def opencv(weights: Path) -> Any:
    """The importer."""
    return cv2.dnn.readNetFromCaffe(str(PROTOTXT), str(weights))


def opencv_output(weights: Path) -> Any:
    """The importer and the scores of one image."""
    net = opencv(weights)
    net.setInput(IMAGE)
    return net.forward()


def ours(weights: Path) -> Any:
    """Our loader."""
    return caffe_compat.load(str(weights))


def our_output(weights: Path) -> Any:
    """Our loader and the scores of one image."""
    with torch.no_grad():
        return ours(weights)(torch.from_numpy(IMAGE))


def our_face(weights: Path) -> Any:
    """The line of pycaffe's scripts."""
    return caffe_compat.Net(str(PROTOTXT), str(weights), caffe_compat.TEST)


@cache
def standing_net() -> Net:
    """A net that stands before any weights are read."""
    return load_net(str(PROTOTXT), "TEST")


def read_and_copy(weights: Path) -> Any:
    """Reading the weights and copying them into a net that stands, as `net.copy_from` does."""
    return standing_net().copy_layers(read_weights(weights).layers, str(weights))


#: What is timed, by question and by who does it.
QUESTIONS: dict[str, dict[str, Callable[[Path], Any]]] = {
    "load": {
        "OpenCV": opencv,
        "caffe_compat": ours,
        "caffe_compat.Net": our_face,
        "caffe_compat, into a net": read_and_copy,
    },
    "load, first output": {"OpenCV": opencv_output, "caffe_compat": our_output},
}
CLOCKS = {"processor": time.process_time, "clock": time.perf_counter}


def write_weights(path: Path) -> None:
    """The deploy net with weights from its fillers and statistics that any importer takes."""
    net = load_net(str(PROTOTXT), "TEST")
    for step in net.steps:
        if step.layer.spec.type == "BatchNorm":
            for blob in step.layer.blobs[1:]:
                blob.data.fill_(1.0)
    net.save(str(path))


def measure(weights: Path, rounds: int) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Seconds by each clock for every question, contender and round."""
    seconds: dict[tuple[str, str], list[dict[str, float]]] = {}
    for turn in range(rounds + 1):
        for question, contenders in QUESTIONS.items():
            for name, run in contenders.items():
                starts = {clock: now() for clock, now in CLOCKS.items()}
                result = run(weights)
                taken = {clock: now() - starts[clock] for clock, now in CLOCKS.items()}
                del result
                if turn:
                    seconds.setdefault((question, name), []).append(taken)
    return seconds


def anonymous_memory() -> int:
    """Bytes of this process that are in no file."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def grown(name: str, weights: Path) -> dict[str, float]:
    """What loading takes of this process, with the loader in use before: seconds by each clock, bytes that it holds."""
    if name == "OpenCV":
        cv2.dnn.readNetFromCaffe(str(PROTOTXT))
    else:
        ours(ROOT / "tests" / "goldens" / "srn_fork" / "released_like" / "weights.caffemodel")
    memory = anonymous_memory()
    starts = {clock: now() for clock, now in CLOCKS.items()}
    loaded = QUESTIONS["load"][name](weights)
    taken = {clock: now() - starts[clock] for clock, now in CLOCKS.items()}
    taken["bytes"] = anonymous_memory() - memory
    del loaded
    return taken


def fresh(weights: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """`grown` in fresh processes, in turns: what a program meets that loads one model, in memory new to it."""
    found: dict[str, list[dict[str, float]]] = {"OpenCV": [], "caffe_compat": [], "caffe_compat.Net": []}
    for _ in range(rounds):
        for name, results in found.items():
            command = [sys.executable, __file__, "--grown", name, str(weights)]
            results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return found


def report(seconds: dict[tuple[str, str], list[dict[str, float]]], weights: Path, rounds: int) -> dict[str, Any]:
    """Medians, ratios to OpenCV, and memory as a part of the file's size."""
    alone = fresh(weights, rounds)
    seconds = seconds | {("load, in a new process", name): results for name, results in alone.items()}
    rows = {}
    for (question, name), rounds in seconds.items():
        reference = seconds[question, "OpenCV"]
        row = rows[f"{name}: {question}"] = {}
        for clock in CLOCKS:
            row[f"{clock} s"] = round(statistics.median(one[clock] for one in rounds), 3)
            ratios = [mine[clock] / theirs[clock] for mine, theirs in zip(rounds, reference, strict=True)]
            row[f"{clock} ratio"] = round(statistics.median(ratios), 2)
    size = weights.stat().st_size
    held = {name: round(statistics.median(one["bytes"] for one in alone[name]) / size, 2) for name in alone}
    versions = {"python": platform.python_version(), "cv2": cv2.__version__, "torch": torch.__version__}
    machine = {"processor": platform.machine(), "threads": torch.get_num_threads(), **versions}
    return {"machine": machine, "file MB": round(size / 1e6), "seconds": rows, "memory / file": held}


def print_table(result: dict[str, Any]) -> None:
    """Prints what `report` made."""
    print(f"{result['machine']}, a file of {result['file MB']} MB")
    rows = result["seconds"]
    columns = list(next(iter(rows.values())))
    print(f"{'':40s}" + "".join(f"{column:>18s}" for column in columns))
    for name, row in rows.items():
        print(f"{name:40s}" + "".join(f"{row[column]:18.3g}" for column in columns))
    print(f"memory held after loading, of the file's size: {result['memory / file']}")


def main() -> None:
    """Writes the weights, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--grown", nargs=2, metavar=("LOADER", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if arguments.grown:
        print(json.dumps(grown(arguments.grown[0], Path(arguments.grown[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "resnet101.caffemodel"
        write_weights(weights)
        result = report(measure(weights, arguments.rounds), weights, arguments.rounds)
    print_table(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
