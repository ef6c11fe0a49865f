"""The names that `import caffe_compat as caffe` shows."""

import ast
import re
from pathlib import Path

import pytest

import caffe_compat
from caffe_compat.pycaffe import io, net_spec

PYCAFFE = """
AdaDeltaSolver AdaGradSolver AdamSolver Blob Classifier Detector Layer NCCL NesterovSolver Net NetSpec RMSPropSolver
SGDSolver TEST TRAIN Timer coord_map draw get_solver has_nccl init_log io layer_type_list layers log net_spec params
proto pycaffe set_device set_mode_cpu set_mode_gpu set_multiprocess set_random_seed set_solver_count set_solver_rank
solver_count solver_rank to_proto classifier detector install_as_caffe allow_python_layers
"""


def test_pycaffes_names_are_there() -> None:
    assert set(PYCAFFE.split()) <= set(caffe_compat.__all__)
    assert list(caffe_compat.__all__) == sorted(caffe_compat.__all__)
    assert set(caffe_compat.__all__) <= set(dir(caffe_compat))


@pytest.mark.parametrize("name", caffe_compat.__all__)
def test_every_name_leads_somewhere(name: str) -> None:
    assert getattr(caffe_compat, name) is not None


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match=r"^module 'caffe_compat' has no attribute 'Nett'"):
        _ = caffe_compat.Nett


def test_the_package_of_layers_also_specifies_layers() -> None:
    top = caffe_compat.layers.Convolution(kernel_size=3)
    assert isinstance(top, net_spec.Top)
    with pytest.raises(AttributeError, match=r"^no layer type 'convolution': types start with a capital"):
        _ = caffe_compat.layers.convolution


def test_the_constants_are_caffes() -> None:
    assert (caffe_compat.TRAIN, caffe_compat.TEST) == (0, 1)
    assert re.fullmatch(r"\d+\.\d+\.\d+", caffe_compat.__version__)
    assert caffe_compat.proto.caffe_pb2 is io.caffe_pb2


def test_editors_see_every_name_where_it_is() -> None:
    tree = ast.parse(Path(str(caffe_compat.__file__)).read_text(encoding="utf-8"))
    *_, shown = (node for node in tree.body if isinstance(node, ast.If))  # an earlier one imports Any
    lines = [node for node in shown.body if isinstance(node, ast.ImportFrom)]
    seen = {node.names[0].asname: (node.module, node.names[0].name) for node in lines}
    modules = {name: home for name, home in caffe_compat._MODULES.items() if name != "_caffe"}
    split = {name: tuple(home.rpartition(".")[::2]) for name, home in modules.items()}
    assert seen == {name: (home, name) for name, home in caffe_compat._HOMES.items()} | split
