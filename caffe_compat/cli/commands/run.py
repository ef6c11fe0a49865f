"""`run`: an unmodified pycaffe script, with `import caffe` meaning this package."""

import importlib.util
import logging
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType

from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.python_2 import offer_old_names, python_2_hint
from caffe_compat.cli.start import DONE, FAILED, command_parser, run_program
from caffe_compat.cli.translation import compile_script, finder_for, offer_old_division
from caffe_compat.errors import FormatError
from caffe_compat.logs.glog import environment_level, log_to_stderr
from caffe_compat.pycaffe.install import install_as_caffe


def parser() -> CommandParser:
    """The command line; every argument from the script on is the script's."""
    result = command_parser(
        "run", "Run an unmodified pycaffe script, with `import caffe` meaning this program.",
        "caffe-compat run classify.py --gpu photo.jpg out.npy",
    )  # fmt: skip
    result.add_argument("arguments", nargs="*", metavar="SCRIPT|-m MODULE", help="the script and its own arguments")
    return result


def run(arguments: list[str]) -> int:
    """Runs the script as `python SCRIPT ARGUMENTS` would; its own exit status and errors come out as they are."""
    if not arguments or arguments == ["-m"]:
        raise UsageError("expected a script: caffe-compat run SCRIPT [ARGUMENTS]")
    if arguments[0] != "-m" and arguments[0].startswith("-"):
        raise UsageError(f"unknown flag '{arguments[0]}'; flags of the script stand behind it")
    if arguments[0] != "-m" and not os.path.isfile(arguments[0]):
        raise FormatError(f"{arguments[0]}: no such script")
    log_to_stderr(environment_level())
    install_as_caffe()
    offer_old_names()
    offer_old_division()
    for handler in logging.getLogger("caffe_compat").handlers:
        handler.addFilter(_is_loud_enough)
    try:
        _run_module(arguments[1:]) if arguments[0] == "-m" else _run_script(arguments)
    except Exception as error:
        traceback.print_exception(error.with_traceback(_of_the_script(error.__traceback__)))
        hint = python_2_hint(error)
        if hint:
            print(hint, file=sys.stderr)
        return FAILED
    return DONE


def _is_loud_enough(record: logging.LogRecord) -> bool:
    """Scripts set GLOG_minloglevel before they import caffe, which is after this program has read it."""
    return record.levelno >= environment_level()


def _of_the_script(frames: TracebackType | None) -> TracebackType | None:
    """Returns the traceback from the script's own first line on."""
    while frames is not None and frames.tb_frame.f_globals.get("__name__") in (__name__, "runpy"):
        frames = frames.tb_next
    return frames


def _run_script(arguments: list[str]) -> None:
    """Runs like `python SCRIPT ARGUMENTS`: modules beside the script are found. Python 2 is translated."""
    sys.argv = arguments
    folder = os.path.dirname(os.path.abspath(arguments[0]))
    sys.path.insert(0, folder)
    sys.path_hooks.insert(0, finder_for(folder))
    sys.path_importer_cache.clear()
    script = ModuleType("__main__")
    script.__file__ = arguments[0]
    code = compile_script(importlib.util.decode_source(Path(arguments[0]).read_bytes()), arguments[0])
    caller, sys.modules["__main__"] = sys.modules["__main__"], script
    try:
        exec(code, script.__dict__)
    finally:
        sys.modules["__main__"] = caller


def _run_module(arguments: list[str]) -> None:
    """Runs like `python -m MODULE`: modules of the current folder are found."""
    sys.argv = arguments
    sys.path.insert(0, os.getcwd())
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    is_help = given[:1] in (["--help"], ["-h"])
    return run_program(parser(), lambda _: run(given), given[:1] if is_help else [])
