"""Imports run one way; read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What each package of caffe_compat may import of caffe_compat, besides itself.
FOUNDATION = {"errors", "glog"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "glog": set(),
    "proto": FOUNDATION,
    "data": {*FOUNDATION, "proto"},
    "layers": {*FOUNDATION, "proto"},
    "layers/data": {*FOUNDATION, "proto", "layers", "data"},
    "net": {*FOUNDATION, "proto", "layers"},
    "engine": {*FOUNDATION, "proto", "layers", "net"},
    "solvers": {*FOUNDATION, "proto", "layers", "net", "engine"},
    "pycaffe": {*FOUNDATION, "proto", "layers", "net", "engine", "solvers", "data"},
}
#: Programs on top: nothing below may import them.
ON_TOP = {
    "log_file",
    "prediction",
    "catalogue",
    "cli",
    "pycaffe",
    "parity",
    "convert",
    "datasets",
    "evaluation",
    "training",
    "demo",
    "log_parsing",
}


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(file: Path) -> str:
    parts = file.relative_to(ROOT / "caffe_compat").with_suffix("").parts
    return "layers/data" if parts[:2] == ("layers", "data") else parts[0]


FILES = sorted(file for file in (ROOT / "caffe_compat").rglob("*.py") if not file.name.endswith("_pb2.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package.split("/")[0]}
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in FILES
        if package_of(file) == package
        for name in imports_of(file)
        if name.startswith("caffe_compat.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["proto", "data/sources"])
def test_files_are_read_without_torch(package: str) -> None:
    files = (ROOT / "caffe_compat" / package).rglob("*.py")
    assert [file.name for file in files if any(name.split(".")[0] == "torch" for name in imports_of(file))] == []


def test_the_generator_needs_the_schema_only() -> None:
    wrong = [
        f"{file.name} imports {name}"
        for file in (ROOT / "prototxt_gen").rglob("*.py")
        for name in imports_of(file)
        if name.startswith("caffe_compat") and name.split(".")[1:2] not in (["proto"], ["errors"], [])
    ]
    assert wrong == []


def test_nothing_imports_tools() -> None:
    packages = [*FILES, *(ROOT / "prototxt_gen").rglob("*.py")]
    assert [file for file in packages if any(name.split(".")[0] == "tools" for name in imports_of(file))] == []


def test_every_package_below_is_ruled() -> None:
    found = {package_of(file) for file in FILES} - {"__init__", "__main__"}
    assert found - set(MAY_IMPORT) <= ON_TOP
