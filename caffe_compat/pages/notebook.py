"""What a Jupyter notebook shows for a net, a blob or a comparison: a sentence, a table, and a picture."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.pages.render import render

#: Rows that are shown without a click.
_SHOWN = 30
#: Maps of a blob that its picture shows, in rows of four, and the least width of each in pixels.
_MAPS, _IN_A_ROW, _WIDTH = 16, 4, 96

Table = Sequence[Sequence[str]]


def notebook_table(
    title: str, sentence: str, header: Sequence[str] = (), rows: Table = (), picture: bytes = b"", marked: str = ""
) -> str:
    """Returns HTML without colours of its own, so that it suits light and dark notebooks.

    Rows after the first thirty open on a click. Rows whose last cell is `marked` are bold. `picture` is a PNG.
    """
    return render(
        "notebook.html",
        title=title,
        sentence=sentence,
        header=header,
        shown=rows[:_SHOWN],
        rest=rows[_SHOWN:],
        picture=picture,
        marked=marked,
    )


def blob_html(kind: str, values: NDArray[np.float32]) -> str:
    """Returns shape, range and mean of a blob's values, and for (N, C, H, W) a picture of the first item's maps."""
    finite = values[np.isfinite(values)]
    size = "x".join(map(str, values.shape)) or "a single number"
    spread = f"{finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}" if finite.size else "no finite value"
    bad = f"; {values.size - finite.size:,} NaN or infinite" if finite.size < values.size else ""
    return notebook_table(f"{kind} {size}", f"{spread}{bad}", picture=_maps(values))


def _maps(values: NDArray[np.float32]) -> bytes:
    """The first item's maps side by side as a PNG, each from its least value in black to its largest in white."""
    if values.ndim != 4 or min(values.shape) < 1 or min(values.shape[2:]) < 2:
        return b""
    tiles = [_grey(plane) for plane in values[0][:_MAPS]]
    tiles += [np.full_like(tiles[0], 128)] * (-len(tiles) % min(_IN_A_ROW, len(tiles)))
    across = min(_IN_A_ROW, len(tiles))
    lines = [np.hstack(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    return bytes(cv2.imencode(".png", np.vstack(lines))[1])


def _grey(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    clean = np.nan_to_num(plane.astype(np.float64), posinf=0, neginf=0)
    span = float(np.ptp(clean)) or 1.0
    grey = ((clean - clean.min()) / span * 255).astype(np.uint8)
    scale = _WIDTH / grey.shape[1]
    large = cv2.resize(grey, (_WIDTH, max(1, round(grey.shape[0] * scale))), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.copyMakeBorder(large, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=128), np.uint8)
