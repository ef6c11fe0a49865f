"""`python -m caffe_compat COMMAND ...`; installed, `caffe-compat COMMAND ...`."""

import sys
from pathlib import Path


def main() -> int:
    """Runs the command that the command line names; returns the exit status."""
    from caffe_compat.cli.start import start  # late, so that none of its imports finds a file of the current folder

    return start(sys.argv[1:])


def leave_current_folder() -> None:
    """Takes modules from where this package lies, not from the current folder, which `python -m` puts first.

    A file torch.py beside somebody's data must never run.
    """
    sys.path[0] = str(Path(__file__).resolve().parents[1])


if __name__ == "__main__":
    leave_current_folder()
    sys.exit(main())
