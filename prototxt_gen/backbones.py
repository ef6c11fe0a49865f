"""The main net up to its last feature map (Eq. 1): the ResNets of He et al., and their pre-activation form."""

import itertools
import string
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from prototxt_gen.builder import Maps, NetBuilder

#: Numbers of blocks in stages 2 to 5, by depth. Depth 26 is for small machines; the others are from He et al.
BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

#: Receptive fields of the narrow backbone's last map, in pixels: 15 after three convolutions of stride 2, and 16
#: more for each 3x3 convolution at stride 8.
FIELDS = range(15, 512, 16)


class LayerNaming(Protocol):
    """Function that returns a layer's name: made of its type (released models) or of its role (public ResNets)."""

    def __call__(self, released_type: str, role: str) -> str: ...


class Features(NamedTuple):
    """Blobs that the heads read: the last sum of stage 4 before and after its ReLU, and the last blob of stage 5."""

    tap_sum: Maps
    tap: Maps
    last: Maps


class Bottleneck(NamedTuple):
    """A bottleneck: 1x1, 3x3 and 1x1 convolutions with inner, inner and 4 x inner channels."""

    name: str
    inner: int
    stride: int
    projects: bool


class Size(NamedTuple):
    """The dimensions of a backbone: blocks of stages 2 to 5, and `width`, the channels of the first layer.

    `receptive_field` (pixels) is for the narrow backbone, which has no such blocks; there `extra_blocks` counts pairs
    of further 1x1 layers. `stride_in` names the convolution of a block that has the stride: conv1 (the first 1x1) or
    conv2 (the 3x3). `floor_pooling` pads pool1 by 1 and rounds its size down.
    """

    blocks: list[list[Bottleneck]]
    width: int
    receptive_field: int = FIELDS.start
    extra_blocks: int = 0
    stride_in: str = "conv1"
    floor_pooling: bool = False


Between = Callable[[Maps], Maps]


def unchanged(blob: Maps) -> Maps:
    """Returns the blob itself: nothing comes between stages 4 and 5."""
    return blob


def public_names(released_type: str, role: str) -> str:
    """Returns the layer's role, which is its name in the public ResNets."""
    return role


class CountedNames:
    """Names of the released models: a prefix, the layer's type, and a counter shared by all types."""

    def __init__(self, prefix: str, first: int) -> None:
        self._prefix = prefix
        self._numbers = itertools.count(first)

    def __call__(self, released_type: str, role: str) -> str:
        return f"{self._prefix}{released_type}_{next(self._numbers)}"


def stages(depth: int, width: int, extra_blocks: int) -> list[list[Bottleneck]]:
    """The blocks of stages 2 to 5, named as in the public nets: 2a, 2b, 2c ...; 3b1, 4b1 ... in deep nets."""
    counts = [*BLOCKS[depth][:3], BLOCKS[depth][3] + extra_blocks]
    return [
        _stage(number, count, width * 2 ** (number - 2), numbered=depth > 50 and number in (3, 4))
        for number, count in enumerate(counts, start=2)
    ]


def resnet(net: NetBuilder, data: Maps, size: Size, names: LayerNaming, between: Between = unchanged) -> Features:
    """Adds a public ResNet with its names and structure, so that ImageNet weights load by name; returns its blobs.

    `between` adds what comes between stages 4 and 5.
    """
    blob = _stem(net, data, size, public_names)
    taps = []
    for stage in size.blocks:
        blob = between(blob) if stage is size.blocks[-1] else blob
        for block in stage:
            blob = _post_activation_block(net, blob, block, size.stride_in)
        taps.append(blob)
    return Features(tap_sum=taps[2], tap=taps[2], last=taps[3])


def preresnet(net: NetBuilder, data: Maps, size: Size, names: LayerNaming, between: Between = unchanged) -> Features:
    """Adds a stem and blocks of "Identity mappings in deep residual networks" (the paper's [14]); returns its blobs.

    `between` adds what comes between stages 4 and 5.
    """
    total = active = _stem(net, data, size, names)
    taps = []
    for stage in size.blocks:
        active = between(active) if stage is size.blocks[-1] else active
        for block in stage:
            total = pre_activation_block(net, total, active, block, names, size.stride_in)
            # In place only at the end of a stage: the next stage projects the active blob, and nothing reads the sum.
            active = activate(net, total, block.name, names, in_place=block is stage[-1])
        taps.append(Features(total, active, active))
    return Features(taps[2].tap_sum, taps[2].tap, taps[3].last)


