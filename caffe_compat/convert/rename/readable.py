"""Finds names that tell a layer's role from its place in the graph: `caffe.Eltwise_304` becomes `res4b22`."""

from caffe_compat.convert.forms.train_form import undo_splits
from caffe_compat.convert.model import Model, require_structure
from caffe_compat.convert.rename.backbone_names import name_backbone, name_stem
from caffe_compat.convert.rename.blocks import find_blocks
from caffe_compat.convert.rename.graph import ancestors, graph_of
from caffe_compat.convert.rename.head_names import (
    find_attention,
    name_attention,
    name_classifier,
    name_confidence,
    name_losses,
    name_regularization,
    name_semantic,
)
from caffe_compat.convert.rename.role_names import RoleNames, without_clashes


def readable_names(model: Model) -> RoleNames:
    """Returns new names for the layers and blobs of a residual backbone and of SRN's heads.

    Layers without a known role keep their names; in a net with neither part all layers do.
    """
    require_structure(model, "--rename readable")
    nodes = graph_of(undo_splits(model.net.layer))
    attention = find_attention(nodes)
    names = RoleNames()
    classifier = name_classifier(names, nodes, attention)
    main = ancestors(classifier) if classifier is not None else set(nodes)
    blocks = find_blocks(node for node in nodes if node in main)
    if not blocks and attention is None:
        return RoleNames()
    if blocks:
        name_stem(names, blocks)
        name_backbone(names, blocks, main)
    if attention is not None:
        name_attention(names, nodes, attention, main)
        name_confidence(names, nodes, attention, main)
        name_regularization(names, nodes, attention)
    if classifier is not None:
        name_semantic(names, classifier)
    name_losses(names, nodes)
    blobs = [*model.net.input, *(top for node in nodes for top in node.layer.top)]
    return RoleNames(without_clashes(names.layers, (node.name for node in nodes)), without_clashes(names.blobs, blobs))
