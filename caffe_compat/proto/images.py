"""What layers say of the images that a net expects, in words that both Caffes accept.

`transform_param` holds mean and scale. Caffe accepts the message in any layer; only data layers obey it. The SRN fork
has no Input layer, so the first layer that reads an input says it there. No Caffe has a word for RGB: a rule about the
stage NOT_BGR, which no net has, stands for it.
"""

from collections.abc import Iterable

from caffe_compat.proto import caffe_pb2

Layer = caffe_pb2.LayerParameter

NOT_BGR = "pixels in BGR"


def is_rgb(layer: Layer) -> bool:
    """Whether the layer's images are RGB."""
    without = (stage for rule in layer.include for stage in rule.not_stage)
    return NOT_BGR in without or any(NOT_BGR in rule.stage for rule in layer.exclude)


def say_rgb(layer: Layer, rgb: bool) -> None:
    """Writes into the layer that its images are RGB, or removes these words."""
    for rule in layer.include:  # a layer may not have rules of both kinds
        rule.not_stage[:] = [stage for stage in rule.not_stage if stage != NOT_BGR] + [NOT_BGR] * rgb
    kept = [rule for rule in layer.exclude if NOT_BGR not in rule.stage]
    if rgb and not layer.include:
        kept.append(caffe_pb2.NetStateRule(stage=[NOT_BGR]))
    del layer.exclude[:]
    layer.exclude.extend(kept)


def hand_on(source: Layer, target: Layer) -> None:
    """Moves what a layer says of images to a layer that says nothing yet."""
    if source.HasField("transform_param") and not target.HasField("transform_param"):
        target.transform_param.CopyFrom(source.transform_param)
        say_rgb(target, is_rgb(source))
    source.ClearField("transform_param")
    say_rgb(source, False)


def first_reader(layers: Iterable[Layer], blobs: Iterable[str]) -> Layer | None:
    """Returns the first layer that reads one of these blobs."""
    wanted = set(blobs)
    return next((layer for layer in layers if wanted.intersection(layer.bottom)), None)
