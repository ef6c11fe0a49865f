"""The files that an evaluation writes, by the name of the option that asks for them.

They stand apart from the command, which holds flags only.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.metrics.figures import write_png
from caffe_compat.srn.metrics.json_report import report_json
from caffe_compat.srn.metrics.report import Report
from caffe_compat.srn.metrics.tables import write_csv, write_latex


def write_json(report: Report, path: Path) -> None:
    """Every figure, in 0..1."""
    path.write_text(json.dumps(report_json(report), indent=1, allow_nan=False) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Report, Path], None]] = {
    "json": write_json,
    "csv": write_csv,
    "latex": write_latex,
    "png": write_png,
}


def write_outputs(report: Report, paths: Mapping[str, Path | None]) -> None:
    """Write each file that is asked for; a file that was there before is replaced only by a whole one."""
    for name, write in WRITERS.items():
        if path := paths.get(name):
            with replacing(path) as beside:
                write(report, beside)
