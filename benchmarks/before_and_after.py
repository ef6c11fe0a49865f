"""Does this tree run as fast as another commit? Times the calls that users wait for, in both trees by turns.

    git worktree add ../before COMMIT
    python benchmarks/before_and_after.py ../before [--rounds 15] [--json FILE]

One process per side holds its nets; a round times each call once on each side. A ratio is the median of the ratios
within a round, this tree over the other: below 1 is faster. Seconds are of the processor, over all threads of the
process, so that other programs on the machine disturb little. Torch uses one thread. Importing is timed in new
processes. All nets and files are written once, by this tree.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(2, str(Path(__file__).resolve().parents[1]))  # after PYTHONPATH, which names a side's tree

import numpy as np
import torch

import caffe_compat

HERE = Path(__file__).resolve().parents[1]
CALLS = {
    "Net(...) of ResNet-101-SRN": "build",
    "its forward, training form": "forward",
    "a step of the small SRN": "step",
    "load a .caffemodel": "load",
    "Net(...) with weights": "weights",
    "40 batches from LMDB": "records",
}


def side(folder: Path) -> None:
    """Serves calls in a process of one tree: reads names from stdin, writes the seconds of each call."""
    torch.set_num_threads(1)
    run = calls(folder)
    for line in sys.stdin:
        before = time.process_time()
        run[line.strip()]()
        print(f"{time.process_time() - before:.6f}", flush=True)


def calls(folder: Path) -> dict[str, Callable[[], object]]:
    """The calls by name, with what they need already made; every name and file is the same in both trees."""
    large, small = str(folder / "large.prototxt"), str(folder / "solver.prototxt")
    deploy, weights = str(folder / "deploy.prototxt"), str(folder / "w.caffemodel")
    net = caffe_compat.Net(large, caffe_compat.TRAIN)
    solver = caffe_compat.SGDSolver(small)
    solver.step(1)
    records = caffe_compat.Net(str(folder / "records.prototxt"), caffe_compat.TRAIN)
    return {
        "build": lambda: caffe_compat.Net(large, caffe_compat.TRAIN),
        "forward": net.forward,
        "step": lambda: solver.step(1),
        "load": lambda: caffe_compat.load(weights),
        "weights": lambda: caffe_compat.Net(deploy, caffe_compat.TEST, weights=weights),
        "records": lambda: [records.forward() for _ in range(40)],
    }


def write_files(folder: Path) -> None:
    """Writes the nets, with Inputs in the place of their data layers, the weights and a database of images."""
    from caffe_compat.proto import caffe_pb2
    from caffe_compat.proto.read import read_net
    from caffe_compat.proto.write import write_text
    from prototxt_gen import generate

    def with_inputs(net: caffe_pb2.NetParameter, *shapes: tuple[int, ...]) -> caffe_pb2.NetParameter:
        data = caffe_pb2.LayerParameter(name="data", type="Input", top=["data", "label"])
        for shape in shapes:
            data.input_param.shape.add(dim=shape)
        layers = [data, *(layer for layer in net.layer if layer.type != "Data")]
        del net.layer[:]
        net.layer.extend(layers)
        return net

    models = HERE / "models" / "coco" / "resnet101_srn"
    large = read_net(str(models / "step_4_resnet101_srn_finetune_trainval.prototxt"))
    write_text(folder / "large.prototxt", with_inputs(large, (1, 3, 224, 224), (1, 80, 1, 1)))
    deploy = models / "coco_resnet101_srn_test.prototxt"
    (folder / "deploy.prototxt").write_bytes(deploy.read_bytes())
    caffe_compat.Net(str(deploy), caffe_compat.TEST).save(str(folder / "w.caffemodel"))
    made = generate(model="resnet101_srn", labels=10, depth=26, width=16, input_size=96)
    small = made["step_4_resnet101_srn_finetune_trainval.prototxt"]
    write_text(folder / "small.prototxt", with_inputs(small, (16, 3, 96, 96), (16, 10, 1, 1)))
    (folder / "solver.prototxt").write_text(
        f'net: "{folder}/small.prototxt" base_lr: 1e-6 lr_policy: "fixed" max_iter: 1000000 momentum: 0.9 '
        f'weight_decay: 0.0005 snapshot_prefix: "{folder}/s" solver_mode: CPU display: 0\n'
    )
    write_records(folder)


def write_records(folder: Path) -> None:
    """Writes a database of 128 images of noise, and the prototxt that crops and mirrors them."""
    from caffe_compat.data.lmdb_writer import LmdbWriter

    random = np.random.default_rng(1)
    with LmdbWriter(str(folder / "records")) as database:
        for number in range(128):
            datum = caffe_compat.io.array_to_datum(random.integers(0, 255, (3, 128, 128), np.uint8), number % 10)
            database.put(f"{number:08d}".encode(), datum)
    (folder / "records.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{folder}/records" batch_size: 16 backend: LMDB }} '
        "transform_param { crop_size: 112 mirror: true mean_value: 104 scale: 0.5 } }\n"
    )


def start(tree: Path, folder: Path) -> "subprocess.Popen[str]":
    """Starts the process of one tree."""
    command = [sys.executable, str(Path(__file__).resolve()), "--side", str(folder)]
    # Logs of solvers go to stderr; they are no part of the figures.
    return subprocess.Popen(
        command, env=environment(tree), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def environment(tree: Path) -> dict[str, str]:
    """The environment in which `caffe_compat` is that of a tree."""
    return {**os.environ, "PYTHONPATH": str(tree.resolve()), "OMP_NUM_THREADS": "1"}


def call(process: "subprocess.Popen[str]", name: str) -> float:
    """Returns the seconds of one call in a process."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("expected a process with both pipes")
    process.stdin.write(name + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def importing(tree: Path) -> float:
    """Returns the seconds of the processor that a new process takes to import pycaffe's Net."""
    program = "import caffe_compat; caffe_compat.Net; import time; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", program], env=environment(tree), capture_output=True, check=True)
    return float(done.stdout)


