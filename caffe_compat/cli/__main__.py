"""Writes the page of commands: `python -m caffe_compat.cli docs/command_line.md`, from scripts/generate."""

import sys
from pathlib import Path

from caffe_compat.cli.command_page import page

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
