"""The flags that mean the same in every command, and the values that they take."""

import argparse
import os
import re
from collections.abc import Callable

#: How a net may run; caffe_compat.engine.create makes them.
ENGINES = ("exact", "fast", "fast-bf16", "onnxruntime", "openvino", "openvino-bf16")

_DEVICE = re.compile(r"cpu|all|cuda(:\d+(,\d+)*)?|")
_GPU = re.compile(r"none|all|\d+(,\d+)*|")


def add_device(parser: argparse.ArgumentParser, default: str = "cpu") -> None:
    """--device, and --gpu as Caffe has it. The namespace's `device` is a string for `gpus_of`; "" is the default."""
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
    """--engine."""
    text = (
        "exact (every layer on its own), fast (layers fused), fast-bf16 (products in bfloat16); to predict also "
        "onnxruntime, openvino and openvino-bf16, which run our ONNX export"
    )
    parser.add_argument("--engine", choices=ENGINES, default=default, help=text if shown else argparse.SUPPRESS)


def add_allow_unfilled(parser: argparse.ArgumentParser) -> None:
    """--allow-unfilled."""
    text = "accept weights that leave layers of the net without values; these keep what their fillers draw"
    parser.add_argument("--allow-unfilled", action="store_true", help=text)


def add_quiet(parser: argparse.ArgumentParser, text: str = "show results and errors, but no progress") -> None:
    """--quiet, which `run_program` obeys."""
    parser.add_argument("--quiet", action="store_true", help=text)


def add_prototxt(parser: argparse.ArgumentParser, text: str, required: bool = True) -> None:
    """--prototxt, and --model as Caffe's own programs have it."""
    parser.add_argument("--prototxt", "--model", required=required, metavar="FILE", help=text)


def add_weights(parser: argparse.ArgumentParser, text: str, required: bool = False) -> None:
    """--weights."""
    parser.add_argument("--weights", required=required, metavar="FILE", help=text)


def add_seed(parser: argparse.ArgumentParser, text: str, default: int | None = 0) -> None:
    """--seed."""
    parser.add_argument("--seed", type=whole_number(0), default=default, metavar="N", help=text)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """--workers."""
    parser.add_argument(
        "--workers", type=whole_number(1), default=os.cpu_count() or 1, metavar="N",
        help="processes (default: one per core)",
    )  # fmt: skip


def add_batch_size(parser: argparse.ArgumentParser, default: int) -> None:
    """--batch-size."""
    number = whole_number(1, "number of images")
    parser.add_argument(
        "--batch-size", type=number, default=default, metavar="N", help="images that a net takes at once"
    )


def device(text: str) -> str:
    """A value of --device."""
    if not _DEVICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:0, cuda:0,1 or all, found '{text}'")
    return text


def device_of_gpu(text: str) -> str:
    """A value of --gpu as one of --device."""
    if not _GPU.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, all or none, found '{text}'")
    return {"none": "cpu", "all": "all", "": ""}.get(text, f"cuda:{text}")


def whole_number(least: int | None = None, what: str = "whole number") -> Callable[[str], int]:
    """A reader of whole numbers, from `least` on where it is given; `what` names them in its errors."""
    beginning = f"a {what}" if least is None else f"a {what} from {least} on"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or (least is not None and number < least):
            raise argparse.ArgumentTypeError(f"expected {beginning}, found '{text}'")
        return number

    return read
