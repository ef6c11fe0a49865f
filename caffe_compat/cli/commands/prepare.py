"""Write a dataset in the released file layout: image lists, label files, image and label LMDBs.

After a run was killed, the same command continues it.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from caffe_compat.cli.flags import add_quiet, whole_number
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.experiments.compared.people_scenes import PHOTOGRAPHS, people_in, write_people_scenes
from caffe_compat.experiments.compared.wider_people import add_wider_people
from caffe_compat.srn.datasets.data_sets import DATA_SETS
from caffe_compat.srn.datasets.layout import SPLITS
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.prepare import prepare
from caffe_compat.srn.datasets.samples import DataSet
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from caffe_compat.srn.datasets.summary import terminal_lines
from caffe_compat.srn.datasets.validation import cut_validation

SCENES = {"train": 1200, "val": 400, "test": 1000}
STORES = ("lmdb", "folder")
INTERRUPTED = 130  # as shells report it


def scenes_arguments(scenes: argparse.ArgumentParser) -> None:
    """Declares the flags of the demo's scenes."""
    scenes.add_argument("--control", action="store_true", help="left and right by coin: no position rule to learn")
    scenes.add_argument("--seed", type=whole_number(0), default=0, help="seed of all random choices")
    for split in SPLITS:
        scenes.add_argument(
            f"--{split}", type=int, default=SCENES[split], metavar="N", help=f"default: {SCENES[split]}"
        )


def prepare_scenes(arguments: argparse.Namespace) -> None:
    """Makes the scenes and prints how many."""
    numbers = {split: getattr(arguments, split) for split in SPLITS}
    write_scenes(arguments.out, numbers, arguments.seed, SceneRules(position_rule=not arguments.control))
    counted = ", ".join(f"{number} {split}" for split, number in numbers.items())
    print(f"wrote {counted} scenes to {arguments.out}")


def photograph_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flag that asks for whole photographs of WIDER-Attribute."""
    parser.add_argument(
        "--photographs", type=whole_number(33), metavar="SIDE",
        help="also write the whole photographs, SIDE x SIDE pixels, with the boxes that r_cnn, r_star_cnn and dhc read",
    )  # fmt: skip


def prepare_photographs(arguments: argparse.Namespace) -> None:
    """Writes the whole photographs where they are asked for and missing."""
    if arguments.photographs:
        add_wider_people(arguments.out, arguments.annotations, arguments.images, arguments.photographs)
        print(f"whole photographs and boxes in {arguments.out}")


def people_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of the demo's photographs with people."""
    parser.add_argument("--seed", type=whole_number(0), default=0, help="seed of all random choices")
    for split, number in PHOTOGRAPHS.items():
        parser.add_argument(
            f"--{split}", type=whole_number(1), default=number, metavar="N", help=f"photographs (default: {number})"
        )


def prepare_people(arguments: argparse.Namespace) -> None:
    """Makes the photographs and prints the number of people in them."""
    numbers = {split: getattr(arguments, split) for split in PHOTOGRAPHS}
    write_people_scenes(arguments.out, numbers, arguments.seed)
    counted = ", ".join(f"{people_in(number)} {split}" for split, number in numbers.items())
    print(f"wrote photographs of {counted} people to {arguments.out}")


