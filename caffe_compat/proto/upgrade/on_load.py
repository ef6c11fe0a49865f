"""Decides what a net or a solver needs on load, and upgrades it as Caffe does (upgrade_proto.cpp), with its log lines.

After Caffe's own upgrades of nets come those for fields and layers of other Caffes. A net of today enters no other file
of this package: the conditions stand here, the changes in the other files.

What a net expects of images, mean and scale, stands in a layer's `transform_param`. Caffe accepts the message in any
layer; only data layers obey it. Where a net has no Input layer, the first layer that reads the input holds it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import FormatError, SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade.forks import (
    HOLES,
    give_prior_boxes_of_sstd_their_widths,
    is_of_sstd,
    say_fields_of_forks_as_bvlc,
)
from caffe_compat.proto.upgrade.old_crop import cuts_elsewhere, give_old_crops_their_offsets
from caffe_compat.proto.upgrade.scaled_batch_norm import OF_OTHER_CAFFES, STATISTICS, split_scaled_batch_norms
from caffe_compat.proto.upgrade.v0 import upgrade_v0
from caffe_compat.proto.upgrade.v1 import (
    move_transform_fields,
    needs_transform_fields_moved,
    upgrade_v1,
)

Net = caffe_pb2.NetParameter
Layer = caffe_pb2.LayerParameter

#: No Caffe has a word for RGB. A rule about this stage, which no net has, stands for it.
NOT_BGR = "pixels in BGR"


class Upgrade(NamedTuple):
    """One step: whether a net needs it, the change in place (it returns problems, as log lines), and Caffe's words."""

    needed: Callable[[Net], bool]
    apply: Callable[[Net], list[str]]
    attempt: str
    success: str
    advice: str = ""


def deprecated(name: str) -> tuple[str, str]:
    """Caffe's log lines before and after the upgrade of what `name` says is deprecated."""
    return (
        f"Attempting to upgrade input file specified using deprecated {name}",
        f"Successfully upgraded file specified using deprecated {name}",
    )


def is_v0(net: Net) -> bool:
    """Whether a layer is given as a V0LayerParameter."""
    return any(layer.HasField("layer") for layer in net.layers)


def is_v1(net: Net) -> bool:
    """Whether a net has `layers`, with an s."""
    return len(net.layers) > 0


def has_old_transform_fields(net: Net) -> bool:
    """Whether a V1 data layer holds a field that belongs into transform_param."""
    return is_v1(net) and needs_transform_fields_moved(net)


def has_input_fields(net: Net) -> bool:
    """Whether a net names its inputs in `input:` fields."""
    return len(net.input) > 0


def inputs_to_layer(net: Net) -> list[str]:
    """`input:` fields become one Input layer named "input", in front; names without any shape are dropped."""
    shapes = list(net.input_shape) or _shapes_of_dims(net)
    if shapes:
        if len(shapes) < len(net.input):
            raise FormatError(f"net '{net.name}': {len(net.input)} inputs, but only {len(shapes)} input_shape fields")
        layer = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        layer.input_param.shape.extend(shapes[: len(net.input)])
        reader = first_reader(net.layer, net.input)
        if reader is not None:
            hand_on(reader, layer)
        layers = [layer, *net.layer]
        net.ClearField("layer")
        net.layer.extend(layers)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    return []


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


def _shapes_of_dims(net: Net) -> list[caffe_pb2.BlobShape]:
    """Shapes from `input_dim`, which has four fields per input."""
    dims = net.input_dim
    if dims and len(dims) < 4 * len(net.input):
        raise FormatError(
            f"net '{net.name}': {len(net.input)} inputs need {4 * len(net.input)} input_dim fields (num, channels, "
            f"height, width each), found {len(dims)}; or give input_shape fields"
        )
    return [caffe_pb2.BlobShape(dim=dims[at : at + 4]) for at in range(0, len(dims) - 3, 4)]


def _batch_norms_with_params(net: Net) -> list[Layer]:
    return [layer for layer in net.layer if layer.type == "BatchNorm" and len(layer.param) == 3]


def has_batch_norm_params(net: Net) -> bool:
    """Whether a BatchNorm layer spells out a rate for each of its three statistics, as it once had to."""
    return bool(_batch_norms_with_params(net))


def freeze_batch_norm_params(net: Net) -> list[str]:
    """BatchNorm's statistics are never learnt: lr_mult and decay_mult become 0, names of shared ones stay."""
    for layer in _batch_norms_with_params(net):
        for param in layer.param:
            param.lr_mult = param.decay_mult = 0
    return []


def has_fields_of_forks(net: Net) -> bool:
    """Whether a layer says dilation or the rounding of pooling in a fork's fields."""
    return any(
        layer.pooling_param.HasField("ceil_mode") or any(layer.convolution_param.HasField(field) for field in HOLES)
        for layer in net.layer
    )


def holds_scale(layer: caffe_pb2.LayerParameter) -> bool:
    """Whether a BatchNorm has blobs of a Scale behind its statistics, as in NVIDIA's and Intel's Caffe."""
    return layer.type == "BatchNorm" and len(layer.blobs) > STATISTICS


