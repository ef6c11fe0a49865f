"""Figure 2 as a picture drawn from a generated net: its parts, what each is made of, and the blobs between them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from caffe_compat.net.net import Net

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 172, 76, 58, 34, 14
CHARACTERS = 26  # in a line of a box


@dataclass(frozen=True)
class Part:
    """A box of Figure 2: its title, the prefixes of its layers' names, and the column and row where it stands."""

    title: str
    prefixes: tuple[str, ...]
    column: int
    row: int


#: A layer belongs to the first part that has a prefix of its name; all others belong to the main net.
PARTS = (
    Part("f_att (Eq. 3, 4)", ("att_conv", "bn_att", "scale_att", "att_flat", "att_softmax", "att_map"), 2, 1),
    Part("conv1: S", ("srn_conv1",), 2, 2),
    Part("y_att (Eq. 7)", ("att_scores", "y_att"), 3, 2),
    Part("U = sigmoid(S) A (Eq. 8)", ("srn_conf", "srn_weighted"), 3, 1),
    Part("f_sr (Eq. 9)", ("srn_", "bn_srn", "scale_srn"), 4, 1),
    Part("f_cls (Eq. 2)", ("pool5", "cls_fc"), 4, 0),
    Part("y (section 3.4)", ("y", "alpha"), 5, 0),
)


@dataclass
class _Box:
    title: str
    column: int
    row: int
    layers: list[str]
    types: list[str]


def draw_parts(net: Net) -> str:
    """An SVG of the parts of a net in the paper's layout, with an arrow for each blob that goes from part to part."""
    tap = next(step.bottoms[0] for step in net.steps if step.layer.name == "att_conv1")
    boxes = _boxes(net, tap)
    owner = {layer: box for box in boxes for layer in box.layers}
    drawn = [_draw_box(box) for box in boxes] + [_draw_edge(*edge) for edge in _edges(net, owner)]
    width = MARGIN * 2 + WIDTH * 6 + GAP_X * 5
    height = MARGIN * 2 + HEIGHT * 3 + GAP_Y * 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="The parts of {escape(net.name)} and the blobs between them">' + "".join(drawn) + "</svg>"
    )


def _boxes(net: Net, tap: str) -> list[_Box]:
    made = {part: _Box(part.title, part.column, part.row, [], []) for part in PARTS}
    trunk = _Box("f_cnn (Eq. 1)", 1, 1, [], [])
    rest = _Box("main net, stage 5", 3, 0, [], [])
    data = _Box("image I", 0, 1, [], [])
    before_tap = True
    for step in net.steps:
        part = next((part for part in PARTS if step.layer.name.startswith(part.prefixes)), None)
        box = made[part] if part else data if step.layer.is_input else trunk if before_tap else rest
        box.layers.append(step.layer.name)
        box.types.append(step.layer.spec.type)
        before_tap = before_tap and not (part is None and _ends_tap(net, step.layer.name, tap))
    return [box for box in (data, trunk, rest, *made.values()) if box.layers]


def _ends_tap(net: Net, layer: str, tap: str) -> bool:
    """Whether this layer is the last one that writes the features X."""
    writers = [step.layer.name for step in net.steps if tap in step.tops]
    return layer == writers[-1]


def _edges(net: Net, owner: Mapping[str, _Box]) -> list[tuple[_Box, _Box, str]]:
    """From box to box the blob that goes there, with its shape; each pair once."""
    writer: dict[str, _Box] = {}
    found: dict[tuple[int, int], tuple[_Box, _Box, str]] = {}
    for step in net.steps:
        for bottom in step.bottoms:
            source, target = writer[bottom], owner[step.layer.name]
            if source is not target:
                shape = " x ".join(map(str, net.blobs[bottom].shape[1:]))
                found.setdefault((id(source), id(target)), (source, target, shape))
        for top in step.tops:
            writer[top] = owner[step.layer.name]
    return list(found.values())


def _corner(box: _Box) -> tuple[int, int]:
    return MARGIN + box.column * (WIDTH + GAP_X), MARGIN + box.row * (HEIGHT + GAP_Y)


def _draw_box(box: _Box) -> str:
    left, top = _corner(box)
    counts = [f"{count} {name}" for name, count in Counter(box.types).most_common(2)]
    lines = [f"{len(box.layers)} layers: {box.layers[0]}" if len(box.layers) > 1 else box.layers[0], ", ".join(counts)]
    texts = "".join(
        f'<text x="{left + WIDTH / 2}" y="{top + 42 + 18 * number}" class="small">{escape(line[:CHARACTERS])}</text>'
        for number, line in enumerate(lines)
    )
    title = f'<text x="{left + WIDTH / 2}" y="{top + 22}" class="part">{escape(box.title)}</text>'
    return f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>{title}{texts}'


def _draw_edge(source: _Box, target: _Box, shape: str) -> str:
    """An arrow: to the right through the gap, or up and down between boxes of one column."""
    (x1, y1), (x2, y2) = _corner(source), _corner(target)
    points: list[tuple[float, float]]
    if x1 == x2:
        down = y2 > y1
        start, end = (y1 + HEIGHT if down else y1), (y2 if down else y2 + HEIGHT)
        points = [(x1 + WIDTH / 2, start), (x1 + WIDTH / 2, end)]
    else:
        middle = x1 + WIDTH + GAP_X / 2
        points = [
            (x1 + WIDTH, y1 + HEIGHT / 2),
            (middle, y1 + HEIGHT / 2),
            (middle, y2 + HEIGHT / 2),
            (x2, y2 + HEIGHT / 2),
        ]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    label = f'<text x="{x1 + WIDTH + 4}" y="{y1 + HEIGHT / 2 - 6}" class="shape">{escape(shape)}</text>'
    return f'<path d="{path}" class="edge"/>{label if x1 != x2 else ""}{_head(points[-2:])}'


def _head(last: Sequence[tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = last
    if x1 == x2:
        step = -6 if y2 > y1 else 6
        return f'<path d="M{x2 - 4:g} {y2 + step:g} L{x2:g} {y2:g} L{x2 + 4:g} {y2 + step:g}" class="head"/>'
    return f'<path d="M{x2 - 6:g} {y2 - 4:g} L{x2:g} {y2:g} L{x2 - 6:g} {y2 + 4:g}" class="head"/>'
