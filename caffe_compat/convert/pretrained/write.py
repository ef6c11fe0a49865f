"""Writes the backbone of a trained net as torchvision's state dict of a ResNet."""

from collections.abc import Mapping

import numpy as np
import torch

from caffe_compat.convert.model import Model
from caffe_compat.convert.norm.to_bn import joined
from caffe_compat.convert.pretrained.description import CLASSIFIER
from caffe_compat.convert.pretrained.naming import (
    NAMINGS,
    BlockPlace,
    convolution_keys,
    norm_keys,
    places_of,
    scale_name,
)
from caffe_compat.convert.pretrained.pixels import Pixels, from_caffe
from caffe_compat.convert.pretrained.recognise import COUNTER, DEPTHS, NORM_PARTS, convolution_shapes
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import replacing

TORCHVISION = NAMINGS[0]
#: A layer of the SRN paper's ResNet-107, which has two blocks more than a ResNet-101.
AFTER_THE_LAST = "res5d_branch2a"


def write_torchvision(path: str, model: Model, pixels: Pixels, report: ConversionReport) -> None:
    """Writes a state dict that torchvision's ResNet of the same depth can load.

    Leaves out layers outside the backbone (SRN's heads). FormatError if the net has no such backbone.
    """
    places = _places(model)
    tensors = _tensors(model, places, pixels)
    with replacing(path) as beside, beside.open("wb") as file:  # torch would write a path's name into the file
        torch.save(tensors, file)
    report.notes += _notes(model, places, pixels)


def _places(model: Model) -> list[BlockPlace]:
    """Returns the blocks of the deepest ResNet whose convolutions are all in the model."""
    for depth, counts in sorted(DEPTHS.items(), reverse=True):
        places = places_of(counts)
        if all(name in model.blobs for name, _ in convolution_keys(TORCHVISION, places)):
            if AFTER_THE_LAST in model.blobs:
                raise FormatError(
                    f"{model.path}: expected the blocks of a ResNet-{depth}, found '{AFTER_THE_LAST}' too; torchvision "
                    "has no such net"
                )
            return places
    raise FormatError(
        f"{model.path}: expected layers named as in the public ResNets (conv1, res2a_branch1, res2a_branch2a ...), "
        f"found {', '.join(list(model.blobs)[:4])} ...; convert with --rename readable first"
    )


def _tensors(model: Model, places: list[BlockPlace], pixels: Pixels) -> dict[str, torch.Tensor]:
    """Returns every tensor by torchvision's name."""
    width = model.blobs["conv1"][0].shape[0]
    shapes = convolution_shapes(places, width)
    tensors: dict[str, Blob] = {}
    for name, key in convolution_keys(TORCHVISION, places):
        tensors[f"{key}.weight"] = _convolution(model, name, shapes[name])
    first, offset = from_caffe(tensors["conv1.weight"], pixels, TORCHVISION.normalization)
    tensors["conv1.weight"] = first
    for name, key in norm_keys(TORCHVISION, places):
        parts = dict(zip(NORM_PARTS, _norm(model, name), strict=True))
        if name == "bn_conv1":
            parts["running_mean"] = (parts["running_mean"].astype(np.float64) - offset).astype(np.float32)
        tensors |= {f"{key}.{part}": values for part, values in parts.items()}
    if CLASSIFIER in model.blobs:
        tensors |= {
            f"fc.{part}": values for part, values in zip(("weight", "bias"), model.blobs[CLASSIFIER], strict=True)
        }
    return _as_torch(tensors)


def _as_torch(tensors: Mapping[str, Blob]) -> dict[str, torch.Tensor]:
    """Returns the arrays as float32 tensors, with the counters that torchvision's BatchNorm2d expects."""
    made = {key: torch.from_numpy(np.array(values, np.float32)) for key, values in tensors.items()}
    counters = {key.replace("running_var", COUNTER): torch.tensor(0) for key in tensors if key.endswith("running_var")}
    return made | counters


def _convolution(model: Model, name: str, shape: tuple[int, ...]) -> Blob:
    weight, *bias = model.blobs[name]
    if weight.shape != shape or bias:
        raise FormatError(
            f"{model.path}: layer '{name}': expected one blob {list(shape)} as in torchvision's ResNets, found "
            f"{model.shapes(name)}; nets with folded normalisation or other widths have no counterpart there"
        )
    return weight


def _norm(model: Model, name: str) -> list[Blob]:
    """Returns slope, bias, mean and variance, each (C,), of a BN or of a BatchNorm and its Scale."""
    blobs = model.blobs.get(name, [])
    if len(blobs) == 3:
        blobs = joined(blobs, model.blobs.get(scale_name(name), []))
    if len(blobs) != 4:
        raise FormatError(
            f"{model.path}: expected a normalisation '{name}' (BN, or BatchNorm with '{scale_name(name)}'), found "
            f"{len(blobs)} blobs; give the trained net, not a folded one"
        )
    return [blob.reshape(-1) for blob in blobs]


def _notes(model: Model, places: list[BlockPlace], pixels: Pixels) -> list[str]:
    mean = ", ".join(f"{value:g}" for value in pixels.caffe_mean(TORCHVISION.normalization))
    notes = [f"conv1 was made for BGR pixels less {mean} (--mean says otherwise); it takes torchvision's RGB now"]
    if CLASSIFIER not in model.blobs:
        notes.append(f"no layer {CLASSIFIER}: load with load_state_dict(..., strict=False)")
    strides = {layer.name: list(layer.convolution_param.stride) for layer in model.net.layer}
    if any(strides.get(f"res{place.name}_branch2a", [1])[:1] == [2] for place in places):
        notes.append(
            "the net strides in the first 1x1 convolution of a stage, torchvision's in the 3x3: the same weights give "
            "other results there (generate --stride-in conv2 trains a net that agrees)"
        )
    return notes
