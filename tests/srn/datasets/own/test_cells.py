import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import (
    EMPTY,
    MINUS_ONE,
    NOT_LISTED,
    ONE,
    UNSURE,
    ZERO,
    Seen,
    decide_meaning,
    token_of,
)
from caffe_compat.srn.datasets.own.reading import Reading


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("1", ONE), (" 1.0 ", ONE), ("+1", ONE), ("True", ONE), ("yes", ONE), ("0", ZERO), ("0.00", ZERO),
        ("FALSE", ZERO), ("-1", MINUS_ONE), ("-1.0", MINUS_ONE), ("", EMPTY), ("NaN", EMPTY), ("null", EMPTY),
    ],
)  # fmt: skip
def test_kinds_of_cells(cell, kind):
    assert token_of(cell, "a.csv, line 2", "cat") == kind


@pytest.mark.parametrize("cell", ["0.5", "maybe", "2", "1;1", "inf", "9" * 500])
def test_cells_that_are_no_values(cell):
    message = (
        r"^a.csv, line 2: expected 1, 0, -1, true, false or nothing for label 'cat', found '.{1,80}'; --not-labels"
    )
    with pytest.raises(DataError, match=message):
        token_of(cell, "a.csv, line 2", "cat")


def meaning(cells, names=("x", "y"), **flags):
    seen = {cell: Seen(number, f"line {number}") for number, cell in enumerate(cells, start=1)}
    return decide_meaning(seen, names, Reading(**flags))


@pytest.mark.parametrize(
    ("cells", "names", "flags", "values"),
    [
        ([ONE, ZERO], (), {}, {ONE: 1, ZERO: 0}),
        ([ONE, MINUS_ONE], (), {}, {ONE: 1, MINUS_ONE: 0}),
        ([ONE, EMPTY], (), {}, {ONE: 1, EMPTY: 0}),
        ([ONE, ZERO, MINUS_ONE], (), {"minus_one": "absent"}, {ZERO: -1, MINUS_ONE: 0}),
        ([ONE, ZERO, MINUS_ONE], (), {"minus_one": "unknown"}, {ZERO: 0, MINUS_ONE: -1}),
        ([ONE, ZERO], (), {"minus_one": "absent"}, {ZERO: 0}),
        ([ONE, EMPTY, MINUS_ONE], (), {"minus_one": "absent"}, {EMPTY: -1, MINUS_ONE: 0}),
        ([ONE, EMPTY, MINUS_ONE], (), {"minus_one": "unknown"}, {EMPTY: 0, MINUS_ONE: -1}),
        ([ONE, ZERO, EMPTY], (), {"empty": "unknown"}, {ZERO: 0, EMPTY: -1}),
        ([ONE, ZERO, EMPTY], (), {"empty": "absent"}, {ZERO: 0, EMPTY: 0}),
        ([ONE, ZERO, MINUS_ONE, EMPTY], ("Edema", "Fracture"), {}, {ZERO: 0, MINUS_ONE: -1, EMPTY: 0}),
        ([ONE, ZERO, MINUS_ONE], ("aeroplane", "car"), {}, {ZERO: -1, MINUS_ONE: 0}),
        ([ONE, ZERO, MINUS_ONE], ("Edema",), {"minus_one": "absent"}, {ZERO: -1, MINUS_ONE: 0}),
    ],
)
def test_what_cells_mean(cells, names, flags, values):
    found = meaning(cells, names, **flags).values
    assert {cell: found[cell] for cell in values} == values
    assert (found[NOT_LISTED], found[UNSURE]) == (0, -1)


@pytest.mark.parametrize(
    ("cells", "names", "message"),
    [
        ([ONE, ZERO, MINUS_ONE], ("cat", "dog"), r"^line 3: -1 can be read in two ways: absent, with 0 for unknown, "
         r".*, or unknown, with 0 for absent, .*; give --minus-one absent or --minus-one unknown$"),
        ([ONE, EMPTY, MINUS_ONE], ("x",), r"^line 3: -1 can be read in two ways: absent, with an empty cell for unkn"),
        ([ONE, ZERO, EMPTY], ("x",), r"^line 3: a label without a value, .* two ways: absent, or unknown .*; give --"),
    ],
)  # fmt: skip
def test_two_readings_are_named_with_the_flag(cells, names, message):
    with pytest.raises(DataError, match=message):
        meaning(cells, names)


def test_what_was_decided_is_told():
    assert meaning([ZERO, MINUS_ONE, EMPTY], ("Edema",)).notes == [
        "-1 means unknown (2 cells), an empty cell means absent (3 cells), as in CheXpert"
    ]
    assert meaning([ONE, ZERO]).notes == []
