"""Finds residual blocks by their structure: two paths that start at one layer and meet in a sum."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caffe_compat.convert.rename.graph import Node, is_eltwise, upwards
from caffe_compat.proto import caffe_pb2

NORMS = ("BN", "BatchNorm")


@dataclass(frozen=True)
class Block:
    """A block: its sum, the convolutions of its residual branch in order, and the shortcut's convolution or None."""

    total: Node
    branch: list[Node]
    shortcut: Node | None


def find_blocks(nodes: Iterable[Node]) -> list[Block]:
    """Returns the blocks whose sums are among the nodes, in the order of the sums."""
    sums = [node for node in nodes if is_eltwise(node, caffe_pb2.EltwiseParameter.SUM)]
    return [block for block in map(_block, sums) if block is not None]


def _block(total: Node) -> Block | None:
    """Returns the block of a sum; the path with more convolutions is the branch.

    None if the two paths do not meet, neither has a convolution, or the shortcut has more than one.
    """
    first, second = (list(upwards(source)) for source in total.sources)
    meeting = next((node for node in first if node in second), None)
    if meeting is None:
        return None
    paths = [_convolutions(path[: path.index(meeting)]) for path in (first, second)]
    shortcut, branch = sorted(paths, key=len)
    if not branch or len(shortcut) > 1:
        return None
    return Block(total, branch, shortcut[0] if shortcut else None)


def _convolutions(path: Sequence[Node]) -> list[Node]:
    return [node for node in reversed(path) if node.type == "Convolution"]


def stage_names(blocks: Sequence[Block]) -> list[str]:
    """Returns a name per block: 2a, 2b, 2c, 3a ...; a block with a convolution in its shortcut starts a stage.

    In nets of more than 50 layers, blocks of stages 3 and 4 are numbered as in the public ResNet-101: 4a, 4b1, 4b2 ...
    """
    deep = 3 * len(blocks) + 2 > 50
    names: list[str] = []
    stage, place = 1, 0
    for block in blocks:
        stage, place = (stage + 1, 0) if block.shortcut is not None or stage == 1 else (stage, place + 1)
        numbered = (deep and stage in (3, 4)) or place >= 26
        names.append(f"{stage}{_letter(place, numbered)}")
    return names


def _letter(place: int, numbered: bool) -> str:
    if numbered and place:
        return f"b{place}"
    return chr(ord("a") + place)
