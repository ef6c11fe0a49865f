"""Writes the page of layer types to a file."""

import sys
from pathlib import Path

from caffe_compat.catalogue.page import markdown

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
