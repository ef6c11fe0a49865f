"""Judges each blob by its errors and by the verdicts of the blobs before it."""

from dataclasses import dataclass, field

from caffe_compat.parity.comparison import WRONG, Verdict
from caffe_compat.parity.measure import Errors


@dataclass(frozen=True)
class Evidence:
    """Facts about one blob: errors in the whole run and of the layer alone, with the limits for both."""

    net: Errors
    alone: Errors | None
    layer_limit: float
    net_limit: float
    is_pure: bool  # whether all of the layer's bottoms were the other side's
    same_shape: bool
    is_random: bool = False
    is_discrete: bool = False
    is_tie: bool = False


@dataclass
class Judge:
    """Gives verdicts in the order of the run, and records which blobs depend on a wrong layer."""

    _tainted: set[str] = field(default_factory=set)

    def verdict(self, evidence: Evidence, sources: list[str], targets: list[str]) -> Verdict:
        """Returns the verdict on the blobs `targets`, which a layer made from the blobs `sources`."""
        inherits = bool(self._tainted & set(sources))
        verdict = _verdict(evidence, inherits)
        if verdict in WRONG:
            self._tainted.update(targets)
        else:
            self.pass_on(sources, targets)
        return verdict

    def pass_on(self, sources: list[str], targets: list[str]) -> None:
        """Handles a layer that is not compared: its tops depend on a wrong layer if one of its bottoms does."""
        if self._tainted & set(sources):
            self._tainted.update(targets)
        else:
            self._tainted.difference_update(targets)


def _verdict(evidence: Evidence, inherits: bool) -> Verdict:
    is_near = evidence.is_discrete or evidence.net.relative <= evidence.net_limit
    if evidence.is_random:
        return Verdict.SAME if is_near and evidence.same_shape else Verdict.OTHER_DRAW
    if evidence.is_tie:
        return Verdict.TIE
    if not evidence.same_shape:
        return Verdict.OTHER_SHAPE
    if _is_wrong_alone(evidence, inherits):
        return Verdict.DIFFERS
    if is_near:
        return Verdict.SAME
    return Verdict.INHERITS if inherits else Verdict.DRIFTS


def _is_wrong_alone(evidence: Evidence, inherits: bool) -> bool:
    if evidence.alone is None:
        return False
    if evidence.is_pure:
        return evidence.alone.relative > evidence.layer_limit
    return not inherits and evidence.alone.relative > evidence.net_limit
