"""What a forward of the deploy net costs beside one busy program, by how torch's threads wait for each other.

A process for each way of waiting serves forwards on demand, so that all take turns; then the same once more beside a
program that never rests. Everything is compared with spinning threads on the machine without that program. Run it on a
machine where nothing else runs.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import report, take_turns

#: "as chosen" leaves the choice to `import caffe_compat` (caffe_compat/processors.py).
WAYS = {"spinning": {"GOMP_SPINCOUNT": "300000"}, "as chosen": {}}
ENGINES = ("exact", "fast", "onnxruntime", "openvino")
SERVER = """
import caffe_compat, argparse, sys
from caffe_compat.engine.create import create_engine
from inference import deploy_net
net = deploy_net(argparse.Namespace(depth=101, width=64, size=224, labels=80, batch=1))
engine = create_engine(sys.argv[1], net, ["y"])
for _ in sys.stdin:
    engine.forward()
    print(flush=True)
"""


@contextlib.contextmanager
def forwards(engine: str, environment: dict[str, str]) -> Iterator[Callable[[], object]]:
    """A process with the net; each call of the result waits for one forward."""
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(root), str(root / "benchmarks")])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, engine], env=os.environ | environment | {"PYTHONPATH": paths},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    requests, answers = process.stdin, process.stdout

    def run() -> None:
        requests.write(b"\n")
        requests.flush()
        answers.readline()

    yield run
    requests.close()
    process.wait()
    answers.close()


@contextlib.contextmanager
def busy_program() -> Iterator[None]:
    """A program that needs one processor all the time."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    process.kill()
    process.wait()


def measure(engine: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of a forward, alone and beside the busy program, for each way of waiting."""
    seconds = {}
    for state, beside in (("alone", contextlib.nullcontext), ("busy", busy_program)):
        with beside(), contextlib.ExitStack() as servers:
            contenders = {
                f"{engine}, {way}, {state}": servers.enter_context(forwards(engine, environment))
                for way, environment in WAYS.items()
            }
            seconds |= take_turns(contenders, rounds)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="a folder: one file for each engine")
    arguments = parser.parse_args()
    for engine in ENGINES:
        file = arguments.json / f"busy_machine_{engine}.json" if arguments.json else None
        report("beside a busy program", measure(engine, arguments.rounds), f"{engine}, spinning, alone", file)


if __name__ == "__main__":
    main()
