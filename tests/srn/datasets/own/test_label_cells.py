import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.label_cells import decide_label_cells
from caffe_compat.srn.datasets.own.reading import Reading


def labels(cells, **flags):
    """The labels of all cells, as decided from all of them."""
    places = [(f"line {number}", cell) for number, cell in enumerate(cells, start=2)]
    decided = decide_label_cells(places, Reading(**flags))
    return [decided.split(cell, place) for place, cell in places]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["cat; a dog", "", "cow|cat"], [["cat", "a dog"], [], ["cow", "cat"]]),
        (["['cat', 'a dog']", '["cow"]', "[]"], [["cat", "a dog"], ["cow"], []]),
        (["('cat',)", "{'dog'}", "[3, 12]"], [["cat"], ["dog"], ["3", "12"]]),
        (["cat", "dog"], [["cat"], ["dog"]]),
        ([f"{a} {b} {c}".strip() for a in ("", "u") for b in ("", "v") for c in ("w", "x")],
         [["w"], ["x"], ["v", "w"], ["v", "x"], ["u", "w"], ["u", "x"], ["u", "v", "w"], ["u", "v", "x"]]),
    ],
)  # fmt: skip
def test_forms_that_show_themselves(cells, expected):
    assert labels(cells) == expected


@pytest.mark.parametrize(
    ("separator", "cell", "expected"),
    [
        ("space", "haze primary", ["haze", "primary"]),
        ("comma", "sky, big clouds", ["sky", "big clouds"]),
        ("semicolon", "a|b; c d", ["a|b", "c d"]),
        ("bar", "a;b|c", ["a;b", "c"]),
        ("none", "hot dog, [big]", ["hot dog, [big]"]),
    ],
)
def test_the_flag_decides(separator, cell, expected):
    assert labels([cell], separator=separator) == [expected]


@pytest.mark.parametrize(
    ("cells", "name"), [(["haze primary", "clear"], "space"), (["tench, Tinca tinca", "carp"], "comma")]
)
def test_cells_of_two_readings(cells, name):
    with pytest.raises(
        DataError,
        match=rf"^line 2: '{cells[0]}' can be read in two ways: as the labels '.*' and '.*', or as one label; give "
        rf"--separator {name} for several labels in a cell, or --separator none for one$",
    ):
        labels(cells)


@pytest.mark.parametrize(
    "cell",
    ["[__import__('os').getpid()]", "[[1]]", "[1.5]", "{'a': 1}", "[" * 30_000 + "]" * 30_000,
     "['a', 'b'" + " " * 70_000 + "]", "[None]", "[open('x')]"],
)  # fmt: skip
def test_lists_of_anything_else(cell):
    with pytest.raises(DataError, match=r"^line 2: expected a list of label names such as \['cat', 'dog'\], found '"):
        labels([cell])
