"""Compares our run of a net with another side's recording."""

from collections.abc import Mapping

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.net.net import Net
from caffe_compat.parity.backward import compare_backward
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.forward import ForwardComparison
from caffe_compat.parity.measure import TOLERANCES, Tolerances
from caffe_compat.parity.recording import Array, Recording
from caffe_compat.parity.replay import is_inserted_split


def compare(
    net: Net,
    other: Recording,
    inputs: Mapping[str, Array] | None = None,
    tolerances: Tolerances = TOLERANCES["float32"],
    backward: bool = False,
) -> Comparison:
    """Runs our net on the recording's inputs (or the given ones) and compares all blobs that both sides have.

    Restores our net's weights and running statistics afterwards.
    """
    used = {**other.inputs, **(inputs or {})}
    forward = ForwardComparison(net, other, used, tolerances)
    differences = forward.run()
    if backward:
        differences += compare_backward(net, other, used, tolerances)
    if not differences:
        raise DataError(
            f"{other.source}: expected layers of net '{net.name}' ({', '.join(net.layer_names[:4])}, ...), found none "
            "of them; it is the record of another net"
        )
    layers = [step.layer.name for step in net.steps if step.tops and not step.layer.is_input]
    splits = {step.layer.name for step in net.steps if is_inserted_split(step)}
    return Comparison(
        other.source, differences, other.notes, forward.unseen, [name for name in layers if name not in splits]
    )


def random_seeds(net: Net, seed: int = 1) -> dict[str, Array]:
    """Returns gradients by blob from which backward starts; none if the net has losses.

    Otherwise they are random, for every output and for the bottoms of layers that take no gradient (Accuracy). Without
    the latter, no gradient would reach the layers below.
    """
    if any(any(step.loss_weights) for step in net.steps):
        return {}
    generator = np.random.default_rng(seed)
    measured = [step.bottoms[0] for step in net.steps if step.layer.no_gradient_to is True and step.bottoms]
    starts = dict.fromkeys([*net.outputs, *measured])
    return {name: generator.normal(0, 1, net.blobs[name].shape).astype(np.float32) for name in starts}