def share(text: str) -> float:
    """Reads a share between 0 and 1, as a decimal number."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, such as 0.1, found '{text}'")
    return value


def picture_arguments(parser: argparse.ArgumentParser, stores: list[str]) -> None:
    """Declares the flags that say how pictures are written."""
    parser.add_argument(
        "--validation", type=share, metavar="SHARE", help="cut a validation split from the training split, such as 0.1"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the validation split (default: 0)")
    parser.add_argument(
        "--max-pixels", type=whole_number(1), default=2**28, metavar="N",
        help="leave out images whose header states more pixels (default: 268,435,456)",
    )  # fmt: skip
    parser.add_argument("--write", nargs="+", choices=STORES, default=stores, help=f"default: {' '.join(stores)}")
    parser.add_argument(
        "--input-size", type=whole_number(1), default=224, metavar="N",
        help="the net's input in pixels, from which the sizes below follow (default: 224)",
    )  # fmt: skip
    parser.add_argument(
        "--resize", type=whole_number(0), metavar="N",
        help="both sides of training pictures in the LMDB; 0 keeps them (default: 8/7 of the input, 256)",
    )  # fmt: skip
    parser.add_argument(
        "--test-resize", type=whole_number(0), metavar="N",
        help="the same for other splits (default: --input-size, 224, as in section 3.4 of the paper)",
    )  # fmt: skip
    parser.add_argument(
        "--folder-resize", type=whole_number(0), default=0, metavar="N", help="the same for OUT/images (default: 0)"
    )
    parser.add_argument(
        "--encoded", action=argparse.BooleanOptionalAction, default=True, help="JPEG or PNG in the LMDB, or raw pixels"
    )
    parser.add_argument("--encode-type", choices=("jpg", "png"), default="", help="default: as the file's name says")
    parser.add_argument(
        "--workers",
        type=whole_number(1, most=1024),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one per core)",
    )


def picture_rules(arguments: argparse.Namespace) -> PictureRules:
    """Returns how pictures are written, from the flags of `picture_arguments`."""
    return PictureRules(
        database="lmdb" in arguments.write,
        encoded=arguments.encoded,
        size=round(arguments.input_size * 8 / 7) if arguments.resize is None else arguments.resize,
        test_size=arguments.input_size if arguments.test_resize is None else arguments.test_resize,
        encode_type=arguments.encode_type,
        folder="folder" in arguments.write,
        folder_size=arguments.folder_resize,
        most_pixels=arguments.max_pixels,
    )


def prepare_data_set(data_set: DataSet, arguments: argparse.Namespace) -> None:
    """Prepares the data set as the command line says."""
    source = data_set.source_of(arguments)
    if arguments.validation:
        source = cut_validation(source, arguments.validation, arguments.seed)
    prepare(source, arguments.out, picture_rules(arguments), arguments.workers)
    print(*terminal_lines(arguments.out), f"all in {arguments.out}", sep="\n")


class Subcommand(NamedTuple):
    """A subcommand: what it prepares, its arguments, and what it does."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


#: Additions of some data sets: flags, and a function that runs after the data set is prepared.
FURTHER = {"wider_att": (photograph_arguments, prepare_photographs)}
#: Data that are generated, not read.
DRAWN = {
    "people": Subcommand("photographs with people made of digits (no download)", people_arguments, prepare_people),
    "scenes": Subcommand("the demo's scenes of handwritten digits (no download)", scenes_arguments, prepare_scenes),
}


def subcommand(name: str, data_set: DataSet) -> Subcommand:
    """Returns the subcommand of a data set, with its own flags and those of pictures."""
    further_arguments, prepare_further = FURTHER.get(name, (None, None))

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        data_set.add_arguments(parser)
        if further_arguments is not None:
            further_arguments(parser)
        picture_arguments(parser, list(data_set.stores))

    def run(arguments: argparse.Namespace) -> None:
        prepare_data_set(data_set, arguments)
        if prepare_further is not None:
            prepare_further(arguments)

    return Subcommand(data_set.summary, add_arguments, run)


SUBCOMMANDS = {name: subcommand(name, data_set) for name, data_set in DATA_SETS.items()} | DRAWN


def parser() -> CommandParser:
    """Returns the command line: one subcommand per data set."""
    result = command_parser(
        "prepare", __doc__ or "", "caffe-compat prepare own --train train.csv --root photos --out data/mine"
    )
    datasets = result.add_subparsers(metavar="DATASET", required=True)
    for name, command in SUBCOMMANDS.items():
        dataset = datasets.add_parser(name, help=command.help)
        dataset.add_argument("--out", type=Path, required=True, help="the folder to make")
        command.add_arguments(dataset)
        dataset.add_argument(
            "--label-paths", action="store_true", help="also write the LMDBs of label paths, from which cnn_rnn learns"
        )
        add_quiet(dataset)
        dataset.set_defaults(run=command.run)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Prepares the dataset that the command line names."""
    arguments.run(arguments)
    if arguments.label_paths:
        from caffe_compat.experiments.compared.cnn_rnn import write_path_databases  # a late import of torch

        write_path_databases(arguments.out)
        print(f"label paths in {arguments.out}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv, interrupted="stopped; the same command goes on from here")
