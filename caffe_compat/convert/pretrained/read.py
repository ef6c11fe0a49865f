"""Reads a ResNet of another project as a model: Caffe's layers, with weights for Caffe's pixels."""

from collections.abc import Mapping

import numpy as np

from caffe_compat.convert.model import Model
from caffe_compat.convert.pretrained.description import CLASSIFIER, describe_resnet
from caffe_compat.convert.pretrained.naming import convolution_keys, norm_keys, scale_name
from caffe_compat.convert.pretrained.pixels import Floats, Pixels, to_caffe
from caffe_compat.convert.pretrained.recognise import NORM_PARTS, ResNet, head_of, recognise
from caffe_compat.convert.stored_preprocessing import store
from caffe_compat.data.preprocessing import BGR, Preprocessing
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.dialects.translate import BVLC

Blobs = dict[str, list[Blob]]


def pretrained_model(path: str, tensors: Mapping[str, Blob], pixels: Pixels) -> Model:
    """Returns the net with its weights; the model's notes describe its input. FormatError for other variants."""
    resnet = recognise(path, tensors)
    blobs, offset = _convolutions(resnet, pixels)
    blobs |= _norms(resnet, offset)
    if (head := head_of(resnet)) is not None:
        blobs[CLASSIFIER] = list(head)
    net = describe_resnet(resnet)
    store(net, "data", Preprocessing(BGR, pixels.caffe_mean(resnet.naming.normalization)))
    return Model(net, blobs, BVLC, path, notes=tuple(_notes(resnet, pixels, offset)), needs_stated_images=True)


def _convolutions(resnet: ResNet, pixels: Pixels) -> tuple[Blobs, Floats]:
    """Returns the convolutions' weights, and the offset of the first one's outputs (see `to_caffe`)."""
    blobs = {
        name: [np.asarray(resnet.tensors[f"{key}.weight"])]
        for name, key in convolution_keys(resnet.naming, resnet.places)
    }
    first, offset = to_caffe(blobs["conv1"][0], pixels, resnet.naming.normalization)
    return blobs | {"conv1": [first]}, offset


def _norms(resnet: ResNet, offset: Floats) -> Blobs:
    """Returns the blobs of each BatchNorm (mean, variance, factor 1) and Scale (slope, bias)."""
    blobs: Blobs = {}
    for name, key in norm_keys(resnet.naming, resnet.places):
        slope, bias, mean, variance = (np.asarray(resnet.tensors[f"{key}.{part}"]) for part in NORM_PARTS)
        if name == "bn_conv1":
            mean = (mean.astype(np.float64) - offset).astype(np.float32)
        blobs[name] = [mean, variance, np.ones(1, np.float32)]
        blobs[scale_name(name)] = [slope, bias]
    return blobs


def _notes(resnet: ResNet, pixels: Pixels, offset: Floats) -> list[str]:
    """Returns notes for the user: the conditions under which the net computes the same as the project's net."""
    usual = resnet.naming.normalization
    mean = ", ".join(f"{value:g}" for value in pixels.caffe_mean(usual))
    backbone = "preresnet" if resnet.naming.is_preactivation else "resnet"
    notes = [
        f"ResNet-{resnet.depth} of {resnet.naming.project}, by its names and shapes; generate its net with --backbone "
        f"{backbone} --depth {resnet.depth} --width {resnet.width} --stride-in conv2 --pooling floor",
        f"conv1 takes BGR pixels from 0 to 255 less {mean}: write these three as mean_value of the data layers",
    ]
    if offset.any():
        notes.append(
            f"the mean is not the project's: bn_conv1 makes up for it, but within 3 pixels of the border conv1 differs "
            f"by up to {np.abs(offset).max():.2g}"
        )
    if resnet.naming.is_preactivation:
        notes += _notes_on_order(resnet)
    return notes


def _notes_on_order(resnet: ResNet) -> list[str]:
    """Returns a note if slopes are below 0: generated preresnets normalise before pooling, which then differs."""
    slopes = np.asarray(resnet.tensors[f"{resnet.naming.stem_norm}.weight"])
    wrong = int((slopes < 0).sum())
    if not wrong:
        return []
    return [
        f"{wrong} of {slopes.size} slopes of bn_conv1 are below 0: there a generated preresnet, which normalises "
        "before pool1, differs from the project's net, which pools first, as does the prototxt written from this file"
    ]
