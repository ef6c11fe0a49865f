"""How long does a .caffemodel of ResNet-101 (171 MB) take to load, in how much memory? Against OpenCV's importer.

    python benchmarks/load_weights.py [--rounds 15] [--json FILE]

Both read the file, connect the layers and hold the weights, ready to run: cv2.dnn.readNetFromCaffe and
caffe_compat.load. They take turns in every round, after one that does not count, and figures are medians over rounds
(ratios: of the ratios within a round), so that other load on the machine falls on both alike. Seconds are of the
processor (over all threads), and of the clock. Memory is what a process of its own holds more after loading
(RssAnon of /proc/self/status: pages that are not the file's, which the system may drop).
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
from pathlib import Path
from typing import Any

import cv2
import torch

import caffe_compat
from caffe_compat.net.build import load_net

ROOT = Path(__file__).resolve().parents[1]
PROTOTXT = ROOT / "models" / "coco" / "resnet101" / "coco_resnet101_test.prototxt"
LOADERS: dict[str, Callable[[Path], object]] = {
    "OpenCV": lambda weights: cv2.dnn.readNetFromCaffe(str(PROTOTXT), str(weights)),
    "caffe_compat.load": lambda weights: caffe_compat.load(str(weights)),
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


def measure(weights: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by clock, loader and round."""
    seconds: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in LOADERS} for clock in CLOCKS}
    for turn in range(rounds + 1):
        for name, load in LOADERS.items():
            starts = {clock: now() for clock, now in CLOCKS.items()}
            loaded = load(weights)
            taken = {clock: now() - starts[clock] for clock, now in CLOCKS.items()}
            del loaded
            if turn:
                for clock, value in taken.items():
                    seconds[clock][name].append(value)
    return seconds


def anonymous_memory() -> int:
    """Bytes of this process that are in no file."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def grown(name: str, weights: Path) -> int:
    """Bytes that a process of its own holds more after loading, with the loader's modules in use before."""
    small = ROOT / "tests" / "goldens" / "srn_fork" / "released_like" / "weights.caffemodel"
    if name == "caffe_compat.load":
        LOADERS[name](small)
    before = anonymous_memory()
    loaded = LOADERS[name](weights)
    after = anonymous_memory()
    del loaded
    return after - before


def memory(name: str, weights: Path) -> int:
    """`grown`, in a fresh process."""
    command = [sys.executable, __file__, "--grown", name, str(weights)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report(seconds: dict[str, dict[str, list[float]]], weights: Path) -> dict[str, Any]:
    """Medians, ratios to OpenCV, and memory as a part of the file's size."""
    size = weights.stat().st_size
    rows: dict[str, dict[str, float]] = {name: {} for name in LOADERS}
    for clock, by_name in seconds.items():
        for name, own in by_name.items():
            ratios = [mine / theirs for mine, theirs in zip(own, by_name["OpenCV"], strict=True)]
            rows[name][f"{clock} s"] = round(statistics.median(own), 3)
            rows[name][f"{clock} ratio"] = round(statistics.median(ratios), 2)
    for name, row in rows.items():
        row["memory / file"] = round(memory(name, weights) / size, 2)
    versions = {"python": platform.python_version(), "cv2": cv2.__version__, "torch": torch.__version__}
    return {"machine": {"processor": platform.machine(), **versions}, "file MB": round(size / 1e6), "loaders": rows}


def print_table(result: dict[str, Any]) -> None:
    """Prints what `report` made."""
    print(f"{result['machine']}, a file of {result['file MB']} MB")
    columns = list(result["loaders"]["OpenCV"])
    print(f"{'':20s}" + "".join(f"{column:>18s}" for column in columns))
    for name, row in result["loaders"].items():
        print(f"{name:20s}" + "".join(f"{row[column]:18.3g}" for column in columns))


def main() -> None:
    """Writes the weights, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--grown", nargs=2, metavar=("LOADER", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.grown:
        print(grown(arguments.grown[0], Path(arguments.grown[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "resnet101.caffemodel"
        write_weights(weights)
        result = report(measure(weights, arguments.rounds), weights)
    print_table(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
