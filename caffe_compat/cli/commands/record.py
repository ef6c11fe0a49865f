"""Record every blob of a net's run inside another pycaffe, Python 2.7 included, for `verify --against DUMP.npz`.

The command runs one file, record_blobs.py, in the Python of --python. Where that Python is on another machine,
`--copy` writes the file, which needs nothing of this program; `python record_blobs.py --help` lists its flags.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from caffe_compat import parity
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.errors import MissingFeatureError

#: The file that runs inside any pycaffe.
SCRIPT = Path(parity.__file__).with_name("record_blobs.py")


def parser() -> CommandParser:
    """The flags of this command; those of the script are passed on."""
    result = command_parser(
        "record", __doc__ or "",
        "caffe-compat record --python /opt/caffe/bin/python --prototxt net.prototxt --weights net.caffemodel dump.npz",
    )  # fmt: skip
    result.add_argument("--python", default=sys.executable, metavar="PATH",
                        help="the Python with a pycaffe (default: this one)")  # fmt: skip
    result.add_argument("--copy", type=Path, metavar="FILE", help="write record_blobs.py to this file or folder")
    result.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of record_blobs.py")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Copies the script, or runs it; returns the script's exit status."""
    if arguments.copy:
        claim_files([_file_of(arguments.copy)])
        print(f"wrote {shutil.copyfile(SCRIPT, _file_of(arguments.copy))}")
        return DONE
    passed_on = [argument for argument in arguments.arguments if argument != "--"]
    if not passed_on:
        raise UsageError("expected what to record: --prototxt NET --weights MODEL DUMP.npz, or --copy FILE")
    command = [arguments.python, str(SCRIPT), *passed_on]
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        raise MissingFeatureError(f"{arguments.python}: cannot be run as a Python: {error.strerror}") from error


def _file_of(path: Path) -> Path:
    return path / SCRIPT.name if path.is_dir() else path


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
