"""How long does a training step of the small SRN take: our engines, hand-written eager PyTorch?

    python benchmarks/training_step.py [--depth 26] [--width 16] [--size 96] [--batch 32] [--rounds 5] [--json FILE]

One step is forward, backward and the SGD update of step 4 (two losses), on the same random batch. The eager nets use
torch's own SGD (whose momentum is not Caffe's), once as they are and once channels-last. Each contender has a process
of its own, ours set up as the command `train` sets up its own.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.eager_srn import Srn
from benchmarks.measure import report, take_turns_in_processes, use_gpu_if_there
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from caffe_compat.solvers.run_training import keep_freed_memory
from caffe_compat.solvers.solver import Solver
from prototxt_gen import generate

LABELS = 10


def solver_for(engine: str, arguments: argparse.Namespace, step: int = 4) -> Solver:
    """A generated step of the training with its data layers replaced by a fixed random batch."""
    files = generate(
        model="resnet101_srn", labels=LABELS, depth=arguments.depth, width=arguments.width, input_size=arguments.size
    )
    of_step = {name.rsplit("_", 1)[1]: file for name, file in files.items() if name.startswith(f"step_{step}_")}
    net, solver = of_step["trainval.prototxt"], of_step["solver.prototxt"]
    shapes = [(arguments.batch, 3, arguments.size, arguments.size), (arguments.batch, LABELS, 1, 1)]
    data = caffe_pb2.LayerParameter(name="data", type="Input", top=["data", "label"])
    for shape in shapes:
        data.input_param.shape.add(dim=shape)
    layers = [data, *(layer for layer in net.layer if layer.type != "Data")]
    del net.layer[:]
    net.layer.extend(layers)
    with tempfile.TemporaryDirectory() as folder:
        write_text(Path(folder) / "net.prototxt", net)
        solver.net = str(Path(folder) / "net.prototxt")
        solver.ClearField("test_iter")
        solver.ClearField("test_interval")
        solver.ClearField("test_initialization")
        solver.iter_size, solver.display, solver.snapshot, solver.max_iter = 1, 0, 0, 10**6
        solver.snapshot_prefix = str(Path(folder) / "never")
        made = Solver(solver, engine)
    torch.manual_seed(0)
    made.net.blobs["data"].assign(torch.randn(shapes[0]).to(made.net.device) * 50)
    made.net.blobs["label"].assign((torch.rand(shapes[1]) > 0.7).float().to(made.net.device))
    return made


def engine_step(engine: str, arguments: argparse.Namespace) -> Callable[[], None]:
    """A step of one of our engines, on the GPU if there is one."""
    use_gpu_if_there()
    keep_freed_memory()
    return partial(solver_for(engine, arguments).step, 1)


def eager_step(arguments: argparse.Namespace, channels_last: bool) -> Callable[[], None]:
    """The same step written by hand."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = Srn(arguments.depth, arguments.width, LABELS, arguments.size).to(device, memory_format=layout)
    images = (
        torch.randn(arguments.batch, 3, arguments.size, arguments.size, device=device).to(memory_format=layout) * 50
    )
    labels = (torch.rand(arguments.batch, LABELS, device=device) > 0.7).float()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        y_cls, y_att, y_sr = net(images)
        scores = 0.5 * y_cls + 0.5 * y_sr
        loss = sum(binary_cross_entropy_with_logits(y, labels, reduction="sum") for y in (scores, y_att))
        (loss / arguments.batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("depth", 26), ("width", 16), ("size", 96), ("batch", 32), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    file = arguments.json.resolve() if arguments.json else None
    contenders: dict[str, Callable[[], Callable[[], object]]] = {
        "eager PyTorch": partial(eager_step, arguments, channels_last=False),
        "eager, channels-last": partial(eager_step, arguments, channels_last=True),
        **{f"{engine} engine": partial(engine_step, engine, arguments) for engine in ("exact", "fast", "fast-bf16")},
    }
    settings = {name: value for name, value in vars(arguments).items() if name != "json"}
    seconds = take_turns_in_processes(contenders, arguments.rounds)
    report("one training step of SRN (step 4)", seconds, "eager PyTorch", file, **settings)


if __name__ == "__main__":
    main()
