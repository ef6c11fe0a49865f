"""Rules of CONTRIBUTING that the sources themselves can break. The lists of exceptions only shrink."""

import ast
import re
import tomllib
from collections import Counter
from functools import lru_cache
from pathlib import Path
from statistics import median

from caffe_compat.convert.conversion import TARGETS

ROOT = Path(__file__).resolve().parents[2]
#: Comments and lines of pyproject.toml that turn a check off, in all sources and tests. There are 4.
MOST_WAIVERS = 10
WAIVER = re.compile(r"#\s*(?:ruff: |mypy: )?(?:noqa|type: ignore|ignore-errors)")
#: Files below this length that only one other file imports say why they stand apart, or move in.
SHORT = 50
#: Homes of files of one thing each, whose one importer is the package's list of them.
ONE_THING_EACH = (
    "caffe_compat/layers/",
    "caffe_compat/solvers/update_rules/",
    "caffe_compat/engine/passes/",
    "caffe_compat/convert/formats/",
    "caffe_compat/srn/datasets/",
)
#: Class names that two files share, and why.
SHARED_NAMES = {"Net": "Caffe's own (net.cpp), and pycaffe's, which users write and which wraps it"}
#: The most lines of a function, and what the median function stays below.
MOST_LINES, MEDIAN_LINES = 50, 10


@lru_cache
def sources() -> dict[str, ast.Module]:
    """The syntax trees of both packages, by path."""
    files = [file for name in ("caffe_compat", "prototxt_gen") for file in sorted((ROOT / name).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in files if "_pb2" not in file.name}


def imported_by(tree: ast.Module) -> set[str]:
    """All module names that a file imports, and those of what it takes from packages."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return names


def test_layers_are_created_in_one_place() -> None:
    callers = [
        path
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "create_layer"
    ]
    assert callers == ["caffe_compat/graph/builder.py"], "build layers through caffe_compat.graph.builder"


def test_waivers_get_fewer() -> None:
    folders = ("caffe_compat", "prototxt_gen", "tools", "tests", "benchmarks", "scripts")
    files = {file.resolve() for folder in folders for file in (ROOT / folder).rglob("*.py") if "_pb2" not in file.name}
    count = sum(len(WAIVER.findall(file.read_text())) for file in files if file != Path(__file__).resolve())
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    count += len(settings["tool"]["ruff"]["lint"]["per-file-ignores"])
    assert count <= MOST_WAIVERS, f"{count} waivers: mend the code in place of waiving the check"


def test_one_class_name_has_one_meaning() -> None:
    names = Counter(node.name for tree in sources().values() for node in tree.body if isinstance(node, ast.ClassDef))
    repeated = {name for name, count in names.items() if count > 1 and not name.startswith("_")}
    assert repeated == set(SHARED_NAMES), (
        f"{repeated ^ set(SHARED_NAMES)}: a class of this name exists; choose another word"
    )


def test_functions_are_short() -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    }
    assert [name for name, lines in lengths.items() if lines > MOST_LINES] == []
    assert median(lengths.values()) < MEDIAN_LINES


def test_a_short_file_of_one_importer_says_why() -> None:
    importers = Counter(name for tree in sources().values() for name in imported_by(tree))
    short = [
        path
        for path, tree in sources().items()
        if (ROOT / path).read_text().count("\n") < SHORT
        and importers[path.removesuffix(".py").replace("/", ".")] == 1
        and not path.startswith(ONE_THING_EACH)
        and "apart" not in (ast.get_docstring(tree) or "").lower()
    ]
    assert short == [], "say why the file stands apart, or move it in"


def test_every_target_of_convert_has_a_test() -> None:
    text = "".join(file.read_text() for file in (ROOT / "tests" / "convert").rglob("test_*.py"))
    missing = {name for name in TARGETS if f'"{name}"' not in text}
    assert not missing, f"no test converts to {missing}: add one to tests/convert"
