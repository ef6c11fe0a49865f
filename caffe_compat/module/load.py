"""load: reads a PyTorch module from a file of a trained net."""

from collections.abc import Mapping, Sequence

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.given_preprocessing import store_for_images
from caffe_compat.convert.model import Shape, connect, file_in_errors
from caffe_compat.convert.norm.bn_statistics import AUTO
from caffe_compat.convert.norm.exchange import to_variance
from caffe_compat.convert.prototxt_model import with_prototxt
from caffe_compat.convert.report import ConversionReport
from caffe_compat.data.preprocessing import Preprocessing
from caffe_compat.errors import MissingFeatureError
from caffe_compat.module.caffe_module import CaffeModule
from caffe_compat.net.build import collector_paused
from caffe_compat.net.weights import copied_beside

PHASES = ("TEST", "TRAIN")


def load(
    path: str,
    *,
    prototxt: str | None = None,
    phase: str = "TEST",
    outputs: str | Sequence[str] = (),
    input_shapes: Mapping[str, Shape] | None = None,
    dialect: str | None = None,
    bn_statistics: str = AUTO,
    allow_python_layers: bool = False,
    engine: str = "fast",
    description: str | None = None,
    preprocessing: Preprocessing | None = None,
) -> CaffeModule:
    """Returns a module in eval, read from .safetensors, .pt, .caffemodel or .caffemodel.h5 (this one needs `prototxt`).

    - `phase` "TRAIN" returns the module in train mode.
    - `outputs` names a blob, or several, to return instead of the net's own outputs.
    - `input_shapes` is needed only if neither the file nor the weights determine the shapes.
    - `bn_statistics` says what BN's fourth blob holds ("variance", "inverse_deviation"); by default its values decide.
    - `allow_python_layers` allows layers of type Python without weights to run the code that they name.
    - `engine` is explained at CaffeModule.
    - `description` names the net of a bare state dict: the file from which the module was loaded, or a prototxt.
      `safetensors.torch.save_file(module.state_dict(), path)` writes such a file.
    - `preprocessing` says what the net expects of an image, in place of what the files say.

    Raises errors of caffe_compat.errors that name the file.
    """
    outputs = (outputs,) if isinstance(outputs, str) else outputs
    with collector_paused(), file_in_errors(path, prototxt):
        if phase not in PHASES:
            raise MissingFeatureError(f"no phase '{phase}' of a module; expected one of: {', '.join(PHASES)}")
        model = read_model(path, dialect, description=description or prototxt)
        report = ConversionReport(model)
        if prototxt is not None:
            model = with_prototxt(model, prototxt, report)
        model = to_variance(model, bn_statistics, report)
        deployed = deploy_form(model, input_shapes, report, outputs)
        if preprocessing is not None:
            store_for_images(deployed, preprocessing)
        with copied_beside(deployed.blobs) as blobs:
            module = CaffeModule(connect(deployed, blobs, allow_python_layers), outputs, engine)
    return module.train(phase == "TRAIN")
