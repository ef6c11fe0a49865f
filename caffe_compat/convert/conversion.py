"""Converts a weights file to another file in steps, with a report; TARGETS are the formats that can be written."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf.message import Message

from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.train_form import train_form
from caffe_compat.convert.given_preprocessing import image_blobs, with_image_flags
from caffe_compat.convert.model import Assembly, Model, assemble, file_in_errors, path_with_suffix
from caffe_compat.convert.norm.exchange import exchange_norms, to_variance
from caffe_compat.convert.norm.fold import fold_norms
from caffe_compat.convert.options import DEPLOY, SAME, Options
from caffe_compat.convert.pretrained.pixels import Mean
from caffe_compat.convert.pretrained.write import write_torchvision
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.rename.rename import rename
from caffe_compat.convert.report import ConversionReport, ReportRow
from caffe_compat.convert.stored_preprocessing import stated
from caffe_compat.data.preprocessing import BGR, UNSAID
from caffe_compat.errors import FormatError, GraphError, MissingFeatureError
from caffe_compat.proto.dialects.translate import OWN, can_be_written, in_dialect
from caffe_compat.proto.file_bytes import write_bytes
from caffe_compat.proto.write import write_text
from caffe_compat.terminal.progress import Progress

Write = Callable[[str, Model, Options, ConversionReport], None]


@dataclass(frozen=True)
class Target:
    """A file format: its suffix and writer; `deploys(options)` tells whether it holds the deploy form only."""

    suffix: str
    write: Write
    deploys: Callable[[Options], bool] = lambda options: False

    def path_for(self, source: str, options: Options) -> str:
        """Returns the default path: the source's path with this suffix, and the dialect if the options set one."""
        suffix = self.suffix.format(form=options.form, dialect="" if options.dialect == SAME else f"_{options.dialect}")
        return path_with_suffix(source, suffix)


def dialect_for(model: Model, options: Options) -> str:
    """Returns the dialect to write: the requested one, else the source's.

    If that dialect lacks layer types or fields of the net, returns OWN, which has those of all Caffes.
    """
    if options.dialect != SAME:
        return options.dialect
    return model.dialect if can_be_written(model.net, model.dialect) else OWN


def _dialect(model: Model, options: Options, report: ConversionReport) -> str:
    dialect = dialect_for(model, options)
    said = (
        "with layer types or fields that neither BVLC's Caffe nor the SRN fork has"
        if dialect == OWN
        else f"in the {dialect} dialect"
    )
    report.notes.append(f"written {said}")
    return dialect


