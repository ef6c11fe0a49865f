"""Inputs for a run of a net: the user's files or random numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caffe_compat.convert.formats.numpy_file import load_npy
from caffe_compat.convert.model import require_regular
from caffe_compat.convert.stored_preprocessing import image_inputs
from caffe_compat.data.preprocessing import CHANNELS, Preprocessing
from caffe_compat.errors import DataError, ShapeError, did_you_mean
from caffe_compat.graph.comparing import sample_inputs
from caffe_compat.layers.data.memory_data import MemoryData
from caffe_compat.net.net import Net
from caffe_compat.parity.recording import Array
from caffe_compat.srn.prediction.released_input import RELEASED


def random_inputs(net: Net, seed: int = 1, images: Preprocessing | None = None) -> dict[str, Array]:
    """Returns random values for the net's inputs and the tops of MemoryData layers; equal seeds give equal values.

    If it is known what the net expects of `images`, random pixels from 0 to 255 are prepared so.
    """
    made = sample_inputs(net.steps, {name: net.blobs[name].shape for name in fed_blobs(net)}, seed)
    if images is not None:
        random = np.random.default_rng(seed)
        for name in image_inputs({name: net.blobs[name].shape for name in net.inputs}):
            pixels = random.integers(0, 256, made[name].shape).astype(np.float32)
            made[name] = images.prepared(pixels)
    return {**made}


def fed_blobs(net: Net) -> list[str]:
    """Returns the names of blobs that are filled from outside: inputs, then the tops of MemoryData layers."""
    memory = [top for step in net.steps if isinstance(step.layer, MemoryData) for top in step.tops]
    return [*net.inputs, *memory]


def given_inputs(net: Net, given: Sequence[str], images: Preprocessing | None = None) -> dict[str, Array]:
    """Reads arguments `blob=file.npy` or `blob=picture.jpg`; returns arrays by blob.

    The blob's name can be omitted if the net has only one input. Pictures are prepared as `images` says, or as by the
    released SRN (BGR minus 104, 117, 123).
    """
    return dict(_given_input(net, text, images or RELEASED) for text in given)


def _given_input(net: Net, text: str, images: Preprocessing) -> tuple[str, Array]:
    name, separator, file = text.partition("=")
    known = fed_blobs(net)
    if not separator:
        if len(known) != 1:
            raise DataError(f"--input {text}: expected BLOB=FILE (the net's inputs are {', '.join(known)}), got no '='")
        name, file = known[0], text
    if name not in known:
        raise DataError(
            f"--input {text}: the net has no input '{name}'; its inputs are {', '.join(known) or 'none'}; "
            f"{did_you_mean(name, known)}"
        )
    is_array = Path(file).suffix == ".npy"
    values = load_npy(file, "numpy.save writes one") if is_array else _picture(file, net.blobs[name].shape, images)
    if values.ndim == len(net.blobs[name].shape) - 1:
        values = values[None]
    return name, np.asarray(values, np.float32)


def _picture(file: str, shape: tuple[int, ...], images: Preprocessing) -> Array:
    """Returns the picture, prepared and repeated for every item: (N, channels, height, width)."""
    require_regular(file)
    if len(shape) != 4 or shape[1] != CHANNELS[images.channels]:
        raise ShapeError(
            f"{file}: expected an input of (N, {CHANNELS[images.channels]}, height, width) for a picture, the net has "
            f"{shape}"
        )
    return np.stack([images.input_of(file, *shape[2:])] * shape[0])
