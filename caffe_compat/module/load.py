"""load: a PyTorch module from a file of a trained net."""

from collections.abc import Mapping, Sequence

from caffe_compat.convert.assemble import connect
from caffe_compat.convert.file_in_errors import file_in_errors
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Shape
from caffe_compat.convert.norm.bn_statistics import AUTO, to_variance
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.report import Report
from caffe_compat.module.caffe_module import CaffeModule
from caffe_compat.net.collector_paused import collector_paused
from caffe_compat.net.own_copies import copied_beside


def load(
    path: str,
    *,
    prototxt: str | None = None,
    phase: str = "TEST",
    outputs: Sequence[str] = (),
    input_shapes: Mapping[str, Shape] | None = None,
    dialect: str | None = None,
    bn_statistics: str = AUTO,
    allow_python_layers: bool = False,
    engine: str = "fast",
    description: str | None = None,
) -> CaffeModule:
    """A module from .safetensors, .pt, .caffemodel or (with its prototxt) .caffemodel.h5, in eval.

    `phase` "TRAIN" gives the module in train mode. `outputs` names blobs to return in place of the net's own outputs.
    `input_shapes` is needed only where the file holds no shapes and the weights do not tell them. `bn_statistics` says
    what BN's fourth blob holds ("variance", "inverse_deviation"), which its values tell otherwise.
    `allow_python_layers` lets layers of type Python, without weights of their own, run the code that they name.
    `engine` is explained at CaffeModule. `description` says which net the tensors of a bare state dict belong to, as
    `safetensors.torch.save_file(module.state_dict(), path)` writes it: the file that the module was loaded from, or a
    prototxt.
    """
    with collector_paused(), file_in_errors(path, prototxt):
        model = read_model(path, dialect, description=description or prototxt)
        report = Report(model)
        if prototxt is not None:
            model = with_prototxt(model, prototxt, report)
        model = to_variance(model, bn_statistics, report)
        deployed = deploy_form(model, input_shapes, report, outputs)
        with copied_beside(deployed.blobs) as blobs:
            module = CaffeModule(connect(deployed, blobs, allow_python_layers), outputs, engine)
    return module.train(phase == "TRAIN")
