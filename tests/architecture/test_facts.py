"""A fact about a layer type lives on its class; tables of types exist only where they are listed here."""

import ast
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest

import caffe_compat.layers
from caffe_compat.layers.caffes import BVLC, SRN_FORK
from caffe_compat.layers.registry import _LAYERS

ROOT = Path(__file__).resolve().parents[2]
TYPES = frozenset(_LAYERS)
PACKAGES = ("caffe_compat", "prototxt_gen", "tools", "scripts", "benchmarks")
#: A table with fewer types than this is a special case, not a second home for facts.
FEWEST = 3

#: Tables that say what types mean in a target (ONNX, OpenCV, an old file format, pycaffe's own pictures), and why each
#: stays beside that target. Every name in them must be a type of ours; `COMPLETE` has those that must hold all types.
TABLES = {
    "caffe_compat/convert/onnx/table.py:EXPORTERS": "how ONNX says a type",
    "caffe_compat/convert/onnx/open_size.py:WITHOUT_SIZES": "types whose ONNX nodes hold no size",
    "caffe_compat/convert/onnx/open_size.py:OPEN_SIZE": "how ONNX says a type for any size",
    "caffe_compat/module/replacements.py:MAKERS": "which type stands for a module of PyTorch's; saving tests all",
    "caffe_compat/parity/causes/replacements.py:REPLACEMENTS": "what other programs compute in a type's place",
    "caffe_compat/parity/causes/types.py:FUNCTIONS": "functions that other programs mistake for each other",
    "caffe_compat/parity/causes/types.py:HYPOTHESES_BY_TYPE": "what other programs do otherwise in a type",
    "caffe_compat/parity/causes/types.py:FITS_BY_TYPE": "what other programs do otherwise in a type, to be fitted",
    "caffe_compat/parity/opencv_rewrites.py:AS_THEY_ARE": "types that OpenCV's importer runs as Caffe does",
    "caffe_compat/parity/opencv_rewrites.py:FED": "types that OpenCV's importer has nothing for",
    "caffe_compat/parity/opencv_rewrites.py:REWRITES": "how OpenCV's importer says a type",
    "caffe_compat/proto/dialects/layer_types.py:KNOWN_TO": "made from the classes; a test says that it is fresh",
    "caffe_compat/proto/foreign/types.py:FOREIGN_TYPES": "types that have no class here; a test says so",
    "caffe_compat/proto/foreign/types.py:V1_WORDS": "enumerators of other Caffes' V1 files; a test says that all exist",
    "caffe_compat/proto/upgrade/old_crop.py:KEEPS_COORDINATES": "pycaffe's PASS_THROUGH_LAYERS; read without layers",
    "caffe_compat/proto/upgrade/v1.py:TYPES": "enumerators of V1 files",
    "caffe_compat/pycaffe/coord_map.py:_MAPS": "how pycaffe's coord_map moves coordinates",
    "caffe_compat/pycaffe/net_drawing.py:LAYER_COLOURS": "pycaffe's colours",
    "caffe_compat/pycaffe/net_drawing.py:LEARNING_TYPES": "types whose lr_mult pycaffe draws",
    "caffe_compat/pycaffe/net_drawing.py:WINDOW_TYPES": "types whose window pycaffe draws",
    "tools/record_blobs.py:MEASURING": "runs beside other Caffes, without this package",
    "caffe_compat/parity/record_blobs.py:MEASURING": "the same file, by a link, so that it travels in a wheel",
}


def names_in(node: ast.AST) -> set[str]:
    """The layer types that an expression names as whole strings."""
    strings = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return strings & TYPES


@lru_cache
def tables() -> dict[str, ast.expr]:
    """Every module-level assignment that names at least FEWEST types, by file and name; `__all__` is no table."""
    found = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(file.read_text()).body:
                if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                    continue
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                if target != "__all__" and len(names_in(node.value)) >= FEWEST:
                    found[f"{file.relative_to(ROOT)}:{target}"] = node.value
    return found


def test_no_new_table_of_layer_types() -> None:
    new = set(tables()) - set(TABLES)
    assert not new, f"{new}: state the facts on the layers' classes, or list the table in TABLES with its reason"


def test_listed_tables_exist() -> None:
    gone = set(TABLES) - set(tables())
    assert not gone, f"take {gone} out of TABLES"


def test_tables_name_types_that_exist() -> None:
    from caffe_compat.convert.onnx.table import EXPORTERS
    from caffe_compat.parity.causes.types import FITS_BY_TYPE, FUNCTIONS, HYPOTHESES_BY_TYPE
    from caffe_compat.parity.opencv_rewrites import REWRITES
    from caffe_compat.pycaffe.coord_map import _MAPS, PASS_THROUGH_LAYERS
    from caffe_compat.pycaffe.net_drawing import LAYER_COLOURS, LEARNING_TYPES, WINDOW_TYPES

    for table in (
        EXPORTERS, FITS_BY_TYPE, FUNCTIONS, HYPOTHESES_BY_TYPE, REWRITES, _MAPS, PASS_THROUGH_LAYERS, LAYER_COLOURS,
        LEARNING_TYPES, WINDOW_TYPES,
    ):  # fmt: skip
        assert set(table) <= TYPES


def test_every_type_is_in_onnx_or_says_that_it_cannot_be() -> None:
    from caffe_compat.convert.onnx.table import EXPORTERS

    expected = {name for name, kind in _LAYERS.items() if kind.is_in_onnx}
    assert set(EXPORTERS) == expected, "write an exporter, or state is_in_onnx = False on the class"


def test_every_type_is_in_opencvs_words_or_says_that_it_is_fed() -> None:
    """Data, losses, measures and a user's own code are never given to OpenCV, and a Split is only wiring there."""
    from caffe_compat.parity.opencv_rewrites import FED, REWRITES

    expected = {name for name, kind in _LAYERS.items() if kind.is_in_onnx} - {"Split"}
    assert not set(FED) & set(REWRITES)
    assert set(FED) | set(REWRITES) == expected, "write a rule into REWRITES, or list the type in FED"


@pytest.mark.parametrize("layer_type", sorted(TYPES))
def test_a_class_states_which_caffes_know_its_type(layer_type: str) -> None:
    assert "known_to" in vars(_LAYERS[layer_type]), f"state known_to on {_LAYERS[layer_type].__name__}"


@pytest.mark.parametrize(("caffe", "count"), [(BVLC, 61), (SRN_FORK, 57)])
def test_as_many_types_as_a_caffe_registers(caffe: str, count: int) -> None:
    """REGISTER_LAYER_CLASS and REGISTER_LAYER_CREATOR, counted in the two sources."""
    assert sum(caffe in kind.known_to for kind in _LAYERS.values()) == count


def test_learnable_layers_name_their_blobs() -> None:
    """A state dict would number them else. Which blobs a recurrent layer has depends on its bottoms."""
    makes_blobs = {name for name, kind in _LAYERS.items() if _adds_blobs(kind.setup)}
    assert {name for name in makes_blobs if not _LAYERS[name].blob_names} == {"LSTM", "RNN"}


def _adds_blobs(setup: Callable[..., None]) -> bool:
    return "add_blob" in setup.__code__.co_names


def test_the_layers_are_registered() -> None:
    assert caffe_compat.layers.layer_types()
