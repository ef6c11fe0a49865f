"""The generated files of a set of options: their names and messages, and writing them."""

from pathlib import Path
from typing import Any

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from prototxt_gen.completion import complete
from prototxt_gen.label_paths import next_label_net
from prototxt_gen.nets import test_net, train_net
from prototxt_gen.options import GeneratorOptions, command
from prototxt_gen.recipes import TrainingStep, steps_of
from prototxt_gen.solvers import solver

#: What a generated file holds, and files by their names.
GeneratedMessage = caffe_pb2.NetParameter | caffe_pb2.SolverParameter
GeneratedFiles = dict[str, GeneratedMessage]


def generate(folder: str = "", **options: Any) -> GeneratedFiles:
    """Maps file names to NetParameter or SolverParameter, for the fields of `GeneratorOptions` given as keywords.

    `folder` is where the files will lie, relative to the folder where Caffe runs; solvers use it in the paths of net
    and snapshots. Raises FieldError for options that do not go together.
    """
    return messages(GeneratorOptions(**options), folder)


def messages(options: GeneratorOptions, folder: str) -> GeneratedFiles:
    """Maps file names to NetParameter or SolverParameter, for a `GeneratorOptions`; see `generate`."""
    full = complete(options)
    made: GeneratedFiles = {}
    for number, step in enumerate(steps_of(full.model, full.finetune_losses), start=1):
        chosen = full.step in ("all", str(number))
        if chosen:
            made |= _training_files(full, step, f"step_{number}_{step.name}", folder)
        if chosen or (full.step == "test" and step == _last_step(full)):
            made[_test_name(full, step, number)] = test_net(full, step).message
            if "path" in step.parts:
                made[f"{full.dataset}_{full.model}_path_test.prototxt"] = next_label_net(full).message
    return made


def write(options: GeneratorOptions, folder: str) -> list[Path]:
    """Writes the files, each with the generating command as its first line; returns their paths."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = []
    for name, message in messages(options, folder).items():
        paths.append(Path(folder) / name)
        write_text(paths[-1], message, header=command(options, folder))
    return paths


def count(options: GeneratorOptions) -> dict[str, int]:
    """The number of learned values of each part of the whole net; running statistics are not learned."""
    full = complete(options)
    step = _last_step(full)
    parts = test_net(full, step).parameters
    return dict(parts + next_label_net(full).parameters if "path" in step.parts else parts)


def _training_files(options: GeneratorOptions, step: TrainingStep, name: str, folder: str) -> GeneratedFiles:
    trainval = f"{name}_trainval.prototxt"
    return {
        trainval: train_net(options, step).message,
        f"{name}_solver.prototxt": solver(options, step, str(Path(folder) / trainval), str(Path(folder) / name)),
    }


def _test_name(options: GeneratorOptions, step: TrainingStep, number: int) -> str:
    """The file name of a step's test net; that of the last step is named after the model."""
    if step == _last_step(options):
        return f"{options.dataset}_{options.model}_test.prototxt"
    return f"step_{number}_{step.name}_test.prototxt"


def _last_step(options: GeneratorOptions) -> TrainingStep:
    return steps_of(options.model, options.finetune_losses)[-1]
