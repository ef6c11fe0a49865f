"""Weights that layers share by name, as the SRN authors' Caffe trains them: every sharer has a gradient of its own.

Stands apart because two callers need it at different times: a solver before it makes its histories, and a restored
.solverstate that holds a history for each sharer.
"""

from torch import nn

from caffe_compat.graph.wiring import Step
from caffe_compat.net.net import Net
from caffe_compat.net.weights import LearnableParameter, param_spec


def part_sharers(net: Net) -> None:
    """Gives each layer that shares a weight a parameter of its own: the same memory, its own gradient and multipliers.

    Afterwards `net.learnable` has one entry per blob of each layer (Net::AppendParam and GetLearningRateAndWeightDecay
    of the fork); entries that do not own their memory name the `owner`. Gradients start at 0.
    """
    net.flush()
    entries = {id(learnable.parameter): learnable for learnable in net.learnable}
    entries |= {id(view): learnable for learnable in net.learnable for view in learnable.views}
    met: set[str] = set()
    parted: list[LearnableParameter] = []
    for step in net.steps:
        for index, blob in enumerate(step.layer.blobs):
            owner = entries[id(blob)]
            if owner.label not in met:
                met.add(owner.label)
                owner.lr_mult, owner.decay_mult = _multipliers(step, index)
                parted.append(owner)
            else:
                parted.append(_part(net, step, index, owner))
    for learnable in parted:
        learnable.views = []
    net.learnable = parted
    net.mark_learning()


def _part(net: Net, step: Step, index: int, owner: LearnableParameter) -> LearnableParameter:
    """Replaces one blob of a layer by a parameter with a gradient of its own in the owner's memory."""
    blob, layer = step.layer.blobs[index], step.layer
    parameter = nn.Parameter(blob.data)
    entry = LearnableParameter(parameter, *_multipliers(step, index), f"{layer.name}/{index}", owner=owner)
    entry.tie_views()
    layer.blobs[index] = parameter
    net.params[layer.name][index] = net.params[layer.name][index].apart(parameter)
    return entry


def _multipliers(step: Step, index: int) -> tuple[float, float]:
    """The learning-rate and decay multipliers that the layer itself states for a blob."""
    if index in step.layer.fixed_blobs:
        return 0.0, 0.0
    spec = param_spec(step.layer, index)
    return spec.lr_mult, spec.decay_mult
