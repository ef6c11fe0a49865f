"""Converts a weights file to another file in steps, with a report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.convert.file_in_errors import file_in_errors
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Model
from caffe_compat.convert.norm.bn_statistics import to_variance
from caffe_compat.convert.norm.exchange import exchange_norms
from caffe_compat.convert.norm.fold import fold_norms
from caffe_compat.convert.options import Options
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.rename.rename import rename
from caffe_compat.convert.report import Report, Row
from caffe_compat.convert.targets import TARGETS, Target, dialect_for
from caffe_compat.errors import FormatError
from caffe_compat.terminal.progress import Progress

Step = Callable[[Model, Report], Model]

DEFAULTS = Options()


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion: the path of the new file, the report, and its rows about every layer."""

    path: str
    report: Report
    rows: list[Row]


def convert(source: str, to: str, out: str | None = None, options: Options = DEFAULTS) -> Conversion:
    """Reads `source`, applies the options' changes, and writes `out` in the format `to`, a name of TARGETS.

    By default the new file is in the folder of the source. Every problem is a CaffeError that names file and layer.
    """
    target = TARGETS[to]
    path = out or target.path_for(source, options)
    _require_other_file(path, source, options.prototxt, options.rename)
    with file_in_errors(source, path, options.prototxt, options.rename):
        steps = _steps(target, options)
        with Progress(f"converting {Path(source).name}", len(steps) + 2, "steps") as progress:
            model = read_model(source, options.source_dialect, options.pixels, options.prototxt)
            report = Report(model)
            progress.advance()
            for step in steps:
                model = step(model, report)
                progress.advance()
            target.write(path, model, options, report)
            progress.advance()
    return Conversion(path, report, report.rows(model))


def _steps(target: Target, options: Options) -> list[Step]:
    """Returns the changes that the options ask for, in an order in which each finds the results that it needs."""
    steps: list[Step] = []
    if options.prototxt is not None:
        prototxt = options.prototxt
        steps.append(lambda model, report: with_prototxt(model, prototxt, report, options.allow_unfilled))
    steps.append(lambda model, report: to_variance(model, options.bn_statistics, report))
    steps.append(lambda model, report: exchange_norms(model, options.norm, dialect_for(model, options), report))
    if options.rename is not None:
        names = options.rename
        steps.append(lambda model, report: rename(model, names, report))
    if options.fold_bn or target.deploys(options):
        steps.append(lambda model, report: deploy_form(model, options.input_shapes, report, options.outputs))
    if options.fold_bn:
        steps.append(fold_norms)
    return steps


def _require_other_file(target: str, *sources: str | None) -> None:
    if any(Path(source).resolve() == Path(target).resolve() for source in sources if source is not None):
        raise FormatError(f"{target}: expected another file than the source; name the target with --out")
