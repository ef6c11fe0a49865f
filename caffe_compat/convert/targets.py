"""The file formats to which a model can be written."""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from caffe_compat.convert.assemble import assemble
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.safetensors_file import write_safetensors
from caffe_compat.convert.formats.state_dict import write_state_dict
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.train_form import train_form
from caffe_compat.convert.model import Model, path_with_suffix
from caffe_compat.convert.options import DEPLOY, SAME, Options
from caffe_compat.convert.pretrained.write import write_torchvision
from caffe_compat.convert.report import Report
from caffe_compat.errors import MissingFeatureError
from caffe_compat.proto.dialects.translate import OWN, can_be_written, in_dialect
from caffe_compat.proto.file_bytes import write_bytes
from caffe_compat.proto.write import write_text

Write = Callable[[str, Model, Options, Report], None]


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


def _dialect(model: Model, options: Options, report: Report) -> str:
    dialect = dialect_for(model, options)
    said = (
        "with layer types or fields that neither BVLC's Caffe nor the SRN fork has"
        if dialect == OWN
        else f"in the {dialect} dialect"
    )
    report.notes.append(f"written {said}")
    return dialect


def _safetensors(path: str, model: Model, options: Options, report: Report) -> None:
    write_safetensors(path, model)


def _torch(path: str, model: Model, options: Options, report: Report) -> None:
    write_state_dict(path, model)
    report.notes.append(f"the net is described in {path}.json, which belongs beside it")


def _hdf5(path: str, model: Model, options: Options, report: Report) -> None:
    write_caffemodel(path, model)
    report.notes.append("HDF5 holds weights only; keep the prototxt with it")


def _caffemodel(path: str, model: Model, options: Options, report: Report) -> None:
    write_caffemodel(path, model, _dialect(model, options, report))


def _prototxt(path: str, model: Model, options: Options, report: Report) -> None:
    """Writes a prototxt; the model is already in deploy form if the options ask for that form."""
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


def _onnx(path: str, model: Model, options: Options, report: Report) -> None:
    try:
        from caffe_compat.convert.onnx import check, export
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
        worst = check.compare_with_onnxruntime(path, data, net, options.outputs, options.dynamic_size)
        report.notes.append(f"onnxruntime agrees: '{worst.output}' differs most, by {worst.error:.2g} of its largest")
    write_bytes(path, [data])


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


def _torchvision(path: str, model: Model, options: Options, report: Report) -> None:
    write_torchvision(path, model, options.pixels, report)


TARGETS: dict[str, Target] = {
    "safetensors": Target(".safetensors", _safetensors),
    "torch": Target(".pt", _torch),
    "onnx": Target(".onnx", _onnx, _always),
    "hdf5": Target(".caffemodel.h5", _hdf5),
    "caffemodel": Target("{dialect}.caffemodel", _caffemodel),
    "torchvision": Target(".pth", _torchvision),
    "prototxt": Target("_{form}.prototxt", _prototxt, lambda options: options.form == DEPLOY),
}