def narrow(net: NetBuilder, data: Maps, size: Size, names: LayerNaming, between: Between = unchanged) -> Features:
    """Adds a backbone of limited receptive field, which cannot see how distant objects lie to each other.

    Three 3x3 convolutions of stride 2 see 15 pixels; each further 3x3 convolution adds 16. The last layers are 1x1, and
    the tap is the map after the first of them. This backbone is ours, not the paper's: it shows the effect of spatial
    regularization alone. `between` adds what comes after the tap.
    """
    width = size.width
    blob = data
    for number, channels in enumerate((width, 2 * width, 4 * width), start=1):
        blob = _narrow_layer(net, blob, f"conv{number}", channels, kernel=3, stride=2)
    for number in range((size.receptive_field - FIELDS.start) // FIELDS.step):
        blob = _narrow_layer(net, blob, f"conv4_{number + 1}", 4 * width, kernel=3)
    tap = _narrow_layer(net, blob, "conv5", 4 * width)
    last = _narrow_layer(net, between(tap), "conv6", 4 * width)
    for number in range(size.extra_blocks):
        last = _narrow_layer(net, last, f"conv{7 + number}a", 64 * width)
        last = _narrow_layer(net, last, f"conv{7 + number}b", 4 * width)
    return Features(tap_sum=tap, tap=tap, last=last)


def _narrow_layer(net: NetBuilder, bottom: Maps, name: str, channels: int, kernel: int = 1, stride: int = 1) -> Maps:
    blob = net.convolution(bottom, name, channels, kernel, stride, pad=kernel // 2)
    blob = net.norm(blob, f"bn_{name}")
    return net.relu(blob, f"{name}_relu")


def pre_activation_block(
    net: NetBuilder, total: Maps, active: Maps, block: Bottleneck, names: LayerNaming, stride_in: str = "conv2"
) -> Maps:
    """Adds a block; returns the sum of its branch and its shortcut.

    The shortcut is the input, or a convolution if shapes change.
    """
    name, inner = f"res{block.name}_branch", block.inner
    first, second = _strides(block, stride_in)
    branch = net.convolution(active, names("SpatialConvolution", f"{name}2a"), inner, stride=first)
    branch = activate(net, branch, f"{block.name}_branch2a", names)
    branch = net.convolution(branch, names("SpatialConvolution", f"{name}2b"), inner, 3, second, pad=1)
    branch = activate(net, branch, f"{block.name}_branch2b", names)
    branch = net.convolution(branch, names("SpatialConvolution", f"{name}2c"), 4 * inner)
    shortcut = total
    if block.projects:
        shortcut = net.convolution(active, names("SpatialConvolution", f"{name}1"), 4 * inner, stride=block.stride)
    return net.eltwise([branch, shortcut], names("Eltwise", f"res{block.name}"))


def activate(net: NetBuilder, blob: Maps, name: str, names: LayerNaming, in_place: bool = True) -> Maps:
    """Adds normalisation and ReLU after a convolution or a block's sum; returns the resulting blob."""
    blob = net.norm(blob, names("BN", f"bn{name}"), in_place)
    return net.relu(blob, names("ReLU", f"res{name}_relu"))


def _strides(block: Bottleneck, stride_in: str) -> tuple[int, int]:
    """The strides of the block's first 1x1 convolution and of its 3x3 convolution."""
    return (block.stride, 1) if stride_in == "conv1" else (1, block.stride)


def _stem(net: NetBuilder, data: Maps, size: Size, names: LayerNaming) -> Maps:
    blob = net.convolution(data, names("SpatialConvolution", "conv1"), size.width, kernel=7, stride=2, pad=3)
    blob = net.norm(blob, names("BN", "bn_conv1"))
    blob = net.relu(blob, names("ReLU", "conv1_relu"))
    return net.max_pool(blob, names("Pooling", "pool1"), size.floor_pooling)


def _post_activation_block(net: NetBuilder, bottom: Maps, block: Bottleneck, stride_in: str) -> Maps:
    """Adds a branch of three convolutions and a shortcut, with a ReLU after their sum; returns the active sum."""
    name, inner = block.name, block.inner
    first, second = _strides(block, stride_in)
    shortcut = bottom
    if block.projects:
        shortcut = _convolution_and_norm(net, bottom, f"{name}_branch1", 4 * inner, stride=block.stride)
    branch = _convolution_and_norm(net, bottom, f"{name}_branch2a", inner, stride=first)
    branch = net.relu(branch, f"res{name}_branch2a_relu")
    branch = _convolution_and_norm(net, branch, f"{name}_branch2b", inner, kernel=3, stride=second, pad=1)
    branch = net.relu(branch, f"res{name}_branch2b_relu")
    branch = _convolution_and_norm(net, branch, f"{name}_branch2c", 4 * inner)
    return net.relu(net.eltwise([shortcut, branch], f"res{name}"), f"res{name}_relu")


def _convolution_and_norm(net: NetBuilder, bottom: Maps, name: str, channels: int, **window: Any) -> Maps:
    return net.norm(net.convolution(bottom, f"res{name}", channels, **window), f"bn{name}")


def _stage(number: int, count: int, inner: int, numbered: bool) -> list[Bottleneck]:
    """The blocks of a stage; the first block projects its shortcut and, except in stage 2, halves the size."""
    letters = ["a", *(f"b{i}" for i in range(1, count))] if numbered else string.ascii_lowercase[:count]
    first = Bottleneck(f"{number}a", inner, stride=1 if number == 2 else 2, projects=True)
    return [first, *(Bottleneck(f"{number}{letter}", inner, stride=1, projects=False) for letter in letters[1:])]
