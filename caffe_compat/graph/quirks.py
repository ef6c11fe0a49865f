"""Where a net trains otherwise than in Caffe, because Caffe's gradient there is not the derivative (docs/parity.md)."""

from collections.abc import Iterable, Iterator

from caffe_compat.graph.step import Step


def training_quirks(steps: Iterable[Step]) -> Iterator[str]:
    """One line for each layer whose gradient differs from Caffe's; only layers that a gradient passes count."""
    makers: dict[str, Step] = {}
    for step in steps:
        in_place = set(step.bottoms) & set(step.tops)
        if step.needs_backward:
            yield from _of_the_layer(step, bool(in_place))
            for blob in sorted(in_place & makers.keys()):
                yield from _of_the_maker(makers[blob], step)
        makers |= dict.fromkeys(step.tops, step)


def _of_the_layer(step: Step, in_place: bool) -> Iterator[str]:
    spec = step.layer.spec
    if spec.type == "Clip" and in_place:
        yield f"{spec}: in place, Caffe passes the gradient also where it clipped; here it is 0 there"
    product = spec.parameter.eltwise_param
    if spec.type == "Eltwise" and product.operation == product.PROD and not product.stable_prod_grad:
        yield f"{spec}: with stable_prod_grad false, Caffe's gradient is NaN where a factor is 0; here it never is"


def _of_the_maker(maker: Step, step: Step) -> Iterator[str]:
    if maker.needs_backward and maker.layer.caffe_backward_reads_top:
        yield (
            f"{maker.layer.spec}: Caffe's backward reads its top, which {step.layer.spec} overwrites in place, so that "
            "the gradient there is another; give the later layer a top of its own to train alike in both"
        )
