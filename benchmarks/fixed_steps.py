"""How long do steps 2 and 3 take, whose backbone is fixed, beside step 4, in which all layers learn?

    python benchmarks/fixed_steps.py [--depth 101] [--width 64] [--size 224] [--batch 4] [--rounds 9] [--json FILE]

Forward, backward and update by the fast engine on one random batch. With kept features (`train --cache-features`) the
batch is an old one, as in every epoch but the first. Each contender has a process of its own.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import report, take_turns_in_processes, use_gpu_if_there
from benchmarks.training_step import solver_for
from caffe_compat.engine.fast import FastEngine
from caffe_compat.engine.passes.keep_features import FeatureStore
from caffe_compat.solvers.run_training import keep_freed_memory


def step_of(step: int, keeps_features: bool, arguments: argparse.Namespace) -> Callable[[], None]:
    """An iteration of a step of the paper's training."""
    use_gpu_if_there()
    keep_freed_memory()
    solver = solver_for("fast", arguments, step)
    engine = solver.engine
    if keeps_features and not (isinstance(engine, FastEngine) and engine.keep_features(FeatureStore())):
        raise SystemExit(f"expected fixed layers in step {step}, found none")
    return partial(solver.step, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("depth", 101), ("width", 64), ("size", 224), ("batch", 4), ("rounds", 9)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    file = arguments.json.resolve() if arguments.json else None
    contenders: dict[str, Callable[[], Callable[[], object]]] = {
        "step 4": partial(step_of, 4, False, arguments),
        **{f"step {step}": partial(step_of, step, False, arguments) for step in (2, 3)},
        **{f"step {step}, features kept": partial(step_of, step, True, arguments) for step in (2, 3)},
    }
    settings = {name: value for name, value in vars(arguments).items() if name != "json"}
    seconds = take_turns_in_processes(contenders, arguments.rounds)
    report("one iteration of steps 2 and 3 of SRN", seconds, "step 4", file, **settings)


if __name__ == "__main__":
    main()
