"""The losses of a step (Eq. 10), and how they leave unknown labels out."""

from collections.abc import Mapping

from prototxt_gen.builder import Blob, NetBuilder
from prototxt_gen.options import Options

UNKNOWN = -1  # in label files and label LMDBs


def add_losses(net: NetBuilder, scores: Mapping[str, Blob], label: Blob, options: Options) -> None:
    """A loss layer for each score, by the name of the loss. Labels are 0, 1, and UNKNOWN if the options say so."""
    add = _plain_loss
    if options.unknown_labels:
        add = {"batchnorm": _ignoring_loss, "bn": _masked_loss}[options.norm]
    for loss, score in scores.items():
        add(net, loss, score, label)


def _plain_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Blob(loss, 1))


def _ignoring_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    """The loss of BVLC Caffe, which knows a label to ignore."""
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Blob(loss, 1), loss_param={"ignore_label": UNKNOWN})


def _masked_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    """The same gradients in the Caffe of the released SRN code, whose loss ignores no label.

    A score of an unknown label is multiplied by 0, so that its gradient is 0. The loss itself is larger by log 2 for
    each unknown label.
    """
    flat = net.layer("Flatten", f"{loss}_label", [label], Blob(f"{loss}_label", label.channels))
    known = Blob(f"{loss}_known", label.channels)
    known = net.layer("Threshold", known.name, [flat], known, threshold_param={"threshold": UNKNOWN / 2})
    target = net.layer("ReLU", f"{loss}_target", [flat], Blob(f"{loss}_target", label.channels))
    masked = net.eltwise([score, known], f"{loss}_score", operation="PROD")
    net.layer("SigmoidCrossEntropyLoss", loss, [masked, target], Blob(loss, 1))
