"""Names layers of a residual backbone as in the public ResNets; activations may come before or after convolutions."""

from collections.abc import Sequence

from caffe_compat.convert.rename.blocks import NORMS, Block, stage_names
from caffe_compat.convert.rename.graph import Node, upwards
from caffe_compat.convert.rename.role_names import RoleNames


def name_stem(names: RoleNames, blocks: Sequence[Block]) -> None:
    """Names the layers before the first block: conv1, bn_conv1, conv1_relu and pool1."""
    path = [node for node in upwards(blocks[0].branch[0])][1:]
    convolution = next((node for node in reversed(path) if node.type == "Convolution"), None)
    if convolution is not None:
        last = _named(names, convolution, "conv1", "_conv1", "conv1_relu")
        pool = last.readers_of("Pooling")
        if pool:
            names.name(pool[0], "pool1")


def name_backbone(names: RoleNames, blocks: Sequence[Block], main: set[Node]) -> None:
    """Names the layers of every block, as res4b22_branch2a ... res4b22, and the activation behind each sum."""
    for block, name in zip(blocks, stage_names(blocks), strict=True):
        name_block(names, block, f"res{name}", name)
        name_sum_activation(names, block.total, main, name, f"res{name}_relu")


def name_block(names: RoleNames, block: Block, prefix: str, suffix: str) -> None:
    """Names a block's convolutions with their activations, and its sum."""
    for letter, convolution in zip("abcdefgh", block.branch, strict=False):
        role = f"_branch2{letter}"
        _named(names, convolution, prefix + role, suffix + role, f"{prefix}{role}_relu")
    if block.shortcut is not None:
        _named(names, block.shortcut, f"{prefix}_branch1", f"{suffix}_branch1", f"{prefix}_branch1_relu")
    names.name(block.total, prefix)


def name_sum_activation(names: RoleNames, total: Node, within: set[Node], suffix: str, relu: str) -> Node:
    """Names the normalisation and ReLU that read a sum; returns the last named node, or the sum.

    Only nodes in `within` are named, since other parts of the net may have readers of the same sum.
    """
    last = total
    for norm in total.readers_of(*NORMS):
        if norm in within:
            last = names.name_norm(norm, suffix)
    for active in last.readers_of("ReLU"):
        if active in within:
            names.name(active, relu)
            last = active
    return last


def _named(names: RoleNames, convolution: Node, layer: str, suffix: str, relu: str) -> Node:
    names.name(convolution, layer)
    return names.name_activation(convolution, suffix, relu)
