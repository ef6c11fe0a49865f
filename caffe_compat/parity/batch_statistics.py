"""Layers that normalise by the batch's statistics, and the running statistics that they update."""

from torch import Tensor

from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.normalization.bn import SegNetBN

#: By layer type, the numbers of the blobs that a forward pass updates.
STATISTICS = {"BatchNorm": (0, 1, 2), "BN": (2, 3)}


def normalises_by_batch(step: Step) -> bool:
    """Whether the layer computes mean and variance from its bottom instead of its blobs."""
    parameter, is_train = step.layer.spec.parameter, step.layer.phase == "TRAIN"
    if isinstance(step.layer, SegNetBN):
        return False  # normalises by the batch, but no blob stores the statistics
    if parameter.type == "BN":
        return is_train and not parameter.bn_param.frozen
    param = parameter.batch_norm_param
    by_batch = not param.use_global_stats if param.HasField("use_global_stats") else is_train
    return parameter.type == "BatchNorm" and by_batch


def cancelled_biases(steps: list[Step]) -> dict[str, str]:
    """Returns the biases right before a normalisation by the batch: their true gradient is zero.

    Subtracting the mean cancels such a bias. Keys are `layer/index` of the bias; values are `layer/index` of the
    running mean that follows the bias.
    """
    wiring = Wiring.of_steps(steps)
    found = {}
    for index, step in enumerate(steps):
        number = wiring.maker(index)
        if number is not None and normalises_by_batch(step) and len(steps[number].layer.blobs) == 2:
            found[f"{steps[number].layer.name}/1"] = f"{step.layer.name}/{STATISTICS[step.layer.spec.type][0]}"
    return found


def statistics_of(steps: list[Step]) -> list[tuple[str, Tensor]]:
    """Returns the running statistics that a forward pass updates, each with its name `layer/index`."""
    return [
        (f"{step.layer.name}/{number}", step.layer.blobs[number])
        for step in steps
        if normalises_by_batch(step)
        for number in STATISTICS[step.layer.spec.type]
    ]
