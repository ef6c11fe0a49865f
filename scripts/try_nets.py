#!/usr/bin/env python3
"""Runs every net of a folder through load, ONNX, safetensors and OpenCV parity, and prints one line for each.

    scripts/try_nets.py FOLDER [--seconds 180] [--memory 8] [--json OUT] [--list FILE]

A net is a prototxt that describes layers; its weights are the .caffemodel of the same name beside it, if there is one.
Without weights, seeded random numbers stand in, so that zeros of missing fillers do not agree with everything. Images
larger than `--side`, and sizes that stand for any size (1 x 1), become `--side` where no weight depends on them. Every
net runs in a process of its own, with a limit of time and memory. `--list` names the prototxts, one per line, below
FOLDER. `--json` writes the results by net.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffe_compat.pycaffe.net import Net

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

#: What each net goes through, in order. The steps behind `load` need a net that loads.
STEPS = ("load", "safetensors", "onnx", "opencv")
GIB = 1 << 30
_LAYERS = re.compile(r"^\s*layers?\s*:?\s*(\{|$)", re.MULTILINE)
#: Images of fewer pixels a side stand for any size: OpenPose's nets say 1 x 1 and 16 x 16.
_LEAST_SIDE = 17
#: Characters of an error that a line shows.
MOST_SHOWN = 160


def try_net(prototxt: Path, weights: Path | None, steps: Sequence[str], side: int) -> Iterator[tuple[str, str]]:
    """Every step with `ok` or the first line of what is wrong."""
    from caffe_compat.errors import CaffeError

    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(prototxt, weights, Path(folder), side)
        for step in steps:
            try:
                yield step, getattr(trial, step)()
            except CaffeError as error:
                yield step, str(error).splitlines()[0].removeprefix(str(prototxt)).lstrip(": ")[:MOST_SHOWN]
                if step == "load":
                    return
            except MemoryError:
                yield step, "more memory than allowed"


class Trial:
    """One net: loaded first, then converted and compared; each method returns `ok` or a finding."""

    def __init__(self, prototxt: Path, weights: Path | None, folder: Path, side: int) -> None:
        self.prototxt, self.given, self.folder, self.side = prototxt, weights, folder, side
        self.weights = str(weights or folder / "random.caffemodel")

    def load(self) -> str:
        """Builds the net in phase TEST and reads the weights, or draws some."""
        import caffe_compat as caffe

        net = caffe.Net(str(self.prototxt), *([self.weights] if self.given else []), caffe.TEST)
        self.prototxt = _of_side(self.prototxt, net, self.side, self.folder / self.prototxt.name) or self.prototxt
        if not self.given:
            _write_weights(self.prototxt, self.weights)
        return "ok"

    def safetensors(self) -> str:
        """Writes safetensors and reads them again."""
        import numpy as np

        from caffe_compat.proto.read import read_weights

        out = self._convert("safetensors")
        first, second = ({layer.name: layer.blobs for layer in read_weights(path).layers if layer.blobs}
                         for path in (self.weights, self._convert("caffemodel", out)))  # fmt: skip
        same = bool(second) and all(
            np.array_equal(mine, other)
            for name in second  # a weights file may hold layers that the net has not
            for mine, other in zip(first[name], second[name], strict=True)
        )
        return "ok" if same or not first else "read again, the weights differ"

    def onnx(self) -> str:
        """Writes ONNX, which is compared with ours on random inputs while it is written."""
        self._convert("onnx")
        return "ok"

    def opencv(self) -> str:
        """Compares every blob with OpenCV's importer."""
        from caffe_compat.net.build import build_net
        from caffe_compat.parity.inputs import random_inputs
        from caffe_compat.parity.opencv import compare_with_opencv
        from caffe_compat.proto import caffe_pb2
        from caffe_compat.proto.read import read_net
        from caffe_compat.solvers.solver_nets import copy_weights

        net = build_net(read_net(self.prototxt), caffe_pb2.NetState(phase=caffe_pb2.TEST))
        copy_weights(net, self.weights)
        comparison = compare_with_opencv(net, random_inputs(net))
        wrong = comparison.first_wrong
        if wrong is not None:
            return f"layer '{wrong.layer}' ({wrong.type}) {wrong.verdict}, by {wrong.net.relative:.1e}"
        return "ok"

    def _convert(self, target: str, source: str | None = None) -> str:
        from caffe_compat.convert.conversion import convert
        from caffe_compat.convert.options import TRAIN, Options

        prototxt = str(self.prototxt) if source is None else None
        form = TRAIN if target != "onnx" else "deploy"
        out = str(self.folder / f"out_{target}.{target}")
        return convert(source or self.weights, target, out, Options(prototxt=prototxt, form=form)).path


def _of_side(prototxt: Path, net: "Net", side: int, out: Path) -> Path | None:
    """Writes the net for images of another size, if its weights stay the same; returns the new file, or None."""
    import caffe_compat as caffe
    from caffe_compat.errors import CaffeError
    from caffe_compat.proto.read import read_net
    from caffe_compat.proto.text import format_text

    parameter = read_net(prototxt)
    shapes = [shape for layer in parameter.layer for shape in layer.input_param.shape if len(shape.dim) == 4]
    images = [shape for shape in shapes if not all(_LEAST_SIDE <= size <= side for size in shape.dim[2:])]
    for shape in images:
        shape.dim[2:] = [side, side]
    if not images:
        return None
    out.write_text(format_text(parameter))
    try:
        other = caffe.Net(str(out), caffe.TEST)
    except CaffeError:
        return None
    same = all(
        mine.data.shape == blob.data.shape
        for name, blobs in net.params.items()
        for mine, blob in zip(blobs, other.params[name], strict=True)
    )
    return out if same else None


