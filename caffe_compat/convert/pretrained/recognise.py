"""Recognises a ResNet of another project by the names and shapes of its tensors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from caffe_compat.convert.model import Shape
from caffe_compat.convert.pretrained.naming import (
    NAMINGS,
    PREFIXES,
    BlockPlace,
    Naming,
    convolution_keys,
    norm_keys,
    places_of,
)
from caffe_compat.errors import FormatError
from caffe_compat.proto.blobs import Blob

#: Blocks in the four stages, by number of layers.
DEPTHS = {26: [2, 2, 2, 2], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
#: Tensors of a normalisation, in the order of the SRN fork's BN.
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
#: A counter of BatchNorm2d that prediction does not use.
COUNTER = "num_batches_tracked"

Tensors = Mapping[str, Blob]


@dataclass(frozen=True)
class ResNet:
    """A recognised file: its project's naming, blocks and channels, and its tensors with prefixes removed from keys."""

    naming: Naming
    depth: int
    places: list[BlockPlace]
    width: int
    tensors: Tensors


def is_resnet(names: Mapping[str, object]) -> bool:
    """Whether the names are those of a known project's ResNet; `recognise` says if its variant is known."""
    return _naming(names) is not None


def _naming(names: Mapping[str, object]) -> tuple[Naming, str] | None:
    """Returns the project's naming and the prefix of its keys, or None."""
    for naming in NAMINGS:
        for prefix in PREFIXES:
            second = naming.key_of_block(0, 0) + naming.convolution.format(part=1, part1=2)
            if f"{prefix}{naming.stem}.weight" in names and f"{prefix}{second}.weight" in names:
                return naming, prefix
    return None


def recognise(path: str, tensors: Tensors) -> ResNet:
    """Returns the recognised ResNet of 26, 50, 101 or 152 layers.

    FormatError names a tensor that is missing, unknown, or has an unexpected shape. This also refuses ResNeXt, wide and
    "d" variants.
    """
    found = _naming(tensors)
    if found is None:
        raise FormatError(
            f"{path}: expected the names of a ResNet ({', '.join(n.project for n in NAMINGS)}), "
            f"found {', '.join(list(tensors)[:3])} ..."
        )
    naming, prefix = found
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    counts = [_blocks_in(own, naming, stage) for stage in range(4)]
    depth = next((depth for depth, blocks in DEPTHS.items() if blocks == counts), None)
    if depth is None:
        raise FormatError(
            f"{path}: expected the blocks of a ResNet-26, 50, 101 or 152, found {counts} in its four stages"
        )
    resnet = ResNet(naming, depth, places_of(counts), int(own[f"{naming.stem}.weight"].shape[0]), own)
    _require_exactly(path, resnet)
    return resnet


def _blocks_in(tensors: Tensors, naming: Naming, stage: int) -> int:
    pattern = re.compile(
        re.escape(naming.block.format(stage=stage, stage1=stage + 1, block="@")).replace("@", r"(\d+)")
    )
    numbers = {int(match[1]) for name in tensors if (match := pattern.match(name))}
    return len(numbers) if numbers == set(range(len(numbers))) else 0


def _require_exactly(path: str, resnet: ResNet) -> None:
    """Raises FormatError for tensors with other shapes, missing tensors and unknown tensors."""
    expected = expected_shapes(resnet)
    for name, shape in expected.items():
        if name not in resnet.tensors:
            raise FormatError(
                f"{path}: expected a tensor '{name}' {list(shape)} in a ResNet-{resnet.depth} of "
                f"{resnet.naming.project}, found none; the file is not whole, or of another variant (18, 34), "
                "which has no counterpart in Caffe's ResNets"
            )
        if resnet.tensors[name].shape != shape:
            raise FormatError(
                f"{path}: expected tensor '{name}' of shape {list(shape)} in a ResNet-{resnet.depth} of "
                f"{resnet.naming.project}, found {list(resnet.tensors[name].shape)}; other variants (wide, ResNeXt, d) "
                "have no counterpart in Caffe's ResNets"
            )
    known = {*expected, f"{resnet.naming.head}.weight", f"{resnet.naming.head}.bias"}
    left = [name for name in resnet.tensors if name not in known and not name.endswith(COUNTER)]
    if left:
        raise FormatError(
            f"{path}: expected the tensors of a ResNet-{resnet.depth} of {resnet.naming.project} alone, found "
            f"'{left[0]}' too; other variants have no counterpart in Caffe's ResNets"
        )


def expected_shapes(resnet: ResNet) -> dict[str, Shape]:
    """Returns the shapes of a ResNet's tensors by key, without the classifier's."""
    weights = dict(convolution_keys(resnet.naming, resnet.places))
    shapes = {
        f"{weights[name]}.weight": shape for name, shape in convolution_shapes(resnet.places, resnet.width).items()
    }
    channels = norm_channels(resnet)
    for name, key in norm_keys(resnet.naming, resnet.places):
        shapes |= {f"{key}.{part}": (channels[name],) for part in NORM_PARTS}
    return shapes


def convolution_shapes(places: list[BlockPlace], width: int) -> dict[str, Shape]:
    """Returns the shapes of the convolutions' weights by Caffe's names."""
    shapes: dict[str, Shape] = {"conv1": (width, 3, 7, 7)}
    before = width
    for place in places:
        inner = width * 2**place.stage
        if place.block == 0:
            shapes[f"res{place.name}_branch1"] = (4 * inner, before, 1, 1)
        shapes[f"res{place.name}_branch2a"] = (inner, before, 1, 1)
        shapes[f"res{place.name}_branch2b"] = (inner, inner, 3, 3)
        shapes[f"res{place.name}_branch2c"] = (4 * inner, inner, 1, 1)
        before = 4 * inner
    return shapes


def norm_channels(resnet: ResNet) -> dict[str, int]:
    """Returns the channels of each normalisation: those of the convolution or sum before it."""
    outputs = {name: shape[0] for name, shape in convolution_shapes(resnet.places, resnet.width).items()}
    outputs |= {f"res{place.name}": outputs[f"res{place.name}_branch2c"] for place in resnet.places}
    return {
        name: outputs[name.removeprefix("bn_") if name == "bn_conv1" else name.replace("bn", "res", 1)]
        for name, _ in norm_keys(resnet.naming, resnet.places)
    }


def head_of(resnet: ResNet) -> tuple[Blob, Blob] | None:
    """Returns weight (classes, features) and bias of the classifier, or None if the file has none.

    timm's resnetv2 stores the classifier as a 1x1 convolution.
    """
    weight = resnet.tensors.get(f"{resnet.naming.head}.weight")
    bias = resnet.tensors.get(f"{resnet.naming.head}.bias")
    if weight is None or bias is None:
        return None
    return np.asarray(weight).reshape(weight.shape[0], -1), np.asarray(bias)
