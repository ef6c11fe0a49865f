"""Write a dataset in the released file layout: image lists, label files, image and label LMDBs.

A killed run goes on where it stopped when the same command is given again.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from caffe_compat.cli.parser import CommandParser, command_parser
from caffe_compat.cli.program import DONE, run_program
from caffe_compat.srn.datasets.coco import coco
from caffe_compat.srn.datasets.layout import SPLITS
from caffe_compat.srn.datasets.nus_wide import Accessible, nus_wide
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.own_data import OwnSplit, own_data, read_class_names
from caffe_compat.srn.datasets.prepare import prepare
from caffe_compat.srn.datasets.samples import DatasetSource
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from caffe_compat.srn.datasets.summary import terminal_lines
from caffe_compat.srn.datasets.wider_attribute import wider_attribute

SCENES = {"train": 1200, "val": 400, "test": 1000}
STORES = ("lmdb", "folder")
INTERRUPTED = 130  # as shells report it


def scenes_arguments(scenes: argparse.ArgumentParser) -> None:
    """Of the demo's data."""
    scenes.add_argument("--control", action="store_true", help="left and right by coin: no position rule to learn")
    scenes.add_argument("--seed", type=int, default=0, help="of all that is drawn by lot")
    for split in SPLITS:
        scenes.add_argument(
            f"--{split}", type=int, default=SCENES[split], metavar="N", help=f"default: {SCENES[split]}"
        )


def prepare_scenes(arguments: argparse.Namespace) -> None:
    """Make the scenes."""
    numbers = {split: getattr(arguments, split) for split in SPLITS}
    write_scenes(arguments.out, numbers, arguments.seed, SceneRules(position_rule=not arguments.control))
    counted = ", ".join(f"{number} {split}" for split, number in numbers.items())
    print(f"wrote {counted} scenes to {arguments.out}")


def coco_arguments(parser: argparse.ArgumentParser) -> None:
    """Of MS-COCO."""
    parser.add_argument("--annotations", type=Path, required=True, help="the folder of instances_{train,val}2014.json")
    parser.add_argument("--images", type=Path, required=True, help="the folder of train2014/ and val2014/")
    parser.add_argument("--labelled-only", action="store_true", help="leave out images without labels (paper: keep)")
    picture_arguments(parser, ["lmdb"])


def coco_source(arguments: argparse.Namespace) -> DatasetSource:
    """MS-COCO as the command line names it."""
    return coco(arguments.annotations, arguments.images, arguments.labelled_only)


def nus_wide_arguments(parser: argparse.ArgumentParser) -> None:
    """Of NUS-WIDE."""
    parser.add_argument(
        "--root", type=Path, required=True, help="the folder of ImageList/, Groundtruth/, Concepts81.txt"
    )
    parser.add_argument("--images", type=Path, required=True, help="the folder that image lists count from (Flickr/)")
    for split in ("train", "test"):
        parser.add_argument(
            f"--accessible-{split}", type=Path, metavar="INDEX",
            help=f"which images of the {split} list to keep: nus_test_accessible.mat, or text",
        )  # fmt: skip
        parser.add_argument(
            f"--accessible-{split}-list", type=Path, metavar="LIST",
            help="the image list whose lines that index counts (default: the official one)",
        )  # fmt: skip
    picture_arguments(parser, ["lmdb"])


def nus_wide_source(arguments: argparse.Namespace) -> DatasetSource:
    """NUS-WIDE as the command line names it."""
    given = {
        split: Accessible(index, getattr(arguments, f"accessible_{split}_list"))
        for split in ("train", "test")
        if (index := getattr(arguments, f"accessible_{split}"))
    }
    return nus_wide(arguments.root, arguments.images, given)


def wider_attribute_arguments(parser: argparse.ArgumentParser) -> None:
    """Of WIDER-Attribute."""
    help_annotations = "the folder of wider_attribute_{trainval,test}.json"
    parser.add_argument("--annotations", type=Path, required=True, help=help_annotations)
    parser.add_argument("--images", type=Path, required=True, help="the folder of train/, val/ and test/ (Image/)")
    picture_arguments(parser, ["lmdb", "folder"])