def _safetensors(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    write_safetensors(path, model)


def _torch(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    write_state_dict(path, model)
    report.notes.append(f"the net is described in {path}.json, which belongs beside it")


def _hdf5(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    write_caffemodel(path, model)
    report.notes.append("HDF5 holds weights only; keep the prototxt with it")


def _caffemodel(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    write_caffemodel(path, model, _dialect(model, options, report))


def _prototxt(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    """Writes a prototxt; the model is already in deploy form if the options ask for that form."""
    blobs = {top for layer in model.net.layer for top in layer.top}
    missing = [name for name in options.outputs if name not in blobs]
    if missing:
        raise GraphError(
            f"{model.path}: no blob '{missing[0]}' to give out; the net's last blobs are "
            f"{', '.join(layer.top[0] for layer in list(model.net.layer)[-8:] if layer.top)}"
        )
    made = model if options.form == DEPLOY else _with_input_shapes(train_form(model, report), options)
    message: Message = in_dialect(made.net, _dialect(made, options, report))
    write_text(path, message, f"{options.form} form, rebuilt from {model.path}")


def _with_input_shapes(trained: Model, options: Options) -> Model:
    """Returns the model with shapes for `input:` fields, which the SRN fork does not save; takes the deploy form's."""
    if not trained.net.input:
        return trained
    inputs = deploy_form(trained, options.input_shapes).net.layer
    shapes = {layer.top[0]: layer.input_param.shape[0] for layer in inputs if layer.type == "Input"}
    trained.net.input[:] = [name for name in trained.net.input if name in shapes]
    trained.net.input_shape.extend(shapes[name] for name in trained.net.input)
    return trained


def _onnx(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    try:
        from caffe_compat.convert.onnx import export
    except ModuleNotFoundError as error:
        raise MissingFeatureError(
            f"{path}: ONNX needs the package '{error.name}': pip install onnx onnxruntime"
        ) from error
    _require_no_code(model)
    net = assemble(model)
    data = export.onnx_bytes(
        path, export.export_onnx(net, options.outputs, options.dynamic_batch, options.dynamic_size)
    )
    if options.check:
        report.notes.append(_check(path, data, net, options))
    write_bytes(path, [data])


def _check(path: str, data: bytes, net: Assembly, options: Options) -> str:
    """Compares with onnxruntime, with batch 2 if the net allows it; notes the result. FormatError if they differ."""
    from caffe_compat.convert.onnx import check, export

    small, ran = check.with_small_batch(net), data
    if small is not net and not options.dynamic_batch:
        check.require_loads(path, data)
        ran = export.onnx_bytes(path, export.export_onnx(small, options.outputs, False, options.dynamic_size))
    worst = check.compare_with_onnxruntime(path, ran, small, options.outputs, options.dynamic_size)
    tried = "" if small is net else f", at a batch of {check.SMALL_BATCH} in place of {_batch(net)}"
    return f"onnxruntime agrees: '{worst.output}' differs most, by {worst.error:.2g} of its largest{tried}"


def _batch(net: Assembly) -> int:
    return next(iter(net.inputs.values()))[0]


def _require_no_code(model: Model) -> None:
    """Raises MissingFeatureError for Python layers before layers are created, since creation would run their code."""
    for layer in model.net.layer:
        if layer.type == "Python":
            raise MissingFeatureError(
                f"layer '{layer.name}' (Python): ONNX has no words for a user's code; give a net that ends before it "
                f"({', '.join(layer.bottom)}) with --prototxt"
            )


def _always(options: Options) -> bool:
    return True


def _torchvision(path: str, model: Model, options: Options, report: ConversionReport) -> None:
    write_torchvision(path, model, replace(options.pixels, mean=options.pixels.mean or _stored_mean(model)), report)


def _stored_mean(model: Model) -> Mean | None:
    """Returns the mean (B, G, R) that the net says of its images; None for images of another kind."""
    for blob, planes in image_blobs(model).items():
        found = stated(model.net, blob, model.path, planes)
        if found is not None and (found.channels, found.scale) == (BGR, 1):
            blue, green, red = found.channel_means()
            return blue, green, red
    return None


TARGETS: dict[str, Target] = {
    "safetensors": Target(".safetensors", _safetensors),
    "torch": Target(".pt", _torch),
    "onnx": Target(".onnx", _onnx, _always),
    "hdf5": Target(".caffemodel.h5", _hdf5),
    "caffemodel": Target("{dialect}.caffemodel", _caffemodel),
    "torchvision": Target(".pth", _torchvision),
    "prototxt": Target("_{form}.prototxt", _prototxt, lambda options: options.form == DEPLOY),
}


Step = Callable[[Model, ConversionReport], Model]

DEFAULTS = Options()


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion: the path of the new file, the report, and its rows about every layer."""

    path: str
    report: ConversionReport
    rows: list[ReportRow]


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
            report = ConversionReport(model)
            progress.advance()
            for step in steps:
                model = step(model, report)
                progress.advance()
            target.write(path, model, options, report)
            progress.advance()
    return Conversion(path, report, report.rows(model))


def _steps(target: Target, options: Options) -> list[Step]:
    """Returns the changes that the options ask for, ordered so that each finds the results that it needs."""
    steps: list[Step] = []
    if options.prototxt is not None:
        prototxt = options.prototxt
        steps.append(lambda model, report: with_prototxt(model, prototxt, report, options.allow_unfilled))
    if options.images != UNSAID:
        steps.append(lambda model, report: with_image_flags(model, options.images, report))
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
    if any(os.path.realpath(source) == os.path.realpath(target) for source in sources if source is not None):
        raise FormatError(f"{target}: expected another file than the source; name the target with --out")