def _write_weights(prototxt: Path, out: str) -> None:
    """Draws weights (seeded) and divides each layer's by the deviation of its top, so that values stay near 1.

    Without this the boxes of an SSD become infinite behind a few dozen layers.
    """
    import numpy as np

    from caffe_compat.net.build import build_net
    from caffe_compat.parity.inputs import random_inputs
    from caffe_compat.proto import caffe_pb2
    from caffe_compat.proto.read import read_net

    net = build_net(read_net(prototxt), caffe_pb2.NetState(phase=caffe_pb2.TEST))
    draws = np.random.default_rng(0)
    inputs = random_inputs(net)
    for name, values in inputs.items():
        net.blobs[name].data[...] = values
    for index, step in enumerate(net.steps):
        if inputs.keys() & set(step.tops):
            continue
        blobs = net.params.get(step.layer.name, [])
        for blob in blobs:
            if not blob.data.any():
                deviates = blob.data.ndim > 1
                blob.data[...] = draws.normal(0, 1, blob.shape) if deviates else draws.uniform(0.5, 1.5, blob.shape)
        net.run_range(index, index)
        deviation = float(net.blobs[step.tops[0]].data.std()) if step.tops else 0.0
        if blobs and blobs[0].data.ndim > 1 and np.isfinite(deviation) and deviation:
            blobs[0].data[...] /= deviation
            net.run_range(index, index)
    net.save(out)


def prototxts(folder: Path) -> list[Path]:
    """The nets below a folder; solvers and other texts are left out."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".prototxt", ".pt") and file.is_file()]
    return [file for file in files if _LAYERS.search(file.read_text(errors="replace"))]


def weights_of(prototxt: Path) -> Path | None:
    """The .caffemodel of the same name beside a net."""
    beside = prototxt.with_suffix(".caffemodel")
    return beside if beside.is_file() else None


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory * GIB, memory * GIB))


def in_own_process(prototxt: Path, steps: Sequence[str], seconds: int, memory: int, side: int) -> dict[str, str]:
    """The steps' outcomes; a process that dies or takes too long says so at the step that it was in."""
    command = [sys.executable, __file__, "--one", str(prototxt), "--side", str(side), "--steps", *steps]
    quiet = {**os.environ, "GLOG_minloglevel": "3", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, preexec_fn=partial(_limit, memory), env=quiet
        )
        lines, ending = done.stdout, f"ended with status {done.returncode}: {(done.stderr.splitlines() or [''])[-1]}"
    except subprocess.TimeoutExpired as late:
        lines, ending = (late.stdout or b"").decode(), f"more than {seconds} s"
    outcomes = dict(json.loads(line) for line in lines.splitlines() if line.startswith("["))
    missing = [step for step in steps if step not in outcomes]
    if missing and outcomes.get("load", "ok") == "ok":
        outcomes[missing[0]] = ending[:MOST_SHOWN]
    return outcomes


def line(name: str, outcomes: dict[str, str]) -> str:
    """`ok ok ok -  NAME  what failed first`."""
    marks = " ".join("ok" if outcomes.get(step) == "ok" else "--" if step in outcomes else ".." for step in STEPS)
    failed = next((f"{step}: {text}" for step, text in outcomes.items() if text != "ok"), "")
    return f"{marks}  {name}  {failed}".rstrip()


def main(argv: Sequence[str] | None = None) -> int:
    """Tries all nets; 0 when all steps of all nets are well, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--list", type=Path, help="a file of names below FOLDER, one per line")
    parser.add_argument("--seconds", type=int, default=180, help="limit for one net (default: 180)")
    parser.add_argument("--memory", type=int, default=8, help="limit for one net in GiB (default: 8)")
    parser.add_argument("--side", type=int, default=224, help="height and width of larger images (default: 224)")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="what to try (default: all)")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one:
        for outcome in try_net(arguments.one, weights_of(arguments.one), arguments.steps, arguments.side):
            print(json.dumps(outcome), flush=True)
        return 0
    if arguments.folder is None:
        parser.error("expected a folder of prototxts")
    folder: Path = arguments.folder
    names = arguments.list.read_text().split() if arguments.list else None
    files = [folder / name for name in names] if names else prototxts(folder)
    results: dict[str, dict[str, str]] = {}
    print(*STEPS, "net")
    for file in files:
        name = str(file.relative_to(folder))
        results[name] = in_own_process(file, arguments.steps, arguments.seconds, arguments.memory, arguments.side)
        print(line(name, results[name]), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    whole = sum(all(outcomes.get(step) == "ok" for step in arguments.steps) for outcomes in results.values())
    print(f"{whole} of {len(results)} nets pass all of {', '.join(arguments.steps)}")
    return 0 if whole == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