def wider_attribute_source(arguments: argparse.Namespace) -> DatasetSource:
    """WIDER-Attribute as the command line names it."""
    return wider_attribute(arguments.annotations, arguments.images)


def own_arguments(parser: argparse.ArgumentParser) -> None:
    """Of a user's own data."""
    kinds = ".csv, .tsv, .jsonl, a folder of a folder a label, or an image list with --{}-labels"
    for split in SPLITS:
        parser.add_argument(f"--{split}", type=Path, metavar="FILE", help=kinds.format(split))
        parser.add_argument(f"--{split}-labels", type=Path, metavar="FILE", help="the label file of an image list")
    parser.add_argument("--root", type=Path, help="what names count from (default: the folder of the annotations)")
    parser.add_argument("--classes", type=Path, help="all label names in order, one a line")
    picture_arguments(parser, ["lmdb"])


def own_source(arguments: argparse.Namespace) -> DatasetSource:
    """The user's data as the command line names them."""
    splits = {
        split: OwnSplit(annotations, getattr(arguments, f"{split}_labels"))
        for split in SPLITS
        if (annotations := getattr(arguments, split))
    }
    return own_data(splits, arguments.root, read_class_names(arguments.classes) if arguments.classes else None)


def whole_number(least: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} on, found '{text}'")
        return int(text)

    return read


def picture_arguments(parser: argparse.ArgumentParser, stores: list[str]) -> None:
    """How pictures are written."""
    parser.add_argument("--write", nargs="+", choices=STORES, default=stores, help=f"default: {' '.join(stores)}")
    parser.add_argument(
        "--resize",
        type=whole_number(0),
        default=256,
        metavar="N",
        help="both sides in the LMDB; 0 keeps them (default: 256)",
    )
    parser.add_argument(
        "--folder-resize", type=whole_number(0), default=0, metavar="N", help="the same for OUT/images (default: 0)"
    )
    parser.add_argument(
        "--encoded", action=argparse.BooleanOptionalAction, default=True, help="JPEG or PNG in the LMDB, or raw pixels"
    )
    parser.add_argument("--encode-type", choices=("jpg", "png"), default="", help="default: as the file's name says")
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes (default: one a core)",
    )


def picture_rules(arguments: argparse.Namespace) -> PictureRules:
    """What picture_arguments says."""
    return PictureRules(
        database="lmdb" in arguments.write,
        encoded=arguments.encoded,
        size=arguments.resize,
        encode_type=arguments.encode_type,
        folder="folder" in arguments.write,
        folder_size=arguments.folder_resize,
    )


def prepare_source(source_of: Callable[[argparse.Namespace], DatasetSource]) -> Callable[[argparse.Namespace], None]:
    """A command that prepares what a function makes of the command line."""

    def run(arguments: argparse.Namespace) -> None:
        prepare(source_of(arguments), arguments.out, picture_rules(arguments), arguments.workers)
        print(*terminal_lines(arguments.out), f"all in {arguments.out}", sep="\n")

    return run


class Command(NamedTuple):
    """A subcommand: what it prepares, its arguments, and what it does."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


COMMANDS = {
    "coco": Command("MS-COCO 2014", coco_arguments, prepare_source(coco_source)),
    "nus_wide": Command("NUS-WIDE", nus_wide_arguments, prepare_source(nus_wide_source)),
    "wider_att": Command(
        "WIDER-Attribute: people cut out", wider_attribute_arguments, prepare_source(wider_attribute_source)
    ),
    "own": Command("your own images and labels", own_arguments, prepare_source(own_source)),
    "scenes": Command("the demo's scenes of handwritten digits (no download)", scenes_arguments, prepare_scenes),
}


def parser() -> CommandParser:
    """The command line: one subcommand a dataset."""
    result = command_parser("prepare", __doc__ or "")
    datasets = result.add_subparsers(metavar="DATASET", required=True)
    for name, command in COMMANDS.items():
        dataset = datasets.add_parser(name, help=command.help)
        dataset.add_argument("--out", type=Path, required=True, help="the folder to make")
        command.add_arguments(dataset)
        dataset.set_defaults(run=command.run)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Prepares the dataset that the command line names."""
    arguments.run(arguments)
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv, interrupted="stopped; the same command goes on from here")
