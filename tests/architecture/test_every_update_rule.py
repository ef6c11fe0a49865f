"""Every update rule has one file of its name, a line in the package's __init__, a test, and pycaffe's class."""

from pathlib import Path

import pytest

import caffe_compat
from caffe_compat.pycaffe.solver import SOLVERS
from caffe_compat.solvers.update_rules.registry import solver_types, update_rule_of

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "caffe_compat" / "solvers" / "update_rules"


@pytest.mark.parametrize("solver_type", solver_types())
def test_a_rule_has_a_line_and_a_test(solver_type: str) -> None:
    module = update_rule_of(solver_type).__module__
    name = module.rpartition(".")[2]
    assert f"from {module} import" in (RULES / "__init__.py").read_text(), "add a line to update_rules/__init__.py"
    test = ROOT / "tests" / "solvers" / "update_rules" / f"test_{name}.py"
    assert test.exists(), f"add {test.relative_to(ROOT)}"
    assert f'type: "{solver_type}"' in test.read_text(), f"{test.relative_to(ROOT)} does not run the rule"


@pytest.mark.parametrize("solver_type", solver_types())
def test_a_rule_has_the_class_that_scripts_name(solver_type: str) -> None:
    assert SOLVERS[solver_type].type == solver_type
    assert getattr(caffe_compat, f"{solver_type}Solver") is SOLVERS[solver_type]


def test_every_file_registers_a_rule() -> None:
    shared = {"__init__", "registry"}
    files = {file.stem for file in RULES.glob("*.py")} - shared
    assert files == {update_rule_of(kind).__module__.rpartition(".")[2] for kind in solver_types()}
