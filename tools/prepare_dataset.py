"""Write a dataset in the released file layout: image lists, label files, image and label LMDBs."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.datasets.layout import SPLITS
from caffe_compat.datasets.scene_rules import SceneRules
from caffe_compat.datasets.scenes import write_scenes
from caffe_compat.errors import CaffeError

SCENES = {"train": 1200, "val": 400, "test": 1000}


def parser() -> argparse.ArgumentParser:
    """The command line: one subcommand a dataset."""
    result = argparse.ArgumentParser(description=__doc__)
    datasets = result.add_subparsers(metavar="DATASET", required=True)
    scenes = datasets.add_parser("scenes", help="the demo's scenes of handwritten digits (needs no download)")
    scenes.add_argument("--out", type=Path, required=True, help="the folder to make")
    scenes.add_argument("--control", action="store_true", help="left and right by coin: no position rule to learn")
    scenes.add_argument("--seed", type=int, default=0, help="of all that is drawn by lot")
    for split in SPLITS:
        scenes.add_argument(
            f"--{split}", type=int, default=SCENES[split], metavar="N", help=f"default: {SCENES[split]}"
        )
    scenes.set_defaults(prepare=prepare_scenes)
    return result


def prepare_scenes(arguments: argparse.Namespace) -> None:
    """Make the scenes."""
    numbers = {split: getattr(arguments, split) for split in SPLITS}
    write_scenes(arguments.out, numbers, arguments.seed, SceneRules(position_rule=not arguments.control))
    counted = ", ".join(f"{number} {split}" for split, number in numbers.items())
    print(f"wrote {counted} scenes to {arguments.out}")


def main() -> int:
    """Prepare the dataset that the command line names."""
    arguments = parser().parse_args()
    try:
        arguments.prepare(arguments)
    except (CaffeError, OSError) as error:
        print(f"prepare_dataset.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
