"""Names of the tensors of a ResNet with bottleneck blocks in three projects.

Facts of torchvision (torchvision/models/resnet.py), timm (timm/models/resnet.py and resnetv2.py) and Hugging Face's
transformers (models/resnet/modeling_resnet.py). In each of them the 3x3 convolution of a stage's first block strides.
"""

from collections.abc import Iterator
from dataclasses import dataclass

#: Mean and standard deviation of RGB images from 0 to 1 in torchvision's training.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Normalization:
    """The normalisation of RGB images from 0 to 1 before the first convolution: (image - mean) / std."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


@dataclass(frozen=True)
class BlockPlace:
    """A block: its stage and place, both counted from 0, and its name in Caffe's ResNets (2a, 4b22)."""

    stage: int
    block: int
    name: str


@dataclass(frozen=True)
class Naming:
    """One project's keys, as format strings. {stage} and {block} count from 0, {stage1} and {part1} from 1.

    `is_preactivation` says that each block normalises before it convolves, as in the SRN paper's [14].
    """

    project: str
    stem: str
    stem_norm: str
    block: str
    convolution: str
    norm: str
    shortcut: str
    shortcut_norm: str
    head: str
    normalization: Normalization = Normalization()
    is_preactivation: bool = False

    def key_of_block(self, stage: int, block: int) -> str:
        """Returns the prefix of a block's keys."""
        return self.block.format(stage=stage, stage1=stage + 1, block=block)


NAMINGS = (
    Naming(
        project="torchvision or timm",
        stem="conv1",
        stem_norm="bn1",
        block="layer{stage1}.{block}.",
        convolution="conv{part1}",
        norm="bn{part1}",
        shortcut="downsample.0",
        shortcut_norm="downsample.1",
        head="fc",
    ),
    Naming(
        project="Hugging Face",
        stem="embedder.embedder.convolution",
        stem_norm="embedder.embedder.normalization",
        block="encoder.stages.{stage}.layers.{block}.",
        convolution="layer.{part}.convolution",
        norm="layer.{part}.normalization",
        shortcut="shortcut.convolution",
        shortcut_norm="shortcut.normalization",
        head="classifier.1",
    ),
    Naming(
        project="timm (resnetv2)",
        stem="stem.conv",
        stem_norm="stages.0.blocks.0.norm1",
        block="stages.{stage}.blocks.{block}.",
        convolution="conv{part1}",
        norm="norm{part1}",
        shortcut="downsample.conv",
        shortcut_norm="",
        head="head.fc",
        normalization=Normalization(HALF, HALF),
        is_preactivation=True,
    ),
)
#: Prefixes that training scripts add to every key.
PREFIXES = ("", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model.", "resnet.", "backbone.")


def convolution_keys(naming: Naming, places: list[BlockPlace]) -> Iterator[tuple[str, str]]:
    """Yields the convolutions in order: Caffe's name and the prefix of the project's keys."""
    yield "conv1", naming.stem
    yield from _branches("res", naming, places, naming.shortcut, naming.convolution)


def norm_keys(naming: Naming, places: list[BlockPlace]) -> Iterator[tuple[str, str]]:
    """Yields the normalisations in order: Caffe's name and the prefix of the project's keys."""
    yield "bn_conv1", naming.stem_norm
    if naming.is_preactivation:
        yield from _preactivation_norms(naming, places)
    else:  # a normalisation is behind every convolution
        yield from _branches("bn", naming, places, naming.shortcut_norm, naming.norm)


def _branches(
    kind: str, naming: Naming, places: list[BlockPlace], shortcut: str, key: str
) -> Iterator[tuple[str, str]]:
    """Yields one layer for every convolution of the blocks: Caffe's name, which begins with `kind`, and the prefix.

    `shortcut` and `key` are the project's keys in the shortcut and, as a format string, in the branch.
    """
    for place in places:
        prefix = naming.key_of_block(place.stage, place.block)
        if place.block == 0:
            yield f"{kind}{place.name}_branch1", prefix + shortcut
        for part, letter in enumerate("abc"):
            yield f"{kind}{place.name}_branch2{letter}", prefix + key.format(part=part, part1=part + 1)


def _preactivation_norms(naming: Naming, places: list[BlockPlace]) -> Iterator[tuple[str, str]]:
    """Yields, per block, two normalisations in the branch and one behind the sum.

    In the project's keys, the last one belongs to the next block.
    """
    for place, after in zip(places, [*places[1:], None], strict=True):
        prefix = naming.key_of_block(place.stage, place.block)
        for part, letter in ((1, "a"), (2, "b")):
            yield f"bn{place.name}_branch2{letter}", prefix + naming.norm.format(part=part, part1=part + 1)
        first = naming.norm.format(part=0, part1=1)
        yield f"bn{place.name}", "norm" if after is None else naming.key_of_block(after.stage, after.block) + first


def scale_name(norm: str) -> str:
    """Returns the name of the Scale behind a BatchNorm, as in the public ResNets: scale2a_branch1 for bn2a_branch1."""
    return norm.replace("bn", "scale", 1)


def places_of(counts: list[int]) -> list[BlockPlace]:
    """Returns the blocks of stages with these numbers of blocks, named as in the public ResNets: 2a, 2b, 2c, 3a ...

    In nets of more than 50 layers, blocks of stages 3 and 4 are numbered: 4a, 4b1, 4b2 ...
    """
    deep = 3 * sum(counts) + 2 > 50
    return [
        BlockPlace(stage, block, f"{stage + 2}{_letter(block, deep and stage in (1, 2))}")
        for stage, count in enumerate(counts)
        for block in range(count)
    ]


def _letter(block: int, numbered: bool) -> str:
    return f"b{block}" if numbered and block else chr(ord("a") + block)
