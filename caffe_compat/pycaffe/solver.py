"""pycaffe's solvers: the runtime's Solver with nets whose blobs can be read and written."""

import os
from collections.abc import Callable

from caffe_compat.errors import SolverError
from caffe_compat.net.settings import surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.pycaffe.nccl import NCCL
from caffe_compat.pycaffe.net import Net
from caffe_compat.solvers.solver import Callback, Solver
from caffe_compat.solvers.update_rules.registry import solver_types


class SGDSolver:
    """A solver from its prototxt; the class decides the update rule instead of the file's `type`, as in pycaffe.

    set_mode_cpu and set_mode_gpu choose the device; `solver_mode` matters only on the command line, as in Caffe.
    """

    type = "SGD"

    def __init__(self, solver_file: str) -> None:
        parameter = read_solver(os.fspath(solver_file))
        parameter.type = self.type
        self._take(Solver(parameter, surroundings=surroundings(), on_nan="ignore"))

    def _take(self, solver: Solver) -> None:
        self._solver = solver
        self.net = Net.of(solver.net)
        self.test_nets = [Net.of(net) for net in solver.test_nets]

    @property
    def iter(self) -> int:
        """The number of updates so far."""
        return self._solver.iteration

    @property
    def param(self) -> caffe_pb2.SolverParameter:
        """The solver's message."""
        return self._solver.parameter

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return self._solver.learning_rate

    def step(self, iterations: int) -> None:
        """Trains for this many iterations."""
        self._solver.step(iterations)

    def solve(self, resume_file: str | None = None) -> None:
        """Trains up to max_iter, from the start or from a .solverstate."""
        self._solver.solve(resume_file)

    def restore(self, state_file: str) -> None:
        """Takes iteration, weights and history from a .solverstate."""
        self._solver.restore(os.fspath(state_file))

    def snapshot(self) -> None:
        """Writes PREFIX_iter_N.caffemodel and .solverstate now."""
        self._solver.snapshot()

    def share_weights(self, net: Net) -> None:
        """Makes another net use the weights of this solver's net."""
        net.share_with(self.net)

    def apply_update(self) -> None:
        """Moves the weights by the gradients in `net.params[...].diff` and counts an iteration."""
        self._solver.apply_update()

    def add_callback(
        self, on_start: Callable[[], object] | NCCL, on_gradients_ready: Callable[[], object] | None = None
    ) -> None:
        """Runs functions before every iteration and before every update; or an NCCL, which has both."""
        if isinstance(on_start, NCCL):
            callback = Callback(on_start.on_start, on_start.on_gradients_ready)
        elif on_gradients_ready is not None:
            callback = Callback(on_start, on_gradients_ready)
        else:
            raise SolverError("expected two functions, on_start and on_gradients_ready, or an NCCL; got one function")
        self._solver.callbacks.append(callback)


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient."""

    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad."""

    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp."""

    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta."""

    type = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam."""

    type = "Adam"


def _class_for(solver_type: str) -> type[SGDSolver]:
    """Returns pycaffe's class for the type, or a new subclass for a rule that pycaffe lacks."""
    name = f"{solver_type}Solver"
    made: type[SGDSolver] = globals().get(name) or type(name, (SGDSolver,), {"type": solver_type})
    return made


#: The class for every registered update rule, by solver type.
SOLVERS = {solver_type: _class_for(solver_type) for solver_type in solver_types()}


def __getattr__(name: str) -> type[SGDSolver]:
    """Returns `caffe.<Type>Solver` for a rule that pycaffe lacks; AttributeError for other names."""
    solver_type = name.removesuffix("Solver")
    if solver_type not in SOLVERS:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return SOLVERS[solver_type]


def get_solver(solver_file: str) -> SGDSolver:
    """Returns a solver of the class that belongs to the file's type."""
    parameter = read_solver(os.fspath(solver_file))
    solver = SOLVERS.get(parameter.type, SGDSolver)  # an unknown type is refused by Solver, with the known ones
    face = solver.__new__(solver)
    face._take(Solver(parameter, surroundings=surroundings(), on_nan="ignore"))
    return face