def take_turns(before: Path, rounds: int, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Returns for each call the seconds (before, after) in each round; each side begins every other round."""
    write_files(folder)
    sides = [(before, start(before, folder)), (HERE, start(HERE, folder))]
    seconds: dict[str, list[tuple[float, float]]] = {"import, in a new process": [], **{name: [] for name in CALLS}}
    for turn in range(-1, rounds):  # the first round does not count
        order = sides if turn % 2 else sides[::-1]
        for name in seconds:
            found = {tree: call(process, CALLS[name]) if name in CALLS else importing(tree) for tree, process in order}
            if turn >= 0:
                seconds[name].append((found[before], found[HERE]))
    for _, process in sides:
        process.kill()
        process.wait()
    return seconds


def main() -> None:
    """Prints the table; with --json, writes it beside the machine and the settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path, nargs="?", help="a work tree of the other commit")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side is not None:
        side(arguments.side)
        return
    from benchmarks.measure import machine

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = take_turns(arguments.before, arguments.rounds, Path(folder))
    rows = {
        name: {
            "before": statistics.median(one for one, _ in pairs),
            "after": statistics.median(other for _, other in pairs),
            "ratio": statistics.median(other / one for one, other in pairs),
        }
        for name, pairs in seconds.items()
    }
    print(f"{'seconds of the processor':30s}{'before':>10s}{'after':>10s}{'ratio':>8s}")
    for name, row in rows.items():
        print(f"{name:30s}{row['before']:10.4f}{row['after']:10.4f}{row['ratio']:8.2f}")
    if arguments.json is not None:
        settings = {"before": commit_of(arguments.before), "after": commit_of(HERE), "rounds": arguments.rounds}
        arguments.json.write_text(
            json.dumps({"calls": rows, "settings": settings, "machine": machine()}, indent=1) + "\n"
        )


def commit_of(tree: Path) -> str:
    """Returns the short name of a tree's commit."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=tree, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
