"""Restores the training prototxt of the net in a weights file."""

from caffe_compat.convert.forms.live_layers import is_loss
from caffe_compat.convert.forms.undo_splits import is_automatic, undo_splits
from caffe_compat.convert.model import Model, require_structure
from caffe_compat.convert.report import Report


def train_form(model: Model, report: Report | None = None) -> Model:
    """Returns the model without additions that Caffe makes on saving: Splits, layers' `phase`, and loss weights 1.

    Rates, fillers, rules, losses and data layers stay as saved. Saving has lost the layers of other phases and, in the
    SRN fork, the shapes of inputs. FormatError for a file that holds weights only.
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
