"""Save a net's raw scores for the images of a list: one image a line, as the released model_test.py does."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe_compat.cli.endings import DONE
from caffe_compat.cli.parser import CommandParser, command_parser
from caffe_compat.cli.program import run_program
from caffe_compat.proto.atomic_file import replacing
from caffe_compat.srn.datasets.layout import image_path, read_image_list
from caffe_compat.srn.prediction.predictor import Predictor


def count_of_images(text: str) -> int:
    """One or more."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a number of images from 1 on, found '{text}'")
    return int(text)


def parser() -> CommandParser:
    """The command line."""
    result = command_parser("predict", __doc__ or "")
    result.add_argument("root", help="the folder that the list's names count from")
    result.add_argument("list", type=Path, help="an image a line; what follows the name is not used")
    result.add_argument("prototxt", help="the deploy net")
    result.add_argument("caffemodel", help="its weights")
    result.add_argument("out", type=Path, help="the text file to write")
    result.add_argument(
        "--batch_size", type=count_of_images, default=48, help="images a net takes at once (default: 48)"
    )
    result.add_argument("--gpus", type=int, nargs="+", default=(), help="GPUs to share the work (default: the CPU)")
    result.add_argument("--num_test", type=count_of_images, help="stop after so many images")
    result.add_argument("--blob", help="what to save (default: the net's first output)")
    return result


def show_speed(done: int, batches: int, started: float) -> None:
    """One line a batch."""
    print(f"batch: {done} / {batches}, time: {time.monotonic() - started:.3f} s", flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Reads the list, predicts, saves."""
    started = time.monotonic()
    images = read_image_list(arguments.list)[: arguments.num_test]
    paths = [image_path(arguments.root, image.name) for image in images]
    files = (arguments.prototxt, arguments.caffemodel)
    predictor = Predictor(*files, arguments.batch_size, arguments.blob, arguments.gpus)
    scores = predictor.predict(paths, lambda done, batches: show_speed(done, batches, started))
    with replacing(arguments.out) as beside:
        np.savetxt(beside, scores, fmt="%.6f")
    print(f"wrote {len(scores)} lines of {scores.shape[1]} scores ({predictor.blob}) to {arguments.out}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
