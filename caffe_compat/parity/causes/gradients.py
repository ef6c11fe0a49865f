"""Finds why a gradient differs, from the two arrays and the layer's type."""

import numpy as np

from caffe_compat.graph.wiring import Step
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.parity.measure import errors_between
from caffe_compat.parity.recording import Array

#: A factor that leaves less than this relative error explains a difference.
EXPLAINS = 1e-3


def find_gradient_cause(step: Step, ours: Array, theirs: Array) -> str:
    """Returns one sentence about the cause, or "" if none is found."""
    spec = step.layer.spec
    if isinstance(step.layer, BN) and step.layer.phase == "TEST" and not step.layer.is_frozen:
        return "the fork's BN uses its formula for batches in backward at TEST, ours the derivative of its forward"
    if spec.type == "MVN" and not spec.parameter.mvn_param.normalize_variance:
        return "backward of MVN without variance: the two Caffes differ there, too"
    if not theirs.any():
        return "the other side has zeros: it does not propagate to here (lr_mult 0, propagate_down, or no backward)"
    if not ours.any():
        return "ours is zero: we do not propagate to here (lr_mult 0, propagate_down, or no backward)"
    return find_factor(ours, theirs)


def find_factor(ours: Array, theirs: Array) -> str:
    """Returns a sentence that names the factor between ours and theirs, or "" if there is none."""
    if ours.size != theirs.size or not ours.any():
        return ""
    mine, other = ours.ravel().astype(np.float64), theirs.ravel().astype(np.float64)
    factor = float(mine @ other / (mine @ mine))
    if errors_between(mine * factor, other).relative > EXPLAINS:
        return ""
    return f"a factor: the other side's values are {factor:.6g} times ours (loss weight, batch size, lr_mult)"
