"""Finds layers that train differently from Caffe, because Caffe's gradient is not the derivative (docs/parity.md)."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from caffe_compat.graph.wiring import Step


def training_quirks(steps: Iterable[Step], passes: int = 1) -> Iterator[str]:
    """Yields a line of text per difference between Caffe's gradient and ours; skips layers without backward.

    `passes` is the number of backward passes before an update, which is the solver's iter_size.
    """
    steps = list(steps)
    makers: dict[str, Step] = {}
    for step in steps:
        in_place = set(step.bottoms) & set(step.tops)
        if step.needs_backward:
            yield from _of_the_layer(step, bool(in_place))
            yield from _of_a_shared_diff(step, makers)
            for blob in sorted(in_place & makers.keys()):
                yield from _of_the_maker(makers[blob], step)
        makers |= dict.fromkeys(step.tops, step)
    yield from _of_overwritten_gradients([step for step in steps if step.needs_backward], passes)


def _of_the_layer(step: Step, in_place: bool) -> Iterator[str]:
    spec = step.layer.spec
    if spec.type == "Clip" and in_place:
        yield f"{spec}: in place, Caffe passes the gradient also where it clipped; here it is 0 there"
    product = spec.parameter.eltwise_param
    if spec.type == "Eltwise" and product.operation == product.PROD and not product.stable_prod_grad:
        yield f"{spec}: with stable_prod_grad false, Caffe's gradient is NaN where a factor is 0; here it never is"
    raised = spec.parameter.power_param
    if spec.type == "Power" and step.propagate_down[0] and raised.scale and raised.power > 1 and raised.power != 2:
        yield (
            f"{spec}: with power {raised.power:g}, Caffe's gradient is NaN where shift + scale * x is 0 (it divides by "
            "it); here it is 0 there"
        )


def _of_a_shared_diff(step: Step, makers: dict[str, Step]) -> Iterator[str]:
    # Both types lay their bottom's diff over their top's, and the layer below reads it.
    if step.layer.spec.type not in ("Reshape", "Flatten") or step.propagate_down[0]:
        return
    if makers[step.bottoms[0]].needs_backward:
        yield (
            f"{step.layer.spec}: in spite of propagate_down false, Caffe passes the gradient through this layer, whose "
            "top and bottom share it; here none passes"
        )


def _of_the_maker(maker: Step, step: Step) -> Iterator[str]:
    if maker.needs_backward and maker.layer.caffe_backward_reads_top:
        yield (
            f"{maker.layer.spec}: Caffe's backward reads its top, which {step.layer.spec} overwrites in place, so that "
            "the gradient there is another; give the later layer a top of its own to train alike in both"
        )


def _of_overwritten_gradients(steps: list[Step], passes: int) -> Iterator[str]:
    """One line for each type whose gradient Caffe overwrites where an earlier one of the same update should be kept."""
    users = Counter(id(blob) for step in steps for blob in step.learning)
    scales = [s for s in steps if _overwrites_its_slope(s) and (passes > 1 or users[id(s.layer.blobs[0])] > 1)]
    yield from _told_once(scales, "for a bottom of one item, or with one weight per value", passes)
    parameters = [s for s in steps if s.layer.spec.type == "Parameter" and s.weights_need[0] and passes > 1]
    yield from _told_once(parameters, "whose top and weight share their gradient", passes)


def _overwrites_its_slope(step: Step) -> bool:
    """Whether Caffe's Scale writes its slope's gradient instead of adding to it: no axis before the slope's sums up."""
    if step.layer.spec.type != "Scale" or len(step.bottoms) > 1 or not step.weights_need[0]:
        return False
    bottom, slope = step.bottom_shapes[0], step.layer.blobs[0]
    axis = step.layer.spec.parameter.scale_param.axis % len(bottom) if slope.dim() else 0
    return math.prod(bottom[:axis]) == 1 and (slope.numel() > 1 or math.prod(bottom) == 1)


def _told_once(steps: list[Step], where: str, passes: int) -> Iterator[str]:
    if not steps:
        return
    more = f" and {len(steps) - 1} more of this type" if len(steps) > 1 else ""
    why = f"iter_size {passes}" if passes > 1 else "a shared weight"
    yield (
        f"{steps[0].layer.spec}{more}: {where}, Caffe keeps only the last gradient that it computes before an update; "
        f"with {why}, here they are added up"
    )
