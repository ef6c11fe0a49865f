"""Attention maps as a figure in the manner of the paper's Figure 3: the photo, and A above U for each label."""

from collections.abc import Collection, Sequence
from textwrap import fill

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray

from caffe_compat.srn.prediction.attention_maps import ImageAttention, Maps, Picture

TRUE_COLOUR, OTHER_COLOUR, SOFT_COLOUR = "#c00018", "#222222", "#777777"
COLOUR_MAP = "turbo"
#: How much of a cell's colour covers the photo: at the map's lowest and at its highest value.
OPACITY = (0.12, 0.72)
#: The photo's own colours are taken back by this share, so that they are not read as attention.
GREYNESS = 0.6
#: A map is drawn on a photo of at least and at most so many pixels along its longer side.
PHOTO_PIXELS = (240, 480)
INCHES = 1.9  # the longer side of a photo in the figure
NAME_CHARACTERS = 18  # longer names of labels are wrapped


def draw_attention(
    picture: Picture,
    maps: ImageAttention,
    labels: Sequence[int],
    names: Sequence[str],
    true: Collection[int] = (),
    smooth: bool = True,
    shared_scale: bool = False,
) -> Figure:
    """The photo, and beside it a column for each of `labels` with A above U, each with a bar of its scale.

    The names of `true` labels are red, as in the paper; under each column stands the label's probability. `picture`
    is (height, width, 3), blue first, 0..1. With `shared_scale` every map's scale goes from 0 to 1.
    """
    rows = [("A", maps.attention), ("U", maps.weighted)]
    shown = [(title, values) for title, values in rows if values is not None]
    photo = _resized(picture)
    figure, grid = _grid(photo, len(shown), len(labels))
    whole = figure.add_subplot(grid[:, 0])
    _show(whole, photo[..., ::-1])
    whole.set_title("image", color=SOFT_COLOUR, fontsize=10)
    for row, (title, values) in enumerate(shown):
        for column, label in enumerate(labels, start=1):
            axes = figure.add_subplot(grid[row, column])
            top = 1.0 if shared_scale else _largest(values[label])
            _draw_map(axes, values[label], photo, top, smooth)
            if column == 1:
                axes.set_ylabel(title, rotation=0, labelpad=12, va="center", fontsize=12, style="italic")
            if row == 0:
                colour = TRUE_COLOUR if label in true else OTHER_COLOUR
                axes.set_title(fill(names[label], NAME_CHARACTERS), color=colour, fontsize=10, parse_math=False)
            if row == len(shown) - 1:
                axes.set_xlabel(f"score {_probability(maps.scores[label]):.2f}", color=OTHER_COLOUR, fontsize=9)
    return figure


def _largest(values: Maps) -> float:
    """The largest finite value; 0 where there is none, as in the maps of a net that diverged."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0


def over_image(attention: Maps, picture: Picture, top: float, smooth: bool = True) -> NDArray[np.uint8]:
    """One map (height, width) over a picture (blue first, 0..1), as red, green and blue bytes.

    The colour stands for value / `top`. It covers little of the picture where the map is low, so that the picture
    stays visible. `smooth` interpolates between the cells; otherwise cells keep their edges.
    """
    height, width = picture.shape[:2]
    way = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    cells = np.nan_to_num(np.asarray(attention, np.float32) / (top or 1.0), nan=0.0, posinf=1.0, neginf=0.0)
    share: Maps = np.clip(cv2.resize(np.clip(cells, 0, 1), (width, height), interpolation=way), 0, 1)
    colours = np.asarray(matplotlib.colormaps[COLOUR_MAP](share))[..., :3]
    opacity = (OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share)[..., None]
    photo = picture[..., ::-1]
    grey = photo.mean(axis=2, keepdims=True)
    blended = opacity * colours + (1 - opacity) * (GREYNESS * grey + (1 - GREYNESS) * photo)
    return np.asarray(np.rint(255 * blended), np.uint8)


def _resized(picture: Picture) -> Picture:
    longer = max(picture.shape[:2])
    factor = float(np.clip(longer, *PHOTO_PIXELS)) / longer
    height, width, _ = picture.shape
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.clip(np.asarray(cv2.resize(picture, size, interpolation=way), np.float32), 0, 1)


def _grid(photo: Picture, rows: int, labels: int) -> tuple[Figure, GridSpec]:
    """Columns as wide as the photo asks for; the first one, for the photo itself, is wider."""
    rows_of_pixels, columns_of_pixels, _ = photo.shape
    longer = max(rows_of_pixels, columns_of_pixels)
    height, width = INCHES * rows_of_pixels / longer, INCHES * columns_of_pixels / longer
    first = width * (1.6 if rows > 1 else 1.15)
    size = (0.35 + first + labels * (width + 0.55), rows * (height + 0.12) + 0.75)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    widths = [first, *[width + 0.55] * labels]
    return figure, figure.add_gridspec(rows, labels + 1, width_ratios=widths)


def _draw_map(axes: Axes, values: Maps, photo: Picture, top: float, smooth: bool) -> None:
    _show(axes, over_image(values, photo, top, smooth))
    scale = matplotlib.cm.ScalarMappable(Normalize(0, top or 1.0), COLOUR_MAP)
    bar = axes.figure.colorbar(scale, cax=axes.inset_axes((1.03, 0, 0.045, 1)))
    bar.set_ticks([0, top or 1.0], labels=["0", f"{top:.2g}"])
    bar.ax.tick_params(labelsize=7, length=2, colors=SOFT_COLOUR)
    bar.outline.set_visible(False)


def _show(axes: Axes, picture: NDArray[np.generic]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _probability(score: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(np.float64(score), -700, 700))))
