"""The flags that commands share. Nothing large is imported here: --help and small commands answer at once."""

import argparse
import os
import re
from collections.abc import Callable

#: How a net may run; caffe_compat.engine.create makes them.
ENGINES = ("exact", "fast", "fast-bf16", "onnxruntime", "openvino", "openvino-bf16")

_DEVICE = re.compile(r"cpu|all|cuda(:\d+(,\d+)*)?|")
_GPU = re.compile(r"none|all|\d+(,\d+)*|")
#: Of the numbers that a prototxt's fields hold.
LARGEST_INT32, LARGEST_INT64 = 2**31 - 1, 2**63 - 1


def add_device(parser: argparse.ArgumentParser, default: str = "cpu") -> None:
    """Declares --device and Caffe's --gpu; both give `device`, a string for `gpus_of`, "" by default."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--device", type=device, default="", metavar="DEVICE",
        help=f"cpu, cuda, cuda:0, cuda:0,1 or all: where to run (default: {default})",
    )  # fmt: skip
    which.add_argument(
        "--gpu",
        dest="device",
        type=device_of_gpu,
        default="",
        metavar="GPUS",
        help="Caffe's spelling: 0,1, all or none",
    )


def add_engine(parser: argparse.ArgumentParser, default: str = "fast", shown: bool = True) -> None:
    """Declares --engine; `shown=False` leaves the flag out of the help text."""
    text = (
        "exact (every layer on its own), fast (layers fused), fast-bf16 (products in bfloat16); to predict also "
        "onnxruntime, openvino and openvino-bf16, which run our ONNX export"
    )
    parser.add_argument("--engine", choices=ENGINES, default=default, help=text if shown else argparse.SUPPRESS)


def add_allow_unfilled(parser: argparse.ArgumentParser) -> None:
    """Declares --allow-unfilled."""
    text = "accept weights that leave layers of the net without values; these keep what their fillers draw"
    parser.add_argument("--allow-unfilled", action="store_true", help=text)


def add_quiet(parser: argparse.ArgumentParser, text: str = "show results and errors, but no progress") -> None:
    """Declares --quiet, which `run_program` obeys."""
    parser.add_argument("--quiet", action="store_true", help=text)


def add_prototxt(parser: argparse.ArgumentParser, text: str, required: bool = True) -> None:
    """Declares --prototxt, and --model, which is Caffe's name for it."""
    parser.add_argument("--prototxt", "--model", required=required, metavar="FILE", help=text)


def add_weights(parser: argparse.ArgumentParser, text: str, required: bool = False) -> None:
    """Declares --weights."""
    parser.add_argument("--weights", required=required, metavar="FILE", help=text)


def add_seed(parser: argparse.ArgumentParser, text: str, default: int | None = 0) -> None:
    """Declares --seed, a whole number from 0 on."""
    parser.add_argument("--seed", type=whole_number(0), default=default, metavar="N", help=text)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Declares --workers, a number of processes."""
    parser.add_argument(
        "--workers", type=whole_number(1, most=1024), default=os.cpu_count() or 1, metavar="N",
        help="processes (default: one per core)",
    )  # fmt: skip


def add_batch_size(parser: argparse.ArgumentParser, default: int) -> None:
    """Declares --batch-size, a number of images."""
    number = whole_number(1, "number of images")
    parser.add_argument("--batch-size", type=number, default=default, metavar="N", help="images per forward pass")


def device(text: str) -> str:
    """Returns a value of --device unchanged; ArgumentTypeError for an invalid one."""
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:0, cuda:0,1 or all, found '{text}'")
    return text


def device_of_gpu(text: str) -> str:
    """Returns the value of --device that means the same as this value of --gpu."""
    if not _GPU.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, all or none, found '{text}'")
    return {"none": "cpu", "all": "all", "": ""}.get(text, f"cuda:{text}")


def whole_number(
    least: int | None = None, what: str = "whole number", most: int = LARGEST_INT64
) -> Callable[[str], int]:
    """Returns a function that reads whole numbers from `least` to `most`; `what` names such a number in messages."""
    beginning = f"a {what}" if least is None else f"a {what} from {least} on"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < (-most - 1 if least is None else least):
            raise argparse.ArgumentTypeError(f"expected {beginning}, found '{text}'")
        if number > most:
            raise argparse.ArgumentTypeError(f"expected {beginning}, at most {most}, found '{text}'")
        return number

    return read
