"""Names that say what a layer does, found by walking the graph: `caffe.Eltwise_304` becomes `res4b22`."""

from caffe_compat.convert.forms.undo_splits import undo_splits
from caffe_compat.convert.model import Model
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
from caffe_compat.convert.rename.role_names import RoleNames
from caffe_compat.errors import GraphError


def readable_names(model: Model) -> RoleNames:
    """New names for the layers and blobs of a residual net, with SRN's heads where it has them.

    Layers of no known role keep their names. GraphError for nets without residual blocks.
    """
    nodes = graph_of(undo_splits(model.net.layer))
    attention = find_attention(nodes)
    names = RoleNames()
    classifier = name_classifier(names, nodes, attention)
    main = ancestors(classifier) if classifier is not None else set(nodes)
    blocks = find_blocks(node for node in nodes if node in main)
    if not blocks:
        raise GraphError(
            f"{model.path}: expected residual blocks (two paths that meet in an Eltwise sum) to name, found none; "
            "give a file of names: --rename NAMES.txt"
        )
    name_stem(names, blocks)
    name_backbone(names, blocks, main)
    if attention is not None:
        name_attention(names, nodes, attention, main)
        name_confidence(names, nodes, attention, main)
        name_regularization(names, nodes, attention)
    if classifier is not None:
        name_semantic(names, classifier)
    name_losses(names, nodes)
    return names
