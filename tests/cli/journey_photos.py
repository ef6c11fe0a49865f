"""Photographs of drawn shapes with a table of labels, as a user's own folder would have them."""

import csv

import cv2
import numpy as np

SHAPES = ("circle", "square", "triangle")
COLOURS = {"red": (40, 40, 220), "blue": (220, 70, 40)}
LABELS = sorted((*SHAPES, *COLOURS))


def write_photos(folder, number=60, side=128, seed=5):
    """`number` JPEG files and labels.csv: image, labels (separated by ;) and split, of which a fifth is test."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "labels", "split"])
        for place in range(number):
            picture, labels = draw(random, side)
            cv2.imwrite(str(folder / f"{place:04d}.jpg"), picture)
            table.writerow([f"{place:04d}.jpg", ";".join(sorted(labels)), "test" if place % 5 == 4 else "train"])


def draw(random, side):
    """A picture (side, side, 3) of one or two shapes, and the set of its labels."""
    picture = random.integers(150, 200, (side, side, 3)).astype(np.uint8)
    labels = set()
    for column in range(int(random.integers(1, 3))):
        shape, colour = random.choice(SHAPES), random.choice(list(COLOURS))
        labels |= {str(shape), str(colour)}
        radius = int(random.integers(side // 8, side // 5))
        centre = np.array([side // 4 + column * side // 2, int(random.integers(side // 4, 3 * side // 4))])
        paint(picture, str(shape), centre, radius, COLOURS[str(colour)])
    return cv2.GaussianBlur(picture, (3, 3), 0), labels


def paint(picture, shape, centre, radius, colour):
    left, top = (int(value) for value in centre - radius)
    right, bottom = (int(value) for value in centre + radius)
    if shape == "circle":
        cv2.circle(picture, tuple(map(int, centre)), radius, colour, -1)
    elif shape == "square":
        cv2.rectangle(picture, (left, top), (right, bottom), colour, -1)
    else:
        corners = np.array([[left, bottom], [right, bottom], [int(centre[0]), top]], np.int32)
        cv2.fillPoly(picture, [corners], colour)
