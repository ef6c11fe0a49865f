"""Finds the parts of SRN by what they compute, and gives them the names of generated nets.

The attention map A is the output of the softmax over space (Eq. 4). S is the map that A multiplies before a sum over
space (Eq. 7). U is the product of A with a sigmoid of S (Eq. 8). The layers that depend on U are f_sr (Eq. 9).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from caffe_compat.convert.rename.backbone_names import name_block, name_sum_activation
from caffe_compat.convert.rename.blocks import Block, find_blocks
from caffe_compat.convert.rename.graph import Node, ancestors, is_eltwise
from caffe_compat.convert.rename.role_names import RoleNames
from caffe_compat.proto import caffe_pb2

PRODUCT = caffe_pb2.EltwiseParameter.PROD


@dataclass(frozen=True)
class SpatialSoftmax:
    """The softmax over space, and the Reshape behind it that restores the two axes of A."""

    softmax: Node
    map: Node


def find_attention(nodes: Sequence[Node]) -> SpatialSoftmax | None:
    """Returns the first softmax between two Reshapes, or None; the second Reshape restores images."""
    for node in nodes:
        back = node.only_reader("Reshape") if node.type == "Softmax" else None
        if back is not None and node.sources[0].type == "Reshape":
            return SpatialSoftmax(node, back)
    return None


def name_classifier(names: RoleNames, nodes: Sequence[Node], attention: SpatialSoftmax | None) -> Node | None:
    """Names pool5, its Flatten, and cls_fc with its blob y_cls; returns the classifier cls_fc, or None.

    The classifier is the first inner product that does not depend on A and is not hidden.
    """
    for node in nodes:
        if node.type == "InnerProduct" and not (_is_hidden(node) or (attention and attention.map in ancestors(node))):
            for source in node.sources:
                if source.type == "Flatten":
                    names.name(source, "pool5_flat")
                    source = source.sources[0]
                if source.type == "Pooling":
                    names.name(source, "pool5")
            names.name(node, "cls_fc", "y_cls")
            return node
    return None


def _is_hidden(node: Node) -> bool:
    """Whether only another inner product reads the node, perhaps behind ReLU and Dropout, as VGG's fc6 and fc7."""
    while len(node.readers) == 1:
        (node,) = node.readers
        if node.type == "InnerProduct":
            return True
        if node.type not in ("ReLU", "Dropout"):
            break
    return False


def name_attention(names: RoleNames, nodes: Sequence[Node], attention: SpatialSoftmax, main: set[Node]) -> None:
    """Names f_att: its bottlenecks, att_conv1 to att_conv3, the softmax and the map A."""
    own = ancestors(attention.softmax) - main
    blocks = find_blocks(node for node in nodes if node in own)
    _name_bottlenecks(names, blocks, main, own)
    in_blocks = {node for block in blocks for node in ancestors(block.total)}
    convolutions = [node for node in nodes if node in own and node.type == "Convolution" and node not in in_blocks]
    for number, convolution in enumerate(convolutions, start=1):
        name_hidden(names, convolution, f"att_conv{number}")
    names.name(attention.softmax.sources[0], "att_flat")
    names.name(attention.softmax, "att_softmax")
    names.name(attention.map, "att_map")


def _name_bottlenecks(names: RoleNames, blocks: Sequence[Block], main: set[Node], own: set[Node]) -> None:
    """Names the two blocks of released models, att_res1 and att_res2, and the activation before them.

    This activation reads the tap, the backbone's layer from which f_att starts.
    """
    if not blocks:
        return
    taps = [node for node in ancestors(blocks[0].total) if node in main and set(node.readers) & own]
    for tap in taps:
        name_sum_activation(names, tap, own, "_att_res0", "att_res0_relu")
    for number, block in enumerate(blocks, start=1):
        name_block(names, block, f"att_res{number}", f"_att_res{number}")
        name_sum_activation(names, block.total, own, f"_att_res{number}", f"att_res{number}_relu")


def name_confidence(names: RoleNames, nodes: Sequence[Node], attention: SpatialSoftmax, main: set[Node]) -> None:
    """Names S (srn_conv1) with the layers before it, y_att, and U (srn_weighted)."""
    for product in attention.map.readers_of("Eltwise"):
        if not is_eltwise(product, PRODUCT):
            continue
        (other,) = [source for source in product.sources if source is not attention.map] or [attention.map]
        total = product.only_reader("Reduction")
        if total is not None:
            names.name(product, "att_scores")
            names.name(total, "y_att")
            _name_maps(names, nodes, other, attention, main)
        elif other.type == "Sigmoid":
            names.name(other, "srn_conf")
            names.name(product, "srn_weighted")


def _name_maps(names: RoleNames, nodes: Sequence[Node], last: Node, attention: SpatialSoftmax, main: set[Node]) -> None:
    own = ancestors(last) - main - ancestors(attention.map)
    *before, confidence = [node for node in nodes if node in own and node.type == "Convolution"] or [last]
    name_hidden(names, confidence, "srn_conv1")
    for number, convolution in enumerate(before, start=1):
        name_hidden(names, convolution, f"srn_feat{number}")


def name_regularization(names: RoleNames, nodes: Sequence[Node], attention: SpatialSoftmax) -> None:
    """Names f_sr: the convolutions behind A from srn_conv2 on, srn_fc with its blob y_sr, and the final sum y."""
    behind = [node for node in nodes if node is not attention.map and attention.map in ancestors(node)]
    convolutions = [node for node in behind if node.type == "Convolution"]
    for number, convolution in enumerate(convolutions, start=2):
        name_hidden(names, convolution, f"srn_conv{number}")
    for node in behind:
        if node.type == "InnerProduct":
            names.name(node, "srn_fc", "y_sr")
        if is_eltwise(node, caffe_pb2.EltwiseParameter.SUM) and all(s.type == "InnerProduct" for s in node.sources):
            names.name(node, "y")


def name_hidden(names: RoleNames, convolution: Node, name: str) -> None:
    """Names a convolution of a head, its normalisation and its ReLU."""
    names.name(convolution, name)
    names.name_activation(convolution, f"_{name}", f"{name}_relu")


def name_semantic(names: RoleNames, classifier: Node) -> None:
    """Names the semantic baseline: the Concat of pool5 and y_cls, then sem_fc1 to sem_fc3; sem_fc3 makes y."""
    joined = next(iter(classifier.readers_of("Concat")), None)
    if joined is None:
        return
    for source in joined.sources:
        if source.type == "Flatten":
            names.name(source, "sem_flat")
    names.name(joined, "sem_concat")
    layer, number = joined.only_reader("InnerProduct"), 1
    while layer is not None:
        active = layer.only_reader("ReLU")
        names.name(layer, f"sem_fc{number}", None if active else "y")
        if active is not None:
            names.name(active, f"sem_fc{number}_relu")
        layer, number = active.only_reader("InnerProduct") if active else None, number + 1


#: By blob that a loss compares with the labels, the loss layer's name.
LOSSES = {"y_cls": "loss_cls", "y_att": "loss_att", "y_sr": "loss_sr", "y": "loss"}


def name_losses(names: RoleNames, nodes: Sequence[Node]) -> None:
    """Names the losses by the scores that they read."""
    for node in nodes:
        if node.type == "SigmoidCrossEntropyLoss" and node.layer.bottom:
            score = names.blobs.get(node.layer.bottom[0], "")
            if score in LOSSES:
                names.name(node, LOSSES[score])
