"""The flags that commands share, and Caffe's (tools/caffe.cpp), with Caffe's spelling and defaults."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from caffe_compat.cli.parser import BooleanAction, CommandParser
from caffe_compat.data.image_size import DEFAULT_MOST_PIXELS, set_most_pixels
from caffe_compat.data.preprocessing import CHANNELS, ImageFlags
from caffe_compat.errors import CaffeError
from caffe_compat.net.settings import Surroundings
from caffe_compat.solvers.actions import ACTIONS
from caffe_compat.solvers.guards import POLICIES

logger = logging.getLogger("caffe_compat")


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


def add_image_flags(parser: argparse.ArgumentParser) -> None:
    """Declares --mean, --channels, --scale and --size, which `image_flags_of` reads."""
    add = parser.add_argument
    add(
        "--mean", type=mean_values, metavar="B,G,R|FILE",
        help="the mean to subtract from pixels (0 to 255), in the order of --channels; from a mean image "
             "(.binaryproto, .npy) the mean of each channel is taken",
    )  # fmt: skip
    add("--channels", choices=tuple(CHANNELS), help="the order of an image's channels")
    add("--scale", type=float, metavar="NUMBER", help="the factor for pixels minus the mean")
    add(
        "--size",
        type=image_size,
        metavar="HEIGHT,WIDTH",
        help="height and width of the net's images; one number for squares",
    )


def image_flags_of(arguments: argparse.Namespace) -> ImageFlags:
    """Returns what the flags of `add_image_flags` say."""
    return ImageFlags(arguments.channels, arguments.mean, arguments.scale, arguments.size)


def mean_values(text: str) -> tuple[float, ...]:
    """Returns the numbers of `104,117,123`, of one number, or the channels' means of a mean image's file."""
    if text.endswith((".binaryproto", ".npy")):
        from caffe_compat.convert.stored_preprocessing import mean_of_file  # a late import: few commands need it

        try:
            return mean_of_file(text)
        except CaffeError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"expected one number, three numbers as in 104,117,123, or a mean image (.binaryproto, .npy), got '{text}'"
        )
    return values


def image_size(text: str) -> tuple[int, int]:
    """Returns height and width of `224,320`, or of `224` for a square."""
    parts = text.split(",")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected HEIGHT,WIDTH or one number, each from 1 on, got '{text}'")
    return int(parts[0]), int(parts[-1])


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


Value = str | int | bool

#: Each flag's default, which determines its type, and its help text.
FLAGS: dict[str, tuple[Value, str]] = {
    "solver": ("", "the solver's prototxt"),
    "model": ("", "the net's prototxt"),
    "phase": ("", "the phase to build the net for: TRAIN or TEST (default: TRAIN)"),
    "level": (0, "the level for the net's include and exclude rules"),
    "stage": ("", "the stages for the net's include and exclude rules, separated by commas; a stage is not a phase"),
    "snapshot": (
        "",
        "the .solverstate to continue from, or auto: the newest complete one with the prefix, if there is one",
    ),
    "keep": (0, "how many snapshots to keep; older ones are removed (default: all)"),
    "on-nan": ("stop", "what to do where a loss, output or gradient is NaN or infinite"),
    "check-data": (False, "read and decode all data once before training"),
    "max-pixels": (DEFAULT_MOST_PIXELS, "refuse images that declare more pixels"),
    "worker-timeout": (300, "end all processes if one of them does not answer for this many seconds"),
    "weights": ("", "the .caffemodel to start from, several separated by commas; not together with --snapshot"),
    "iterations": (50, "the number of iterations to run"),
    "sigint_effect": ("", "what Ctrl-C (SIGINT) does; without the flag it stops with exit status 3, not Caffe's 0"),
    "sighup_effect": ("snapshot", "what a hang-up (SIGHUP) does"),
    "json": ("", "a file to write the figures to, as JSON; not in Caffe"),
    "log_file": ("", "a file to which the log is appended as well"),
    "allow_python_layers": (False, "let Python layers of the net run the code that they name"),
}
#: The values that a flag accepts, for flags that do not accept any text.
KINDS: dict[str, dict[str, Any]] = {
    "phase": {"choices": ("", "TRAIN", "TEST"), "metavar": "PHASE"},
    "level": {"type": whole_number(most=LARGEST_INT32), "metavar": "N"},
    "iterations": {"type": whole_number(1), "metavar": "N"},
    "json": {"metavar": "FILE"},
    "keep": {"type": whole_number(), "metavar": "N"},
    "on-nan": {"choices": POLICIES},
    "max-pixels": {"type": whole_number(1), "metavar": "N"},
    "worker-timeout": {"type": whole_number(1), "metavar": "SECONDS"},
    "sigint_effect": {"choices": tuple(ACTIONS)},
    "sighup_effect": {"choices": tuple(ACTIONS)},
}
TEXT = {"metavar": "VALUE"}
#: Other spellings of Caffe's flags, from the vocabulary of all commands.
ALIASES = {"model": "--prototxt"}


def add_caffe_flags(parser: CommandParser, own: Sequence[str]) -> None:
    """Declares Caffe's flags. As in Caffe the others are accepted as well, but they have no effect and no help."""
    add_device(parser, "as the solver says" if "solver" in own else "cpu")
    add_engine(parser, shown="engine" in own)
    for name, (default, text) in FLAGS.items():
        spellings = [f"--{name}", ALIASES[name]] if name in ALIASES else [f"--{name}"]
        shown = text if name in own else argparse.SUPPRESS
        if isinstance(default, bool):
            parser.add_argument(*spellings, action=BooleanAction, default=default, help=shown)
        else:
            parser.add_argument(*spellings, default=default, help=shown, **KINDS.get(name, TEXT))
    whole_log = "; the file of --log_file has the whole log" if "log_file" in own else ""
    add_quiet(parser, f"show warnings and errors only{whole_log}")
    parser.set_defaults(own=own)


def warn_of_idle_flags(arguments: argparse.Namespace) -> None:
    """Logs a warning for every flag that is given and has no effect on this command."""
    for name, (default, _) in FLAGS.items():
        if name not in arguments.own and getattr(arguments, name.replace("-", "_")) != default:
            logger.warning("--%s has no effect on this command", name)


def stages_of(arguments: argparse.Namespace) -> list[str]:
    """Returns the stages that --stage names; without the flag one empty stage, as in Caffe."""
    return str(arguments.stage).split(",")


def surroundings_of(arguments: argparse.Namespace) -> Surroundings:
    """Returns what a net needs beyond its prototxt. Modules of Python layers may lie in the current folder."""
    if arguments.allow_python_layers:
        sys.path.append(os.getcwd())
    set_most_pixels(arguments.max_pixels)
    return Surroundings(allow_python_layers=arguments.allow_python_layers)
