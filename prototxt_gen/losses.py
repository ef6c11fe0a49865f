"""The losses of a step (Eq. 10), and how the losses ignore unknown labels."""

from collections.abc import Mapping

from prototxt_gen.builder import Blob, NetBuilder
from prototxt_gen.options import Options
from prototxt_gen.recipes import MODELS

UNKNOWN = -1  # marks an unknown label in label files and label LMDBs


def add_losses(net: NetBuilder, scores: Mapping[str, Blob], label: Blob, options: Options) -> None:
    """Adds a loss layer per score, keyed by the name of the loss.

    Labels are 0 or 1, and also UNKNOWN if `unknown_labels` is set.
    """
    add = _ranking_loss if MODELS[options.model].ranks else _plain_loss
    if options.unknown_labels and not MODELS[options.model].ranks:
        add = {"batchnorm": _ignoring_loss, "bn": _masked_loss}[options.norm]
    for loss, score in scores.items():
        add(net, loss, score, label)


def _plain_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Blob(loss, 1))


def _ranking_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    """Adds the loss of WARP, a layer of this project's runtime alone, which leaves unknown labels out by itself."""
    net.layer("WARPLoss", loss, [score, label], Blob(loss, 1))


def _ignoring_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    """Adds BVLC Caffe's loss, which has a field for the label to ignore."""
    net.layer("SigmoidCrossEntropyLoss", loss, [score, label], Blob(loss, 1), loss_param={"ignore_label": UNKNOWN})


def _masked_loss(net: NetBuilder, loss: str, score: Blob, label: Blob) -> None:
    """Adds a loss with the same gradients for the Caffe of the released SRN code, which cannot ignore a label.

    Each score with an unknown label is multiplied by 0, so that its gradient is 0. The value of the loss is larger by
    log 2 per unknown label.
    """
    flat = net.layer("Flatten", f"{loss}_label", [label], Blob(f"{loss}_label", label.channels))
    known = Blob(f"{loss}_known", label.channels)
    known = net.layer("Threshold", known.name, [flat], known, threshold_param={"threshold": UNKNOWN / 2})
    target = net.layer("ReLU", f"{loss}_target", [flat], Blob(f"{loss}_target", label.channels))
    masked = net.eltwise([score, known], f"{loss}_score", operation="PROD")
    net.layer("SigmoidCrossEntropyLoss", loss, [masked, target], Blob(loss, 1))
