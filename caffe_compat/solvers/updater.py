"""Turns gradients into new weights: clip, normalise, regularise, update rule, subtract (SGDSolver::ApplyUpdate)."""

import logging
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.net.net import Net
from caffe_compat.net.weights import LearnableParameter
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.solvers.update_parts import parts
from caffe_compat.solvers.update_rules.registry import Update, create_update_rule

logger = logging.getLogger("caffe_compat")


class Updater:
    """The histories of a net's learnable weights and the rule that moves both."""

    def __init__(self, net: Net, solver: caffe_pb2.SolverParameter, shows_steps: bool = True) -> None:
        """`shows_steps`: whether gradients hold what was subtracted after an update, as in Caffe; it costs time."""
        self._net = net
        self._shows_steps = shows_steps
        self._solver = solver
        self._rule = create_update_rule(solver)
        # Statistics are among the learnable weights, as in Caffe: a .solverstate has a history for each of them.
        self._histories = [
            [torch.zeros_like(learnable.parameter.data) for learnable in net.learnable]
            for _ in range(self._rule.histories)
        ]
        self._moving = self._find_moving()

    @torch.no_grad()
    def apply(self, rate: float, iteration: int) -> None:
        """One update. Then the gradients hold what was subtracted if `shows_steps`; otherwise use them no more."""
        moving = [self._net.learnable[index] for index in self._moving]
        # Where sharers have gradients of their own, that Caffe measures and scales those of the owners alone.
        owned = [self._net.gradients.existing(own.parameter) for own in self._net.learnable if not own.owner]
        clip([gradient for gradient in owned if gradient is not None], self._solver.clip_gradients)
        if not moving:
            return
        update = self._update(moving, rate, iteration)
        normalise(update.gradients, self._solver.iter_size)
        if any(learnable.owner for learnable in moving):
            self._change_gradients(update)
            self._subtract_from_owners(moving, update.gradients)
            return
        if not self._shows_steps and self._net.device.type == "cpu" and self._solver.regularization_type == "L2":
            update = self._rule.move(update)
            if not update.weights:
                return
        in_parts = self._rule.works_by_number and self._net.device.type == "cpu"
        for part in parts(update) if in_parts else [update]:
            self._change_gradients(part)
            torch._foreach_sub_(part.weights, part.gradients)

    def _update(self, moving: Sequence[LearnableParameter], rate: float, iteration: int) -> Update:
        histories = [[history[index] for index in self._moving] for history in self._histories]
        return Update(
            gradients=[self._net.gradients.of(learnable.parameter) for learnable in moving],
            history=histories[0],
            second_history=histories[1] if len(histories) > 1 else [],
            rates=[rate * learnable.lr_mult for learnable in moving],
            iteration=iteration,
            weights=[learnable.parameter for learnable in moving],
            decays=[self._solver.weight_decay * learnable.decay_mult for learnable in moving],
        )

    def _change_gradients(self, update: Update) -> None:
        """Turns gradients into steps and moves the histories on."""
        if not self._rule.decays_weights:
            regularise(update.gradients, update.weights, update.decays, self._solver.regularization_type)
        self._rule(update)

    def _subtract_from_owners(self, moving: Sequence[LearnableParameter], steps: Sequence[Tensor]) -> None:
        """Adds the steps of sharers with gradients of their own to the owner's, and moves the owners' weights."""
        for learnable, step in zip(moving, steps, strict=True):
            if learnable.owner:
                of_owner = self._net.gradients.of(learnable.owner.parameter)
                of_owner.add_(step.view_as(of_owner))
        owners = [(own.parameter, step) for own, step in zip(moving, steps, strict=True) if not own.owner]
        torch._foreach_sub_([weight for weight, _ in owners], [step for _, step in owners])
        for learnable in moving:
            if learnable.owner:
                torch.autograd.graph.increment_version(learnable.parameter)  # caches of derived weights look at it

    def _find_moving(self, restored: bool = False) -> list[int]:
        """The indices of the weights that the rule can move; in a frozen net these are few.

        Only `restored` histories may be other than 0; the host waits for a look at them.
        """
        shared = {id(owner) for own in self._net.learnable if own.owner for owner in (own, own.owner)}
        return [
            index
            for index, learnable in enumerate(self._net.learnable)
            if learnable.lr_mult
            or learnable.decay_mult
            or id(learnable) in shared
            or (restored and any(bool(h[index].any()) for h in self._histories))
        ]

    @property
    def histories(self) -> list[Blob]:
        """As a .solverstate holds them: one blob per weight, then the second ones of rules that keep two (Adam)."""
        return [blob.detach().cpu().numpy() for history in self._histories for blob in history]

    def restore(self, blobs: Sequence[Blob], file: str) -> None:
        """Replaces the histories by those of a .solverstate; SolverError where number or shape is another."""
        targets = [blob for history in self._histories for blob in history]
        if len(blobs) != len(targets):
            raise SolverError(
                f"{file}: Incorrect length of history blobs. ({len(blobs)} vs. {len(targets)}): "
                + (
                    self._told_of_joined_sharers(blobs)
                    or f"the state is of another net or of another solver type than {self._solver.type}"
                )
            )
        for index, (blob, target) in enumerate(zip(blobs, targets, strict=True)):
            if blob.size != target.numel():
                learnable = self._net.learnable[index % len(self._net.learnable)]
                raise SolverError(
                    f"{file}: history blob {index} ({learnable.label}): expected shape {tuple(target.shape)}, "
                    f"got {blob.shape}; the state is of another net"
                )
            target.copy_(torch.tensor(blob).view(target.shape))
        self._moving = self._find_moving(restored=True)

    def has_one_for_each_sharer(self, blobs: Sequence[Blob]) -> bool:
        """Whether a .solverstate holds a history for every layer's weights where this updater has one for all sharers.

        The SRN authors' Caffe counts, updates and stores weights that share a name for each layer (docs/parity.md).
        """
        of_layers = [blob.numel() for step in self._net.steps for blob in step.layer.blobs] * len(self._histories)
        targets = sum(map(len, self._histories))
        return targets < len(of_layers) and [blob.size for blob in blobs] == of_layers

    def _told_of_joined_sharers(self, blobs: Sequence[Blob]) -> str | None:
        """Why a state with one history for all sharers of a weight does not fit; None where it is no such one."""
        owned = [own.parameter.numel() for own in self._net.learnable if not own.owner] * len(self._histories)
        if [blob.size for blob in blobs] != owned:
            return None
        return (
            "the state keeps one history for all layers that share a weight, as BVLC's Caffe does; the net's mem_param "
            "(or the solver's richness) says that each has its own, as in the SRN authors' Caffe (docs/parity.md); "
            "take that field out to go on as in BVLC's, or start from the .caffemodel with --weights"
        )


