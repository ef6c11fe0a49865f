"""The attention of an SRN net: A (Eq. 4) and U (Eq. 8) over the image, as the paper's Figure 3 shows them."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.net.net import Net
from caffe_compat.srn.prediction.released_input import net_input, read_picture

Maps = NDArray[np.float32]
Picture = NDArray[np.float32]

#: What the generated and the released nets call A and U.
BLOB_NAMES = (("att_map", "srn_weighted"), ("att.att_Reshape_6", "comb.comb_Eltwise_0"))
#: How much of the colour map covers the image.
OPACITY = 0.55
TRUE_COLOUR, OTHER_COLOUR = "#b00020", "#222222"


class BlobNames(NamedTuple):
    """The blobs of A and U; a net that does not weigh its attention (ResNet-SRN-att) has no U."""

    attention: str
    weighted: str | None


class Attention(NamedTuple):
    """The maps of one image, each (labels, height, width), and its scores (labels,)."""

    attention: Maps
    weighted: Maps | None
    scores: NDArray[np.float32]


def attention_blobs(net: Net, attention: str | None = None, weighted: str | None = None) -> BlobNames:
    """The names that are given, or those by which generated and released nets call A and U.

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


def attend(net: Net, names: BlobNames, image: str, scores: str | None = None) -> Attention:
    """Run a deploy net on one image file, prepared as in the released test; scores are net.outputs[0] by default."""
    data = net.blobs[net.inputs[0]]
    _, channels, height, width = data.shape
    data.reshape(1, channels, height, width)
    net.reshape()
    data.data[0] = net_input(image, height, width)
    net.forward_range(0, len(net.steps) - 1)
    maps = [None if name is None else net.blobs[name].data[0].copy() for name in names]
    if maps[0] is None or maps[0].ndim != 3:
        raise ShapeError(f"blob '{names.attention}': expected maps (labels, height, width) of an image, found shape "
                         f"{net.blobs[names.attention].shape}; give the blob of A")  # fmt: skip
    return Attention(maps[0], maps[1], net.blobs[scores or net.outputs[0]].data[0].ravel().copy())


def over_image(attention: Maps, picture: Picture, rescale: bool) -> NDArray[np.uint8]:
    """One map (height, width) in Jet over a picture (blue first, 0..1): red, green, blue bytes.

    Cells keep their edges (nearest neighbour). `rescale` makes the map's largest value red; else 1 is red.
    """
    top = float(attention.max()) if rescale else 1.0
    cells = (255 * np.clip(attention / (top or 1.0), 0, 1)).astype(np.uint8)
    height, width = picture.shape[:2]
    enlarged = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)
    colours = cv2.applyColorMap(enlarged, cv2.COLORMAP_JET) / 255
    blended: Any = OPACITY * colours + (1 - OPACITY) * picture
    return np.asarray((255 * blended).astype(np.uint8)[..., ::-1])


def draw_attention(
    image: str,
    maps: Attention,
    labels: Sequence[int],
    names: Sequence[str],
    true: Collection[int] = (),
    rescale: bool = False,
) -> Figure:
    """The image, then a column a label with A above U; names of true labels are red, as in the paper."""
    rows = [("A", maps.attention), ("U", maps.weighted)]
    shown = [(title, values) for title, values in rows if values is not None]
    figure = Figure(figsize=(1.7 * (len(labels) + 1), 1.85 * len(shown) + 0.3), layout="constrained")
    grid = figure.subplots(len(shown), len(labels) + 1, squeeze=False)
    picture = read_picture(image)
    for (title, values), axes in zip(shown, grid, strict=True):
        for axis in axes:
            axis.set(xticks=[], yticks=[])
        _show(axes[0], picture[..., ::-1], "image" if title == "A" else "", OTHER_COLOUR)
        axes[1 if labels else 0].set_ylabel(title, rotation=0, labelpad=10, fontsize=11)
        for axis, label in zip(axes[1:], labels, strict=True):
            text = f"{names[label]}\n{_probability(maps.scores[label]):.2f}" if title == "A" else ""
            _show(
                axis, over_image(values[label], picture, rescale), text, TRUE_COLOUR if label in true else OTHER_COLOUR
            )
    return figure


def _show(axis: Axes, picture: NDArray[Any], title: str, colour: str) -> None:
    axis.imshow(picture, interpolation="nearest")
    if title:
        axis.set_title(title, color=colour, fontsize=9)


def _probability(score: float) -> float:
    with np.errstate(over="ignore"):  # exp of a large score is infinite, and 1 / infinity is the 0 that it should be
        return float(1 / (1 + np.exp(-np.float64(score))))
