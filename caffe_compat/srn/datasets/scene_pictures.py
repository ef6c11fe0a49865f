"""How a scene looks: real digits, enlarged, on a cloudy background."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.datasets.digits import Digits
from caffe_compat.srn.datasets.scene_rules import PlacedDigit, SceneRules

Plane = NDArray[np.float32]

CELL = 24  # pixels
SIDES = (18, 23)  # a digit's least and greatest side, pixels
JITTER = 3  # pixels by which a digit may miss its cell's centre
CLEAR, FAINT = (0.6, 0.9), (0.35, 0.6)  # contrast
HALF_HIDDEN = 0.4  # of the degraded digits
BLUR = 0.1  # of the side
GRAIN = 0.04
#: The background's clouds: how many knots a side, and how strong.
CLOUDS = ((7, 0.06), (24, 0.04))
BACKGROUND = 0.25


class Rectangle(NamedTuple):
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int


def draw_picture(
    scene: list[PlacedDigit], digits: Digits, rules: SceneRules, random: np.random.Generator
) -> tuple[NDArray[np.uint8], list[Rectangle]]:
    """The scene as (height, width, 3), blue first, and where each digit is."""
    side = CELL * rules.grid
    plane, boxes = _background(side, random), []
    for placed in scene:
        glyph = _glyph(random.choice(digits[placed.digit]), placed.degraded, random)
        left, top = (_corner(cell, len(glyph), side, random) for cell in (placed.column, placed.row))
        plane[top : top + len(glyph), left : left + len(glyph)] += glyph
        boxes.append(Rectangle(left, top, len(glyph), len(glyph)))
    plane += GRAIN * random.standard_normal(plane.shape, np.float32)
    tint = random.uniform(0.9, 1.1, 3)
    return (255 * np.clip(plane[..., None] * tint, 0, 1)).astype(np.uint8), boxes


def _background(side: int, random: np.random.Generator) -> Plane:
    plane = np.full((side, side), BACKGROUND, np.float32)
    for knots, strength in CLOUDS:
        cloud = random.standard_normal((knots, knots), np.float32)
        plane += strength * cv2.resize(cloud, (side, side), interpolation=cv2.INTER_CUBIC)
    return plane


def _glyph(pixels: Plane, degraded: bool, random: np.random.Generator) -> Plane:
    side = int(random.integers(SIDES[0], SIDES[1] + 1))
    glyph: Any = np.clip(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1)
    if degraded:
        glyph = cv2.GaussianBlur(glyph, (0, 0), BLUR * side)
        if random.random() < HALF_HIDDEN:
            glyph = _hide_half(glyph, int(random.integers(4)))
    glyph *= np.float32(random.uniform(*(FAINT if degraded else CLEAR)))
    return np.asarray(glyph)


def _hide_half(glyph: Plane, turns: int) -> Plane:
    """The upper half after so many quarter turns."""
    turned = np.rot90(glyph, turns).copy()
    turned[: len(turned) // 2] = 0
    return np.rot90(turned, -turns).copy()


def _corner(cell: int, glyph_side: int, side: int, random: np.random.Generator) -> int:
    """The first pixel of a glyph in a cell of the row or column, within the picture."""
    free = (CELL - glyph_side) // 2 + int(random.integers(-JITTER, JITTER + 1))
    return int(np.clip(CELL * cell + free, 0, side - glyph_side))
