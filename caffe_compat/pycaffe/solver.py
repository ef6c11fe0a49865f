"""pycaffe's solvers: the runtime's Solver with nets whose blobs can be read and written."""

from collections.abc import Callable

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.pycaffe.net import Net
from caffe_compat.solvers.solver import Callback, Solver


class SGDSolver:
    """A solver from its prototxt; `type` in the file gives way to the class, as in pycaffe."""

    type = "SGD"

    def __init__(self, solver_file: str) -> None:
        parameter = read_solver(solver_file)
        parameter.type = self.type
        self._take(Solver(parameter))

    def _take(self, solver: Solver) -> None:
        self._solver = solver
        self.net = Net.of(solver.net)
        self.test_nets = [Net.of(net) for net in solver.test_nets]

    @property
    def iter(self) -> int:
        """How often the weights have been updated."""
        return self._solver.iteration

    @property
    def param(self) -> caffe_pb2.SolverParameter:
        """The solver's message."""
        return self._solver.parameter

    @property
    def lr(self) -> float:
        """The learning rate of the coming update."""
        return self._solver.learning_rate

    def step(self, iterations: int) -> None:
        """Trains for this many iterations."""
        self._solver.step(iterations)

    def solve(self, resume_file: str | None = None) -> None:
        """Trains up to max_iter, from the start or from a .solverstate."""
        self._solver.solve(resume_file)

    def restore(self, state_file: str) -> None:
        """Takes iteration, weights and history from a .solverstate."""
        self._solver.restore(state_file)

    def snapshot(self) -> None:
        """Writes PREFIX_iter_N.caffemodel and .solverstate now."""
        self._solver.snapshot()

    def share_weights(self, net: Net) -> None:
        """Makes another net use the weights of this solver's net."""
        net._net.share_weights(self._solver.net)

    def apply_update(self) -> None:
        """Moves the weights by the gradients in `net.params[...].diff` and counts an iteration."""
        self._solver.apply_update()

    def add_callback(self, on_start: Callable[[], None], on_gradients_ready: Callable[[], None]) -> None:
        """Runs functions before every iteration and before every update."""
        self._solver.callbacks.append(Callback(on_start, on_gradients_ready))


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


SOLVERS = {
    solver.type: solver
    for solver in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(solver_file: str) -> SGDSolver:
    """The solver of the file's type."""
    parameter = read_solver(solver_file)
    solver = SOLVERS.get(parameter.type, SGDSolver)
    face = solver.__new__(solver)
    face._take(Solver(parameter))
    return face
