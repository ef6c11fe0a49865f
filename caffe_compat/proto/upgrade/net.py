"""What Caffe does to old files on load (upgrade_proto.cpp), in its order, with the log lines its users know.

After it comes what other Caffes say otherwise than BVLC's, so that nothing behind the files has to know of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade.forks import has_fields_of_forks, say_fields_of_forks_as_bvlc
from caffe_compat.proto.upgrade.old_crop import give_old_crops_their_offsets, has_old_crops
from caffe_compat.proto.upgrade.scaled_batch_norm import has_scaled_batch_norms, split_scaled_batch_norms
from caffe_compat.proto.upgrade.v0 import needs_v0_upgrade, upgrade_v0
from caffe_compat.proto.upgrade.v1 import (
    move_transform_fields,
    needs_transform_fields_moved,
    needs_v1_upgrade,
    upgrade_v1,
)

Net = caffe_pb2.NetParameter


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
        layers = [layer, *net.layer]
        net.ClearField("layer")
        net.layer.extend(layers)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    return []


def _shapes_of_dims(net: Net) -> list[caffe_pb2.BlobShape]:
    """Shapes from `input_dim`, which has four fields per input."""
    dims = net.input_dim
    if dims and len(dims) < 4 * len(net.input):
        raise FormatError(
            f"net '{net.name}': {len(net.input)} inputs need {4 * len(net.input)} input_dim fields (num, channels, "
            f"height, width each), found {len(dims)}; or give input_shape fields"
        )
    return [caffe_pb2.BlobShape(dim=dims[at : at + 4]) for at in range(0, len(dims) - 3, 4)]


def _batch_norms_with_params(net: Net) -> list[caffe_pb2.LayerParameter]:
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


UPGRADES: tuple[Upgrade, ...] = (
    Upgrade(
        needs_v0_upgrade,
        upgrade_v0,
        *deprecated("V0LayerParameter"),
        "Note that future Caffe releases will not support V0NetParameter; use upgrade_net_proto_text for prototxt and "
        "upgrade_net_proto_binary for model weights to upgrade this file",
    ),
    Upgrade(
        needs_transform_fields_moved,
        move_transform_fields,
        *deprecated("transformation parameters"),
        "Note that future Caffe releases will only support transform_param messages for transformation fields.",
    ),
    Upgrade(needs_v1_upgrade, upgrade_v1, *deprecated("V1LayerParameter")),
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
        has_old_crops,
        give_old_crops_their_offsets,
        "Attempting to upgrade Crop layers without crop_param, as the Caffes of FCN (2015) and HED have them",
        "Successfully upgraded Crop layers without crop_param",
    ),
)

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
