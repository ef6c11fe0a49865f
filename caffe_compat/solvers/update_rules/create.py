"""Update rules by the solver's type."""

from collections.abc import Callable

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.adadelta import AdaDelta
from caffe_compat.solvers.update_rules.adagrad import AdaGrad
from caffe_compat.solvers.update_rules.adam import Adam
from caffe_compat.solvers.update_rules.nesterov import Nesterov
from caffe_compat.solvers.update_rules.rmsprop import RMSProp
from caffe_compat.solvers.update_rules.sgd import SGD
from caffe_compat.solvers.update_rules.update import UpdateRule

UPDATE_RULES: dict[str, Callable[[caffe_pb2.SolverParameter], UpdateRule]] = {
    "SGD": SGD,
    "Nesterov": Nesterov,
    "AdaGrad": AdaGrad,
    "RMSProp": RMSProp,
    "AdaDelta": AdaDelta,
    "Adam": Adam,
}


def create_update_rule(solver: caffe_pb2.SolverParameter) -> UpdateRule:
    """The rule of the solver's type."""
    if solver.type not in UPDATE_RULES:
        raise SolverError(f"Unknown solver type: {solver.type} (known types: {', '.join(UPDATE_RULES)})")
    return UPDATE_RULES[solver.type](solver)
