"""Makes a net that runs from a file of a trained net, and says what the net expects of an image.

Programs that run nets import it, not the converter.
"""

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Model
from caffe_compat.convert.stored_preprocessing import image_inputs, preprocessing_of, stated
from caffe_compat.data.preprocessing import Preprocessing
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import DEFAULT_SURROUNDINGS, Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import LayerBlobs

#: Suffixes of files that contain a description of their net.
WHOLE_ENDINGS = (".safetensors", ".pt", ".pth")
#: Suffix of files of weights without a net.
BARE_ENDING = ".h5"


def describes_its_net(path: str) -> bool:
    """Whether the file contains its net, so that no prototxt is needed; decided by the suffix."""
    return path.endswith(WHOLE_ENDINGS)


def net_of_file(path: str, surroundings: Surroundings = DEFAULT_SURROUNDINGS) -> Net:
    """Returns the deploy net of a file, with the file's weights."""
    deployed = deploy_form(read_model(path))
    net = build_net(deployed.net, caffe_pb2.NetState(phase="TEST"), surroundings)
    net.copy_layers(layers_of(deployed), path)
    return net


def layers_of(model: Model) -> list[LayerBlobs]:
    """Returns the model's weights in the form that `Net.copy_layers` takes."""
    types = {layer.name: layer.type for layer in model.net.layer}
    return [LayerBlobs(name, types.get(name, ""), list(blobs)) for name, blobs in model.blobs.items()]


def copy_file(net: Net, path: str, prototxt: str | None = None) -> None:
    """Copies weights by layer name into the net, from any model file except ONNX.

    `prototxt`, the net's file, describes a bare state dict.
    """
    net.copy_layers(layers_of(read_model(path, description=prototxt)), path)


def stored_preprocessing(net: Net, *weights: str, prototxt: str | None = None) -> Preprocessing | None:
    """Returns what a deploy net says of its images, else what the net in one of the weights files says.

    `prototxt`, the net's file, describes weights that are a bare state dict.
    """
    shapes = {name: net.blobs[name].shape for name in net.inputs}
    found = preprocessing_of(net.parameter, shapes)
    for file in weights:
        if found is None and not file.endswith(BARE_ENDING):
            trained = read_model(file, description=prototxt)
            said = (stated(trained.net, name, file, shapes[name][1]) for name in image_inputs(shapes))
            found = next((one for one in said if one is not None), None)
    return found
