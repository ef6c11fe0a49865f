"""Every data set that `prepare` writes has a file, a line in the table, and a test that reads it."""

import ast
from pathlib import Path

import pytest

from caffe_compat.srn.datasets.data_sets import DATA_SETS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "caffe_compat" / "srn" / "datasets"


def makes_a_data_set(file: Path) -> bool:
    calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "DataSet" for call in calls)


def test_every_data_set_is_in_the_table() -> None:
    files = {str(file.relative_to(ROOT)) for file in FOLDER.rglob("*.py") if makes_a_data_set(file)}
    listed = {data_set.source_of.__module__.replace(".", "/") + ".py" for data_set in DATA_SETS.values()}
    assert listed == files, "add a line to caffe_compat/srn/datasets/data_sets.py"


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_set_has_a_test(name: str) -> None:
    home = Path(DATA_SETS[name].source_of.__module__.replace(".", "/"))
    test = ROOT / "tests" / home.relative_to("caffe_compat").with_name(f"test_{home.name}.py")
    assert test.exists(), f"add {test.relative_to(ROOT)}"
    assert f"{home.name} import" in test.read_text(), f"{test.relative_to(ROOT)} does not read the data set"
