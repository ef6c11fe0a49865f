"""Rules by their type."""

import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers.update_rules import SGD
from caffe_compat.solvers.update_rules.registry import register_update_rule
from tests.solvers.least_squares import make_solver


def test_a_type_has_one_rule() -> None:
    with pytest.raises(SolverError, match=r"^solver type 'SGD' is registered already, by SGD"):
        register_update_rule("SGD")(SGD)


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(SolverError, match=r"^Unknown solver type: Adamax \(known types: AdaDelta, AdaGrad, Adam"):
        make_solver('type: "Adamax"')
