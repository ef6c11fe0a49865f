"""How long does a forward of ResNet-101 take in a Caffe built from BVLC's sources, and how long here?

    python benchmarks/real_caffe.py CAFFE [--depth 101] [--threads 1] [--iterations 5] [--rounds 5] [--json FILE]

CAFFE is the program that BVLC's build makes (build/tools/caffe, CPU_ONLY). Both `time` commands run the same prototxt
and report the mean of their own forwards, layer by layer; `Net.forward()` is the face of pycaffe. All take turns.
BVLC's program is not part of this repository.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import report
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from prototxt_gen import generate

FORWARD = re.compile(r"Average Forward pass: ([0-9.e+-]+) ms")
OURS = [sys.executable, "-m", "caffe_compat"]
NET_FORWARD = """
import statistics, sys, time
import caffe_compat
net = caffe_compat.Net(sys.argv[1], caffe_compat.TEST)
net.forward()
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    net.forward()
    times.append(time.perf_counter() - start)
print(f"Average Forward pass: {1e3 * statistics.mean(times)} ms")
"""


def deploy_net(depth: int, folder: Path) -> Path:
    """The generated test net of a plain ResNet, as a file that both programs read."""
    files = generate(model="resnet101", labels=80, depth=depth, step="test")
    (net,) = (message for message in files.values() if isinstance(message, caffe_pb2.NetParameter))
    path = folder / "deploy.prototxt"
    write_text(path, net)
    return path


def forward_seconds(command: list[str], threads: int) -> float:
    """The seconds of a forward that a program reports."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | dict.fromkeys(names, str(threads)) | {"PYTHONPATH": root}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = FORWARD.search(done.stdout + done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"{command[0]}: expected a line 'Average Forward pass', got\n{done.stdout}{done.stderr}")
    return float(found[1]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caffe", type=Path)
    for name, default in (("depth", 101), ("threads", 1), ("iterations", 5), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        net = str(deploy_net(arguments.depth, Path(folder)))
        timing = ["time", "-model", net, "-phase", "TEST", "-iterations", str(arguments.iterations)]
        commands = {
            "caffe time, BVLC": [str(arguments.caffe), *timing],
            "caffe-compat time": [*OURS, *timing],
            "caffe-compat time --engine fast": [*OURS, *timing, "-engine", "fast"],
            "Net.forward()": [sys.executable, "-c", NET_FORWARD, net, str(arguments.iterations)],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                seconds[name].append(forward_seconds(command, arguments.threads))
    settings = {name: value for name, value in vars(arguments).items() if name not in ("json", "caffe")}
    report("a forward of ResNet-101 beside BVLC's Caffe", seconds, "caffe time, BVLC", arguments.json, **settings)


if __name__ == "__main__":
    main()
