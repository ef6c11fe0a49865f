"""Which nets a solver trains and tests (Solver::InitTrainNet, Solver::InitTestNets)."""

import logging
from dataclasses import dataclass

from caffe_compat.errors import CaffeError, SolverError, prefix_file
from caffe_compat.graph.quirks import training_quirks
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.translate import SRN_FORK, dialect_of
from caffe_compat.proto.read import read_net, read_weights
from caffe_compat.proto.upgrade import upgrade_net
from caffe_compat.solvers.guards import describe_bad_weight

logger = logging.getLogger("caffe_compat")

TRAIN_FIELDS = ("net", "net_param", "train_net", "train_net_param")


@dataclass(frozen=True)
class NetSource:
    """A net's message and the solver's field that gave it, itself or by a file."""

    parameter: caffe_pb2.NetParameter
    field: str
    file: str = ""

    @property
    def place(self) -> str:
        """Where the net stands, in Caffe's words."""
        return f"{self.field} file: {self.file}" if self.file else self.field


def build_train_net(solver: caffe_pb2.SolverParameter, surroundings: Surroundings) -> Net:
    """The net to train, in the state: TRAIN, then what the net says, then train_state."""
    source = _train_source(solver)
    state = caffe_pb2.NetState(phase=caffe_pb2.TRAIN)
    state.MergeFrom(source.parameter.state)
    state.MergeFrom(solver.train_state)
    net = _build(source, state, solver, surroundings)
    for told in training_quirks(net.steps, solver.iter_size):
        logger.warning("%s (docs/parity.md)", told)
    return net


def shares_weights(net: Net) -> bool:
    """Whether two layers of the net share a weight by name and still have one gradient for it."""
    return len(net.learnable) < sum(len(step.layer.blobs) for step in net.steps)


def trains_sharers_apart(net: Net, solver: caffe_pb2.SolverParameter) -> bool:
    """Whether layers that share a weight by name are trained as in the SRN authors' Caffe (docs/parity.md).

    `mem_param` in the net or `richness` in the solver tells that Caffe from all others. Warns where only less certain
    words of the net do.
    """
    if not shares_weights(net):
        return False
    apart = net.parameter.HasField("mem_param") or solver.HasField("richness")
    if apart:
        logger.info("Layers that share a weight have a gradient, decay and history each, as in the SRN authors' Caffe")
    elif dialect_of(net.parameter) == SRN_FORK:
        logger.warning(
            "net '%s': layers share weights, and the net has words of the SRN authors' Caffe, where each of these "
            "layers has a gradient, decay and history of its own; here they have one, as in BVLC's. "
            "Write mem_param { } into the net to train as in that Caffe (docs/parity.md)", net.name
        )  # fmt: skip
    return apart


def build_test_nets(solver: caffe_pb2.SolverParameter, surroundings: Surroundings) -> list[Net]:
    """The nets to test, each in the state: TEST, then what the net says, then its test_state."""
    sources = _test_sources(solver)
    if solver.test_state and len(solver.test_state) != len(sources):
        raise SolverError(
            "test_state must be unspecified or specified once per test net: "
            f"expected {len(sources)}, found {len(solver.test_state)}"
        )
    if sources and solver.test_interval <= 0:
        raise SolverError(
            f"test_interval: expected above 0 where there are test nets, got {solver.test_interval}; "
            "set it, or drop test_iter"
        )
    return [_build_test_net(index, source, solver, surroundings) for index, source in enumerate(sources)]


def _build_test_net(
    index: int, source: NetSource, solver: caffe_pb2.SolverParameter, surroundings: Surroundings
) -> Net:
    state = caffe_pb2.NetState(phase=caffe_pb2.TEST)
    state.MergeFrom(source.parameter.state)
    if solver.test_state:
        state.MergeFrom(solver.test_state[index])
    logger.info("Creating test net (#%d) specified by %s", index, source.place)
    return _build(source, state, solver, surroundings)


def _build(
    source: NetSource,
    state: caffe_pb2.NetState,
    solver: caffe_pb2.SolverParameter,
    surroundings: Surroundings,
) -> Net:
    try:
        net = build_net(source.parameter, state, surroundings)
    except CaffeError as error:
        raise prefix_file(error, source.file or source.field) from error
    for weights in solver.weights:
        copy_weights(net, weights)
    return net


def copy_weights(net: Net, files: str) -> None:
    """Copies weights by layer name from one file or several, separated by commas; the last one wins."""
    for file in files.split(","):
        logger.info("Finetuning from %s", file.strip())
        net.copy_layers(read_weights(file.strip()).layers, file.strip())
    bad = describe_bad_weight(net)
    if bad is not None:
        logger.warning("%s: the weights hold NaN or infinite values (%s)", files, bad)


def _train_source(solver: caffe_pb2.SolverParameter) -> NetSource:
    given = [field for field in TRAIN_FIELDS if solver.HasField(field)]
    if len(given) != 1:
        raise SolverError(
            "SolverParameter must specify a train net using exactly one of these fields: "
            f"{', '.join(TRAIN_FIELDS)}; found {', '.join(given) or 'none'}"
        )
    source = _source(solver, given[0])
    logger.info("Creating training net %s", f"from {source.place}" if source.file else f"specified in {source.place}.")
    return source


def _test_sources(solver: caffe_pb2.SolverParameter) -> list[NetSource]:
    """The nets of test_net_param, those of test_net, then the generic net for every test_iter that is left."""
    sources = [_given(parameter, "test_net_param") for parameter in solver.test_net_param]
    sources += [NetSource(read_net(file), "test_net", file) for file in solver.test_net]
    generic = next((field for field in ("net", "net_param") if solver.HasField(field)), None)
    left = len(solver.test_iter) - len(sources)
    if left < 0 or (left > 0 and generic is None):
        raise SolverError(
            f"test_iter must be specified for each test network: expected {len(sources)}, found {len(solver.test_iter)}"
        )
    if generic is not None:
        sources += [_source(solver, generic) for _ in range(left)]
    return sources


def _source(solver: caffe_pb2.SolverParameter, field: str) -> NetSource:
    value = getattr(solver, field)
    return NetSource(read_net(value), field, value) if isinstance(value, str) else _given(value, field)


def _given(parameter: caffe_pb2.NetParameter, field: str) -> NetSource:
    """A net that stands in the solver itself, upgraded as a file would be."""
    upgraded = caffe_pb2.NetParameter()
    upgraded.CopyFrom(parameter)
    upgrade_net(upgraded, field)
    return NetSource(upgraded, field)
