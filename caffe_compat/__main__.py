"""`python -m caffe_compat COMMAND ...`; installed, `caffe-compat COMMAND ...`."""

import os.path
import sys


def main() -> int:
    """Runs the command that the command line names; returns the exit status."""
    try:
        from caffe_compat.cli.start import start  # late, so that none of its imports finds a file of the current folder

        return start(sys.argv[1:])
    except KeyboardInterrupt:  # during the first imports; a command answers those after them
        sys.stderr.write("caffe-compat: interrupted\n")
        return 130


def leave_current_folder() -> None:
    """Takes modules from where this package lies, not from the current folder, which `python -m` puts first.

    A file torch.py beside somebody's data must never run.
    """
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


if __name__ == "__main__":
    leave_current_folder()
    sys.exit(main())
