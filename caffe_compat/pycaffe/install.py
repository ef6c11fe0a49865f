"""Makes `import caffe` find this package."""

import importlib
import sys

from caffe_compat.errors import MissingFeatureError
from caffe_compat.pycaffe.process import allow_python_layers as allow

#: pycaffe's modules and where they are here.
MODULES = {
    "caffe": "caffe_compat",
    "caffe._caffe": "caffe_compat",
    "caffe.classifier": "caffe_compat.pycaffe.classifier",
    "caffe.coord_map": "caffe_compat.pycaffe.coord_map",
    "caffe.detector": "caffe_compat.pycaffe.detector",
    "caffe.draw": "caffe_compat.pycaffe.draw",
    "caffe.io": "caffe_compat.pycaffe.io",
    "caffe.net_spec": "caffe_compat.pycaffe.net_spec",
    "caffe.proto": "caffe_compat.proto",
    "caffe.proto.caffe_pb2": "caffe_compat.proto.caffe_pb2",
    "caffe.pycaffe": "caffe_compat.pycaffe",
}


def install_as_caffe(allow_python_layers: bool = True) -> None:
    """From now on `import caffe` and its submodules mean this package, in this process.

    As in pycaffe, Python layers then run; `allow_python_layers=False` refuses them.
    """
    present = sys.modules.get("caffe")
    if present is not None and present.__name__ != MODULES["caffe"]:
        raise MissingFeatureError(
            f"another caffe is imported already, from {getattr(present, '__file__', 'an unknown place')}; "
            "call install_as_caffe() before the first import of caffe"
        )
    sys.modules.update({name: importlib.import_module(place) for name, place in MODULES.items()})
    allow(allow_python_layers)
