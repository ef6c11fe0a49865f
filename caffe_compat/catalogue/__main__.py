"""Writes the files generated from the registry of layers: `python -m caffe_compat.catalogue ROOT`.

scripts/generate runs this command.
"""

import sys
from pathlib import Path

from caffe_compat.catalogue.forks import forks_page
from caffe_compat.catalogue.known_types import source
from caffe_compat.catalogue.page import markdown

if __name__ == "__main__":
    root = Path(sys.argv[1])
    (root / "caffe_compat" / "proto" / "dialects" / "layer_types.py").write_text(source(), encoding="utf-8")
    (root / "docs" / "layers.md").write_text(markdown(), encoding="utf-8")
    (root / "docs" / "forks.md").write_text(forks_page(), encoding="utf-8")
