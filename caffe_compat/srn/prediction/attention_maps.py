"""The attention of an SRN net for an image: A (Eq. 4) and U (Eq. 8)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.net.net import Net
from caffe_compat.srn.prediction.released_input import run_on_image

Maps = NDArray[np.float32]
Picture = NDArray[np.float32]

#: The names of A and U in generated and in released nets.
BLOB_NAMES = (("att_map", "srn_weighted"), ("att.att_Reshape_6", "comb.comb_Eltwise_0"))


class BlobNames(NamedTuple):
    """The blobs of A and U. ResNet-SRN-att does not weight its attention, so it has no U."""

    attention: str
    weighted: str | None


class ImageAttention(NamedTuple):
    """The maps of one image, each (labels, height, width), and its scores (labels,)."""

    attention: Maps
    weighted: Maps | None
    scores: NDArray[np.float32]


def attention_blobs(net: Net, attention: str | None = None, weighted: str | None = None) -> BlobNames:
    """The blobs of A and U: as given, or by the names of generated and released nets.

    Raises GraphError where the net has no such blob.
    """
    known = next((pair for pair in BLOB_NAMES if pair[0] in net.blobs), (None, None))
    attention, weighted = attention or known[0], weighted or known[1]
    if attention is None or attention not in net.blobs:
        raise GraphError(
            f"net '{net.name}': no attention map {attention or ' or '.join(pair[0] for pair in BLOB_NAMES)}; "
            "give the deploy net of an SRN model, or name the blobs with --attention and --weighted"
        )
    return BlobNames(attention, weighted if weighted in net.blobs else None)


def attend(net: Net, names: BlobNames, image: str, scores: str | None = None) -> ImageAttention:
    """The maps and scores of one image file, prepared as the net says, or as in the released test.

    `scores` names the blob of the scores, net.outputs[0] if None. Raises ShapeError where A is no blob of maps, and
    DataError where the image cannot be read.
    """
    run_on_image(net, image)
    maps = [None if name is None else net.blobs[name].data[0].copy() for name in names]
    if maps[0] is None or maps[0].ndim != 3:
        raise ShapeError(f"blob '{names.attention}': expected maps (labels, height, width) of an image, found shape "
                         f"{net.blobs[names.attention].shape}; give the blob of A")  # fmt: skip
    return ImageAttention(maps[0], maps[1], net.blobs[scores or net.outputs[0]].data[0].ravel().copy())
