"""python -m prototxt_gen: write a model's nets and solvers as files that Caffe reads."""

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from caffe_compat.errors import CaffeError
from prototxt_gen.files import count, write
from prototxt_gen.machine import follow_machine, machine_lines, this_machine
from prototxt_gen.options import DATASETS, GeneratorOptions, flag
from prototxt_gen.prepared import read_prepared
from prototxt_gen.recipes import PAPERS_MODELS

EPILOG = """
With --norm batchnorm (default) the files use only what BVLC Caffe knows, so their augmentation is its random crop;
--augmentation paper adds the paper's corner and multi-scale crops, which this project's runtime reads too. With --norm
bn the files are for the Caffe of the released SRN code and have the paper's augmentation.
The methods that the paper compares with need layers beyond: cnn_rnn needs Embed and LSTM of BVLC Caffe; r_cnn,
r_star_cnn and dhc need ROIPooling, of Fast R-CNN's Caffe and of the Caffe of --norm bn; warp needs WARPLoss of this
project. Their nets are not among those of --all.
Run Caffe from the folder in which this command ran: solvers name their nets as --out gives them.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files that the command line asks for, or prints numbers of parameters; returns the exit status."""
    parser = argparse.ArgumentParser("python -m prototxt_gen", description=__doc__, epilog=EPILOG)
    add_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        generate_files(given)
    except CaffeError as error:
        print(f"prototxt_gen: {error}", file=sys.stderr)
        return 1
    return 0


def generate_files(given: argparse.Namespace) -> None:
    """Writes the files that parsed flags ask for and prints their paths, or prints numbers of parameters."""
    asked = GeneratorOptions(
        **{field.name: getattr(given, field.name) for field in dataclasses.fields(GeneratorOptions)}
    )
    if not given.all and not given.count:
        asked = _with_default_data(asked)
        machine = this_machine(asked.solver_mode)
        followed = follow_machine(asked, machine)
        _report(machine_lines(asked, followed, machine))
        asked = followed
    for options, folder in _requests(given.all, given.out, asked):
        print(f"{options.model}: {_summary(count(options))}")
        if not given.count:
            _report(f"wrote {path}" for path in write(options, folder))


def _with_default_data(options: GeneratorOptions) -> GeneratorOptions:
    """The options with the dataset's default folder as --data, if prepared data exist there."""
    folder = f"data/{options.dataset}"
    is_there = bool(options.dataset) and not options.data and read_prepared(folder) is not None
    return dataclasses.replace(options, data=folder) if is_there else options


def _requests(everything: bool, out: str, options: GeneratorOptions) -> Iterable[tuple[GeneratorOptions, str]]:
    if not everything:
        return [(options, out)]
    return [
        (dataclasses.replace(options, model=model, dataset=dataset), f"{out}/{dataset}/{model}")
        for dataset in DATASETS
        for model in PAPERS_MODELS
    ]


def _summary(parts: dict[str, int]) -> str:
    listed = ", ".join(f"{part} {number:,}" for part, number in parts.items())
    return f"{sum(parts.values()):,} parameters ({listed})"


def _report(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the generator's flags."""
    for field in dataclasses.fields(GeneratorOptions):
        parser.add_argument(flag(field.name), **_argument(field))
    parser.add_argument("--out", default=".", metavar="DIR", help="folder for the files (default: .)")
    parser.add_argument("--count", action="store_true", help="print how many numbers each part learns; write nothing")
    parser.add_argument(
        "--all", action="store_true", help="every model of the paper and every dataset, as OUT/DATASET/MODEL"
    )


def _argument(field: dataclasses.Field[Any]) -> dict[str, Any]:
    text, default = field.metadata["help"], field.default
    if isinstance(default, bool):
        return {"action": argparse.BooleanOptionalAction, "default": default, "help": text}
    shown = f"{text} (default: {default})" if default or "default" not in text else text
    return {
        "type": type(default),
        "default": default,
        "choices": field.metadata["choices"] or None,
        "help": text if "(default" in text or default in ("", 0) else shown,
    }


if __name__ == "__main__":
    sys.exit(main())
