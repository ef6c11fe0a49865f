"""Renames layers and blobs: by a user's file, or by their role in the graph; weights stay with their layers."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from caffe_compat.convert.forms.train_form import is_automatic, undo_splits
from caffe_compat.convert.model import Layer, Model, require_structure
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
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError, GraphError
from caffe_compat.graph.builder import insert_splits
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import read_bytes

READABLE = "readable"


def rename(model: Model, how: str, report: ConversionReport) -> Model:
    """Returns the model with new names; `how` is 'readable' or the path of a file of names.

    GraphError for old names that are not in the net, and for new names that are not unique.
    """
    names = readable_names(model) if how == READABLE else read_names(how)
    if how == READABLE and not names.layers:
        report.notes.append(
            "no residual blocks (two paths that meet in an Eltwise sum) and no attention map to name: "
            "every layer keeps its name (--rename FILE gives others)"
        )
    _require_known(model, names, how)
    whole = undo_splits(model.net.layer)
    layers = [_renamed(layer, names) for layer in whole]
    blobs = dict.fromkeys([*model.net.input, *(top for layer in whole for top in layer.top)])
    # Layers may share a name before (for example in two phases); they then share the new name.
    _require_unique(how, names.layers, dict.fromkeys(layer.name for layer in whole), "layers")
    _require_unique(how, names.blobs, blobs, "blobs")
    for layer in model.net.layer:
        _report(layer, names, how, report)
    renamed = model.with_layers(layers, {names.layers.get(name, name): arrays for name, arrays in model.blobs.items()})
    renamed.net.input[:] = [names.blobs.get(name, name) for name in model.net.input]
    had_splits = len(whole) < len(model.net.layer)
    return _with_splits(renamed, report) if had_splits else renamed


def _renamed(layer: Layer, names: RoleNames) -> Layer:
    copy = Layer()
    copy.CopyFrom(layer)
    copy.name = names.layers.get(layer.name, layer.name)
    copy.bottom[:] = [names.blobs.get(blob, blob) for blob in layer.bottom]
    copy.top[:] = [names.blobs.get(blob, blob) for blob in layer.top]
    return copy


def _with_splits(model: Model, report: ConversionReport) -> Model:
    """Returns the model with Splits named as Caffe names them for the new names.

    Blobs of `input:` fields count as tops of a layer named "input".
    """
    net = caffe_pb2.NetParameter()
    if model.net.input:
        net.layer.add(name="input", type="Input", top=model.net.input)
    net.layer.extend(model.net.layer)
    layers = list(insert_splits(net).layer)[1 if model.net.input else 0 :]
    phase = next((layer.phase for layer in layers if layer.HasField("phase")), None)
    for layer in filter(is_automatic, layers):
        report.added(layer.name, "a Split for the new names")
        if phase is not None:
            layer.phase = phase
    return model.with_layers(layers, model.blobs)


def _report(layer: Layer, names: RoleNames, how: str, report: ConversionReport) -> None:
    if is_automatic(layer):
        report.dropped(layer.name, "made anew for the new names")
    elif layer.name in names.layers:
        report.replaced([layer.name], [names.layers[layer.name]], "renamed")
    elif how == READABLE:
        report.noted(layer.name, "no known role, name kept")


def _require_known(model: Model, names: RoleNames, how: str) -> None:
    known = {layer.name for layer in model.net.layer}.union(*(layer.top for layer in model.net.layer), model.net.input)
    unknown = [name for name in names.layers if name not in known]
    if unknown:
        raise GraphError(f"{how}: no layer or blob '{unknown[0]}' in {model.path}; leave it out, or mend its spelling")


def _require_unique(how: str, new: Mapping[str, str], old: Iterable[str], what: str) -> None:
    twice = [name for name, count in Counter(new.get(name, name) for name in old).items() if count > 1]
    if twice:
        raise GraphError(f"{how}: expected names that are unique after renaming, found two {what} '{twice[0]}'")


def read_names(path: str) -> RoleNames:
    """Returns the new names in a file: a JSON object {old: new}, or lines `old new` where # starts a comment.

    Each name applies to layers and blobs. FormatError for any other content.
    """
    try:
        text = read_bytes(path, "a file of names").decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: expected a file of names, cannot read it: {error}") from error
    names = _from_json(path, text) if text.lstrip().startswith("{") else _from_lines(path, text)
    if not names:
        raise FormatError(f"{path}: expected old and new names, found none; write lines 'old new'")
    return RoleNames(names, dict(names))


def _from_json(path: str, text: str) -> dict[str, str]:
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{path}: expected a JSON object of old and new names, found bad JSON: {error}") from error
    names: dict[str, str] = {}
    for old, new in content:
        if not (isinstance(new, str) and new):
            raise FormatError(f"{path}: expected a string as the new name of '{old}', found {json.dumps(new)}")
        if old in names:
            raise FormatError(f"{path}: '{old}' has a new name already, '{names[old]}'")
        names[old] = new
    return names


def _from_lines(path: str, text: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words and len(words) != 2:
            raise FormatError(f"{path}: line {number}: expected an old and a new name, found {len(words)} words")
        if words and words[0] in names:
            raise FormatError(f"{path}: line {number}: '{words[0]}' has a new name already, '{names[words[0]]}'")
        names |= dict([words]) if words else {}
    return names


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
