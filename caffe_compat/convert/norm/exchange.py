"""Exchanges normalisation layers for those of the target."""

from collections.abc import Callable

from caffe_compat.convert.model import Model, require_structure
from caffe_compat.convert.norm.to_batch_norm import bn_to_batch_norm
from caffe_compat.convert.norm.to_bn import batch_norm_to_bn
from caffe_compat.convert.report import Report
from caffe_compat.proto.dialects.translate import BVLC, SRN_FORK


def _keep(model: Model, report: Report) -> Model:
    return model


NORMS: dict[str, Callable[[Model, Report], Model]] = {
    "keep": _keep,
    "bn": batch_norm_to_bn,
    "batchnorm": bn_to_batch_norm,
}
#: By dialect, the name in NORMS of the normalisation that this Caffe has.
OF_DIALECT = {BVLC: "batchnorm", SRN_FORK: "bn"}


def exchange_norms(model: Model, norm: str, dialect: str, report: Report) -> Model:
    """Returns the model with the normalisation layers that `norm` names: a name of NORMS, or 'auto'.

    'auto' selects those of the dialect's Caffe if the dialect differs from the model's, else keeps the layers.
    """
    if norm == "auto":
        norm = OF_DIALECT.get(dialect, "keep") if dialect != model.dialect else "keep"
    elif norm != "keep":
        require_structure(model, f"--norm {norm}")
    return NORMS[norm](model, report)
