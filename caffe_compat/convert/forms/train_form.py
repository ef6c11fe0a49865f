"""The net of a weights file as the prototxt that it was trained with."""

from caffe_compat.convert.forms.live_layers import is_loss
from caffe_compat.convert.forms.undo_splits import is_automatic, undo_splits
from caffe_compat.convert.model import Model, require_structure
from caffe_compat.convert.report import Report


def train_form(model: Model, report: Report | None = None) -> Model:
    """Without what Caffe writes on saving: its Splits, the `phase` of every layer, the weight 1 of every loss.

    Rates, fillers, rules, losses and data layers stay as they were saved. What saving loses for good are layers of
    other phases and, in the SRN fork, the shapes of inputs.
    """
    require_structure(model, "a prototxt")
    layers = undo_splits(model.net.layer)
    for layer in layers:
        layer.ClearField("phase")
        if list(layer.loss_weight) == [1.0, 0.0, 0.0][: len(layer.top)] and is_loss(layer):
            layer.ClearField("loss_weight")
    made = model.with_layers(layers, model.blobs)
    made.net.ClearField("state")
    if report is not None:
        for layer in filter(is_automatic, model.net.layer):
            report.dropped(layer.name, "Caffe adds its Splits itself")
    return made