REGULARIZATIONS = ("L1", "L2")


def clip(gradients: list[Tensor], largest: float) -> None:
    """Scales gradients down so that their L2 norm, over all of them, is at most `largest`; below 0 means no limit."""
    if largest < 0 or not gradients:
        return
    norm = float(torch.stack(torch._foreach_norm(gradients)).norm())
    if norm > largest:
        scale = largest / norm
        logger.info(
            "Gradient clipping: scaling down gradients (L2 norm %g > %g) by scale factor %g", norm, largest, scale
        )
        torch._foreach_mul_(gradients, scale)


def normalise(gradients: list[Tensor], iter_size: int) -> None:
    """Turns the sum over iter_size passes into their mean."""
    if iter_size > 1 and gradients:
        torch._foreach_mul_(gradients, 1.0 / iter_size)


def regularise(gradients: list[Tensor], weights: list[Tensor], decays: Sequence[float], kind: str) -> None:
    """Adds decay * w (L2) or decay * sign(w) (L1); `decays` has one number per weight."""
    check_regularization(kind)
    groups: defaultdict[float, list[int]] = defaultdict(list)
    for index, decay in enumerate(decays):
        groups[decay].append(index)
    for decay, members in groups.items():
        if decay == 0:
            continue
        terms = [weights[index] for index in members]
        penalties = terms if kind == "L2" else torch._foreach_sign(terms)
        torch._foreach_add_([gradients[index] for index in members], penalties, alpha=decay)


def check_regularization(kind: str) -> None:
    """Refuses a regularization_type that does not exist."""
    if kind not in REGULARIZATIONS:
        raise SolverError(f"Unknown regularization type: {kind!r}; expected one of: {', '.join(REGULARIZATIONS)}")
