"""Exchanges normalisation layers for those of the target, and old statistics of the SRN fork's BN for variances."""

from collections.abc import Callable

import numpy as np

from caffe_compat.convert.model import Layer, Model, require_structure
from caffe_compat.convert.norm.bn_statistics import (
    AUTO,
    INVERSE,
    STATISTICS,
    VARIANCE,
    HeldStatistic,
    has_statistics,
    judge,
)
from caffe_compat.convert.norm.to_batch_norm import bn_to_batch_norm
from caffe_compat.convert.norm.to_bn import batch_norm_to_bn
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError, MissingFeatureError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.dialects.translate import BVLC, SRN_FORK


def _keep(model: Model, report: ConversionReport) -> Model:
    return model


NORMS: dict[str, Callable[[Model, ConversionReport], Model]] = {
    "keep": _keep,
    "bn": batch_norm_to_bn,
    "batchnorm": bn_to_batch_norm,
}
#: By dialect, the name in NORMS of the normalisation that this Caffe has.
OF_DIALECT = {BVLC: "batchnorm", SRN_FORK: "bn"}


def exchange_norms(model: Model, norm: str, dialect: str, report: ConversionReport) -> Model:
    """Returns the model with the normalisation layers that `norm` names: a name of NORMS, or 'auto'.

    'auto' selects those of the dialect's Caffe if the dialect differs from the model's, else keeps the layers.
    """
    if norm == "auto":
        norm = OF_DIALECT.get(dialect, "keep") if dialect != model.dialect else "keep"
    elif norm != "keep":
        require_structure(model, f"--norm {norm}")
    return NORMS[norm](model, report)


def require_statistics(name: str) -> None:
    """Raises MissingFeatureError for a name that is not one of STATISTICS."""
    if name not in STATISTICS:
        raise MissingFeatureError(f"no statistics '{name}' of BN; expected one of: {', '.join(STATISTICS)}")


def to_variance(model: Model, statistics: str, report: ConversionReport) -> Model:
    """Returns the model with variances in every BN; `statistics` is a name of STATISTICS ('auto' finds out)."""
    require_statistics(statistics)
    if statistics == INVERSE:
        require_structure(model, f"--bn-statistics {INVERSE}")
    candidates = [layer for layer in model.net.layer if layer.type == "BN"]
    layers = [layer for layer in candidates if has_statistics(model, layer)]
    if not layers:
        return model
    if statistics != AUTO:
        verdict = HeldStatistic(statistics, "as the option says")
    elif model.has_variances:
        verdict = HeldStatistic(VARIANCE, "this program wrote it")
    else:
        verdict = judge(model, layers)
    report.notes.append(f"BN blob 3 holds the {verdict.holds.replace('_', ' ')}: {verdict.reason}")
    if verdict.holds == VARIANCE:
        return model
    blobs = dict(model.blobs)
    for layer in layers:
        blobs[layer.name] = [*blobs[layer.name][:3], variance_of(model.path, layer, blobs[layer.name][3])]
        report.noted(layer.name, "inverse deviation as variance, rounded to float32")
    return model.with_layers(model.net.layer, blobs)


def variance_of(path: str, layer: Layer, inverse: Blob) -> Blob:
    """Returns the variances of a BN, max(1 / inverse ** 2 - eps, 0), computed in float64 and rounded to float32.

    FormatError for inverse deviations that are not above 0.
    """
    if not (inverse > 0).all():
        raise FormatError(
            f"{path}: layer '{layer.name}' (BN): expected inverse deviations above 0 in blob 3, found "
            f"{inverse.min():g}; the file holds variances: use --bn-statistics variance"
        )
    return np.maximum(1 / inverse.astype(np.float64) ** 2 - layer.bn_param.eps, 0).astype(np.float32)
