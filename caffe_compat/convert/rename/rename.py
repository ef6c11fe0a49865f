"""Renames layers and blobs; weights stay with their layers."""

from collections import Counter
from collections.abc import Iterable, Mapping

from caffe_compat.convert.forms.train_form import is_automatic, undo_splits
from caffe_compat.convert.model import Layer, Model
from caffe_compat.convert.rename.names_file import read_names
from caffe_compat.convert.rename.readable import readable_names
from caffe_compat.convert.rename.role_names import RoleNames
from caffe_compat.convert.report import Report
from caffe_compat.errors import GraphError
from caffe_compat.graph.builder import insert_splits
from caffe_compat.proto import caffe_pb2

READABLE = "readable"


def rename(model: Model, how: str, report: Report) -> Model:
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


def _with_splits(model: Model, report: Report) -> Model:
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


def _report(layer: Layer, names: RoleNames, how: str, report: Report) -> None:
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
