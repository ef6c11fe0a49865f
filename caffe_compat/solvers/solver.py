"""The training loop (solver.cpp)."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from google.protobuf import text_format

from caffe_compat.engine.create import create_engine
from caffe_compat.errors import SolverError
from caffe_compat.logs.glog import DUMP
from caffe_compat.net.net import Net
from caffe_compat.net.settings import Surroundings
from caffe_compat.net.sharers import part_sharers
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.solvers.actions import Action, RequestedAction, no_action
from caffe_compat.solvers.debug_info import LoggingEngine
from caffe_compat.solvers.display import Observer, TrainingFigures
from caffe_compat.solvers.first_labels import LOSS, check_first_labels
from caffe_compat.solvers.guards import CURE, NumberGuard, refuse_bad_weights
from caffe_compat.solvers.learning_rate import Schedule, advance, check_policy, learning_rate, observe_test_loss
from caffe_compat.solvers.prefix import find_learned_net
from caffe_compat.solvers.sidecar import process_state, read_sidecar, restore_from_sidecar, sidecar_path
from caffe_compat.solvers.snapshot import (
    Moment,
    SnapshotError,
    SnapshotWriter,
    check_snapshot_prefix,
    read_state,
)
from caffe_compat.solvers.solver_nets import build_test_nets, build_train_net, trains_sharers_apart
from caffe_compat.solvers.testing import run_and_log_test
from caffe_compat.solvers.update_rules.registry import create_update_rule
from caffe_compat.solvers.updater import Updater, check_regularization
from caffe_compat.solvers.workers import join_workers, log_batch_size

logger = logging.getLogger("caffe_compat")
dump = logging.getLogger(DUMP)

ALONE = Surroundings()


@dataclass(frozen=True)
class Callback:
    """Functions that run before each iteration, and between its gradients and its update."""

    on_start: Callable[[], object]
    on_gradients_ready: Callable[[], object]


class Solver:
    """Trains one net and tests others that share its weights, as a SolverParameter says.

    `on_nan` says what happens to an iteration with NaN or infinite numbers: stop, skip or ignore. `keep` is how many
    snapshots stay on the disk; 0 keeps all.
    """

    def __init__(
        self,
        parameter: caffe_pb2.SolverParameter,
        engine: str = "exact",
        surroundings: Surroundings = ALONE,
        on_nan: str = "stop",
        keep: int = 0,
    ) -> None:
        dump.info("Initializing solver from parameters: \n%s", text_format.MessageToString(parameter).rstrip())
        _check(parameter)
        self.parameter = parameter
        self.workers = join_workers(surroundings)
        self.is_root = surroundings.rank == 0
        if parameter.random_seed >= 0:
            torch.manual_seed(parameter.random_seed + surroundings.rank)
            surroundings = replace(surroundings, random_seed=parameter.random_seed)
        self.net = build_train_net(parameter, surroundings)
        if trains_sharers_apart(self.net, parameter):
            part_sharers(self.net)
        self.test_nets = self._build_test_nets(surroundings)
        self.workers.share_weights(self.net)
        self.engine = create_engine(engine, self.net)
        self._logging_engine = LoggingEngine(self.net) if parameter.debug_info else self.engine
        self.test_engines = [
            LoggingEngine(test_net) if parameter.debug_info else create_engine(engine, test_net)
            for test_net in self.test_nets
        ]
        logger.info("Solver scaffolding done.")
        log_batch_size(self.net, self.workers.size, parameter.iter_size)
        self.schedule = Schedule()
        self._shows_steps = engine == "exact" or parameter.snapshot_diff
        self.updater = Updater(self.net, parameter, self._shows_steps)
        self.guard = NumberGuard(self.net, on_nan)
        self.snapshots = SnapshotWriter(self.net, parameter, on_nan, keep)
        self.callbacks: list[Callback] = []
        self.observers: list[Observer] = []
        self.figures = TrainingFigures(self.net, parameter, self.workers, skips_bad=on_nan == "skip")
        self.requested_action: RequestedAction = no_action
        self.is_stopped = False
        self._has_failed_snapshot = False
        self._labels_are_checked = all(step.layer.spec.type != LOSS for step in self.net.steps)
        self._postponed = Action.NONE

    def _build_test_nets(self, surroundings: Surroundings) -> list[Net]:
        """Returns the test nets; only the first process tests, on all of the data."""
        if not self.is_root:
            return []
        nets = build_test_nets(self.parameter, replace(surroundings, world_size=1))
        for net in nets:
            net.share_weights(self.net)
        return nets

    @property
    def iteration(self) -> int:
        """How often the weights have been updated."""
        return self.schedule.iteration

    @property
    def learning_rate(self) -> float:
        """The rate of the coming update."""
        return learning_rate(self.parameter, self.schedule)

    # -- training

    def solve(self, resume_file: str | None = None) -> None:
        """Trains up to max_iter, writes a snapshot, and ends with a last display and test."""
        logger.info("Solving %s", self.net.name)
        logger.info("Learning Rate Policy: %s", self.parameter.lr_policy)
        self.is_stopped = False
        if resume_file is not None:
            logger.info("Restoring previous solver status from %s", resume_file)
            self.restore(resume_file)
        if self.parameter.snapshot_after_train and self.is_root:
            check_snapshot_prefix(self.parameter)  # or the whole training would be lost at its end
        self.step(self.parameter.max_iter - self.iteration)
        fallback = self._snapshot_at_the_end()
        if self.is_stopped:
            logger.info("Optimization stopped early.")
        else:
            self._display_and_test_at_the_end()
        if fallback:
            raise SolverError(
                f"the last snapshot is in {fallback}, for snapshot_prefix '{self.parameter.snapshot_prefix}' cannot be "
                "written (see above); move its files to where they belong"
            )
        if not self.is_stopped:
            logger.info("Optimization Done.")

    def _snapshot_at_the_end(self) -> str:
        """Writes a last snapshot if needed; returns the fallback folder if the prefix cannot be written, else ""."""
        is_written = self._is_due(self.parameter.snapshot) and not self._has_failed_snapshot
        if not self.parameter.snapshot_after_train or is_written:
            return ""
        moment = self._moment()
        if not self.is_root:
            return ""
        return self.snapshots.write_last(moment, lambda: self.requested_action() == Action.STOP)

    def _display_and_test_at_the_end(self) -> None:
        if self._is_due(self.parameter.display):
            with torch.no_grad():
                self.figures.smoothed_loss.add(self.engine.forward())
            self.figures.show_loss(self.iteration)
        if self._is_due(self.parameter.test_interval):
            self.test_all()
            self._follow_root()

    def step(self, iterations: int) -> None:
        """Runs this many iterations, with the tests, displays and snapshots that fall due."""
        self.figures.restart(self.iteration)
        end = self.iteration + iterations
        while self.iteration < end and not self.is_stopped:
            self._iterate()

    def _iterate(self) -> None:
        self.net.clear_parameter_gradients()
        if self._is_due(self.parameter.test_interval) and (self.iteration or self.parameter.test_initialization):
            self.test_all()
            self._follow_root()
            if self.is_stopped:
                return
        for callback in self.callbacks:
            callback.on_start()
        self._compute_gradients()
        if self._is_due(self.parameter.display):
            self.figures.show(self.iteration, self.learning_rate, self.observers)
        for callback in self.callbacks:
            callback.on_gradients_ready()
        self.net.flush()  # what callbacks wrote counts for all processes
        is_bad = self._average_gradients()
        if is_bad:
            self._pass_over_iteration()
        else:
            self.apply_update()
        self._snapshot_if_asked(max(self.workers.gather(self._take_action())))

    def _compute_gradients(self) -> None:
        logs = self.parameter.debug_info and self._is_due(self.parameter.display)
        engine = self._logging_engine if logs else self.engine
        losses = []
        self.guard.start_iteration()
        for _ in range(self.parameter.iter_size):
            self.guard.start_pass()
            losses.append(engine.forward_backward())
            self.guard.end_pass(losses[-1])
        if not self._labels_are_checked:
            check_first_labels(self.net)
            self._labels_are_checked = True
        self._loss = torch.stack(losses).mean()
        self.figures.smoothed_loss.add(self._loss)

    def _average_gradients(self) -> bool:
        """Averages gradients over the processes; returns whether one of them has met a NaN or infinite number."""
        learnable = [one.parameter for one in self.net.learnable if one.lr_mult]
        return self.guard.average([self.net.gradients.of(one) for one in learnable], self.workers, self._loss)

    def _pass_over_iteration(self) -> None:
        """Stops training, or skips the iteration, if its numbers are bad; the weights do not change."""
        finding, where = self.guard.first_finding(self.workers)
        if self.guard.policy == "stop":
            raise SolverError(
                f"Iteration {self.iteration}{where}: {finding}. The weights were not changed; "
                f"{self.snapshots.last_in_words()}. {CURE}"
            )
        self.guard.skip(self.iteration, f"{finding}{where}")
        advance(self.parameter, self.schedule)
        self.schedule.iteration += 1

    def _follow_root(self) -> None:
        """Copies the step of the learning rate, and a stop, from the first process, because only this one tests."""
        (self.schedule.current_step, self.is_stopped), *_ = self.workers.gather(
            (self.schedule.current_step, self.is_stopped)
        )

    def _take_action(self) -> Action:
        action, self._postponed = max(self.requested_action(), self._postponed), Action.NONE
        return action

    def apply_update(self) -> None:
        """Moves the weights by their gradients and counts the iteration."""
        rate = learning_rate(self.parameter, self.schedule)
        if self.guard.is_watching and not math.isfinite(rate):
            raise SolverError(
                f"Iteration {self.iteration}: lr_policy {self.parameter.lr_policy} gives a learning rate of {rate:g}. "
                f"The weights were not changed; {self.snapshots.last_in_words()}. Set other gamma, power or stepsize"
            )
        advance(self.parameter, self.schedule)
        if self._is_due(self.parameter.display):
            logger.info("Iteration %d, lr = %g", self.iteration, rate)
        self.net.flush()
        self.updater.apply(rate, self.iteration)
        self.schedule.iteration += 1

    def _is_due(self, interval: int) -> bool:
        return interval > 0 and self.iteration % interval == 0

    def _snapshot_if_asked(self, action: Action) -> None:
        if self._is_due(self.parameter.snapshot) or action == Action.SNAPSHOT:
            self._snapshot_in_training()
        self.is_stopped = self.is_stopped or action == Action.STOP

    def _snapshot_in_training(self) -> None:
        """Writes a snapshot; training continues if the disk refuses it, since stopping would lose what was learnt."""
        try:
            self.snapshot()
            self._has_failed_snapshot = False
        except SnapshotError as error:
            self._has_failed_snapshot = True
            logger.error("%s. Training goes on", error)

    # -- testing

    def test_all(self) -> None:
        """Tests every test net; `plateau` follows the loss of the first."""
        for index in range(len(self.test_nets)):
            if not self.is_stopped:
                self.test(index)

    def test(self, index: int) -> None:
        """Runs one test net and logs the means of its outputs."""
        engine, observers = self.test_engines[index], self.observers
        loss = run_and_log_test(engine, index, self.iteration, self.parameter, self._is_test_interrupted, observers)
        if loss is not None and index == 0:
            observe_test_loss(self.parameter, self.schedule, loss)

    def _is_test_interrupted(self) -> bool:
        while (action := self.requested_action()) != Action.NONE:
            if action == Action.SNAPSHOT and self.workers.size == 1:
                self._snapshot_in_training()
            elif action == Action.SNAPSHOT:
                self._postponed = action  # the other processes are waiting and take no part
            self.is_stopped = self.is_stopped or action == Action.STOP
        return self.is_stopped

    # -- snapshots

    def snapshot(self) -> None:
        """Writes the weights, what a .solverstate does not hold, and last the state that names the weights."""
        moment = self._moment()
        if self.is_root:
            self.snapshots.write(moment)

    def _moment(self) -> Moment:
        """Returns the present state of training; all processes must call it."""
        states = self.workers.gather(process_state([self.net, *self.test_nets]))
        return Moment(self.schedule, self.updater.histories, states)

    def restore(self, file: str) -> None:
        """Restores the state in a .solverstate of this program or of a real Caffe, in either format.

        SolverError where weights, state and sidecar do not belong together, or where weights are NaN or infinite.
        """
        state = read_state(file, len(self.updater.histories))
        weights = find_learned_net(state, file)
        sidecar = read_sidecar(file, weights, state)
        if weights:
            self.net.copy_layers(read_weights(weights).layers, weights)
            refuse_bad_weights(self.net, weights, self.guard.policy)
        logger.info("SGDSolver: restoring history")
        if self.updater.has_one_for_each_sharer(state.history):
            self._part_sharers(file)
        self.updater.restore(state.history, file)
        self.schedule = Schedule(state.iter, state.current_step, lowest_at=state.iter)
        self.snapshots.last = weights
        if sidecar is not None:
            nets, workers = [self.net, *self.test_nets], self.workers
            self.schedule = restore_from_sidecar(
                sidecar, sidecar_path(file), self.parameter, nets, workers.rank, workers.size
            )

    def _part_sharers(self, file: str) -> None:
        """Trains on as the SRN authors' Caffe does, which wrote the state."""
        logger.warning(
            "%s keeps a history for each layer that shares a weight, as the SRN authors' Caffe does: from here on each "
            "has a gradient, decay and history of its own, too (docs/parity.md)", file
        )  # fmt: skip
        part_sharers(self.net)
        self.updater = Updater(self.net, self.parameter, self._shows_steps)

    def close(self) -> None:
        """Stops the threads that read data ahead."""
        for net in (self.net, *self.test_nets):
            net.close()


def _check(parameter: caffe_pb2.SolverParameter) -> None:
    """Refuses a solver whose fields would fail only after hours of training."""
    for field, value in parameter.ListFields():
        if field.cpp_type == field.CPPTYPE_FLOAT and value != value:
            raise SolverError(f"{field.name}: expected a number, got nan")
    if parameter.average_loss < 1:
        raise SolverError(f"average_loss should be at least 1, got {parameter.average_loss}")
    if parameter.iter_size < 1:
        raise SolverError(f"iter_size should be at least 1, got {parameter.iter_size}")
    check_policy(parameter)
    check_regularization(parameter.regularization_type)
    create_update_rule(parameter)
    if parameter.snapshot:
        check_snapshot_prefix(parameter)