def has_scaled_batch_norms(net: Net) -> bool:
    """Whether a layer of the net is a BatchNorm that scales, by its blobs or in another Caffe's words."""
    return any(
        holds_scale(layer) or any(layer.batch_norm_param.HasField(field) for field in OF_OTHER_CAFFES)
        for layer in net.layer
    )


def has_crops_of_old(net: Net) -> bool:
    """Whether a net has Crop layers that cut elsewhere in the older Caffe, and none with what only BVLC's reads."""
    crops = any(layer.type == "Crop" for layer in net.layer)
    return crops and not any(layer.HasField("crop_param") for layer in net.layer) and cuts_elsewhere(net)


def has_prior_boxes_of_sstd(net: Net) -> bool:
    """Whether a net of SSTD's Caffe has a PriorBox that does not say which Caffe's boxes it makes."""
    boxes = [layer for layer in net.layer if layer.type == "PriorBox"]
    unsaid = any(not layer.prior_box_param.HasField("width_by_ratio") for layer in boxes)
    return unsaid and any(map(is_of_sstd, net.layer))


UPGRADES: tuple[Upgrade, ...] = (
    Upgrade(
        is_v0,
        upgrade_v0,
        *deprecated("V0LayerParameter"),
        "Note that future Caffe releases will not support V0NetParameter; use upgrade_net_proto_text for prototxt and "
        "upgrade_net_proto_binary for model weights to upgrade this file",
    ),
    Upgrade(
        has_old_transform_fields,
        move_transform_fields,
        *deprecated("transformation parameters"),
        "Note that future Caffe releases will only support transform_param messages for transformation fields.",
    ),
    Upgrade(is_v1, upgrade_v1, *deprecated("V1LayerParameter")),
    Upgrade(
        has_input_fields,
        inputs_to_layer,
        *deprecated("input fields"),
        "Note that future Caffe releases will only support input layers and not input fields.",
    ),
    Upgrade(
        has_batch_norm_params,
        freeze_batch_norm_params,
        "Attempting to upgrade batch norm layers using deprecated params",
        "Successfully upgraded batch norm layers using deprecated params.",
    ),
    Upgrade(
        has_fields_of_forks,
        say_fields_of_forks_as_bvlc,
        "Attempting to upgrade input file specified using fields of other Caffes (hole, ceil_mode)",
        "Successfully upgraded file specified using fields of other Caffes: they are dilation and round_mode now",
    ),
    Upgrade(
        has_scaled_batch_norms,
        split_scaled_batch_norms,
        "Attempting to upgrade batch norm layers that scale, as NVIDIA's and Intel's Caffe have them",
        "Successfully upgraded batch norm layers that scale: each is a BatchNorm and a Scale now",
    ),
    Upgrade(
        has_crops_of_old,
        give_old_crops_their_offsets,
        "Attempting to upgrade Crop layers without crop_param, as the Caffes of FCN (2015) and HED have them",
        "Successfully upgraded Crop layers without crop_param",
    ),
    Upgrade(
        has_prior_boxes_of_sstd,
        give_prior_boxes_of_sstd_their_widths,
        "Attempting to upgrade PriorBox layers of SSTD's Caffe",
        "Successfully upgraded PriorBox layers of SSTD's Caffe: they say width_by_ratio now",
    ),
)

SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}

PROBLEMS = "Warning: had one or more problems upgrading"


def upgrade_net(net: Net, path: str | Path = "") -> list[str]:
    """Applies in place every upgrade that a net needs; the log lines, none where the net is of today.

    A line that starts with PROBLEMS says that lines before it name fields that could not be carried over.
    """
    log = []
    for upgrade in UPGRADES:
        if upgrade.needed(net):
            log.append(f"{upgrade.attempt}: {path}")
            problems = upgrade.apply(net)
            log += [*problems, f"{PROBLEMS} (see above); continuing anyway."] if problems else [upgrade.success]
            log += [upgrade.advice] if upgrade.advice else []
    return log


def upgrade_solver(solver: caffe_pb2.SolverParameter, path: str | Path = "") -> list[str]:
    """`solver_type` (a number) becomes `type` (a name), in place; the log lines."""
    if not solver.HasField("solver_type"):
        return []
    if solver.HasField("type"):
        raise SolverError(f"{path}: both solver_type and type are set; remove solver_type, which is the older")
    solver.type = SOLVER_TYPES[caffe_pb2.SolverParameter.SolverType.Name(solver.solver_type)]
    solver.ClearField("solver_type")
    field = "'solver_type' field (enum)"
    attempt, success = deprecated(field)
    return [
        f"{attempt}: {path}",
        f"{success} with 'type' field (string).",
        "Note that future Caffe releases will only support 'type' field (string) for a solver's type.",
    ]


def complete_snapshot_prefix(solver: caffe_pb2.SolverParameter, path: str | Path) -> list[str]:
    """A missing snapshot_prefix becomes the solver file's name, a folder gets that name in it; the log lines."""
    path = Path(path)
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(path.with_suffix(""))
        return [f"snapshot_prefix was not specified and is set to {solver.snapshot_prefix}"]
    if Path(solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / path.stem)
        return [f"snapshot_prefix was a directory and is replaced to {solver.snapshot_prefix}"]
    return []
