"""The verdicts of a parity report, for the colours of a page.

It stands apart from `page`, which reads no files of users.
"""

import json
from pathlib import Path
from typing import Any

from caffe_compat.errors import FormatError
from caffe_compat.proto.file_bytes import read_bytes


def read_parity(path: Path) -> dict[str, dict[str, Any]]:
    """For each layer the verdict with the largest error, from the JSON report that `verify --json` writes.

    Raises FormatError for a file that is no such report.
    """
    try:
        rows = json.loads(read_bytes(path, "a parity report"))["differences"]
        found = [(row["layer"], row["verdict"], row["net"]["relative"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(
            f"{path}: expected a parity report, as `caffe-compat verify --json FILE` writes it; {type(error).__name__}"
        ) from error
    infinite = float("inf")
    found.sort(key=lambda row: infinite if row[2] is None else row[2])  # a layer's last entry has its largest error
    return {
        layer: {"verdict": verdict, "error": "not finite" if size is None else f"{size:.2g}"}
        for layer, verdict, size in found
    }
