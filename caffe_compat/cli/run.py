"""`run`: an unmodified pycaffe script, with `import caffe` meaning this package."""

import os
import runpy
import sys
import traceback
from collections.abc import Sequence

from caffe_compat.cli.flags import Flag, FlagError, Flags
from caffe_compat.cli.python_2 import offer_old_names, python_2_hint
from caffe_compat.errors import FormatError
from caffe_compat.pycaffe.install import install_as_caffe

USAGE = "run: run an unmodified pycaffe script: run SCRIPT [ARGUMENTS]"
FLAGS: Sequence[Flag] | None = None  # every argument is the script's


def run(flags: Flags, arguments: list[str]) -> int:
    """Runs the script as `python SCRIPT ARGUMENTS` would; its own exit status and errors come out as they are."""
    if not arguments:
        raise FlagError("expected a script: python -m caffe_compat run SCRIPT [ARGUMENTS]")
    script = arguments[0]
    if not os.path.isfile(script):
        raise FormatError(f"{script}: no such script")
    install_as_caffe()
    offer_old_names()
    sys.argv = arguments
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        traceback.print_exc()
        hint = python_2_hint(error)
        if hint:
            print(hint, file=sys.stderr)
        return 1
    return 0
