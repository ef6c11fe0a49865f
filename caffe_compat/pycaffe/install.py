"""Registers this package under the name `caffe`, so that `import caffe` finds it."""

import importlib
import sys
from types import ModuleType
from typing import Any

import caffe_compat
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.settings import allow_python_layers as allow

#: Value of `caffe.__version__`, which scripts compare: the version of Caffe whose interface this is.
CAFFE_VERSION = "1.0.0"
#: Names of pycaffe's modules, with the modules of this package.
MODULES = {
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


#: Modules that only other Caffes have, with the Caffe, and what a script does without.
ELSEWHERE = {
    "caffe.model_libs": (
        "SSD's Caffe", "copy its python/caffe/model_libs.py beside the script and write `from model_libs import ...`"
    ),
    "caffe.segmenter": ("CRF-RNN's Caffe", "take caffe.Net and caffe.io.Transformer; its mean field is not here"),
}  # fmt: skip


class ModuleElsewhere(ModuleType):
    """Stands for a module of another Caffe; says whose the module is as soon as something is imported from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        caffe, cure = ELSEWHERE[self.__name__]
        raise MissingFeatureError(f"{self.__name__} is a module of {caffe}: {cure}")


class Face(ModuleType):
    """The module `caffe`: the contents of this package under Caffe's name and version."""

    def __init__(self) -> None:
        super().__init__("caffe", caffe_compat.__doc__)
        self.__version__ = CAFFE_VERSION
        self.__file__ = caffe_compat.__file__
        self.__path__ = caffe_compat.__path__
        self.__all__ = caffe_compat.__all__

    def __getattr__(self, name: str) -> Any:
        return getattr(caffe_compat, name)

    def __dir__(self) -> list[str]:
        return dir(caffe_compat)


def install_as_caffe(allow_python_layers: bool = True) -> None:
    """Makes `import caffe` and its submodules import this package, in this process.

    As in pycaffe, Python layers may then run; `allow_python_layers=False` forbids them.
    """
    make_findable()
    allow(allow_python_layers)


def make_findable() -> None:
    """Registers this package as `caffe` and leaves permission for Python layers unchanged.

    MissingFeatureError if another caffe is imported already.
    """
    present = sys.modules.get("caffe")
    if present is not None and not isinstance(present, Face):
        raise MissingFeatureError(
            f"another caffe is imported already, from {getattr(present, '__file__', 'an unknown place')}; "
            "call install_as_caffe() before the first import of caffe"
        )
    sys.modules["caffe"] = present or Face()
    sys.modules.update({name: importlib.import_module(place) for name, place in MODULES.items()})
    sys.modules.update({name: ModuleElsewhere(name) for name in ELSEWHERE})
