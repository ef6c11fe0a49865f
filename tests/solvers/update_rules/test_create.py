"""Rules by their type."""

import pytest

from caffe_compat.errors import SolverError
from tests.solvers.least_squares import make_solver


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(SolverError, match=r"^Unknown solver type: Adamax \(known types: SGD, Nesterov, AdaGrad"):
        make_solver('type: "Adamax"')
