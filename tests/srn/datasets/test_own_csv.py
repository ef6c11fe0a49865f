import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_csv import read_csv


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_column_a_label(tmp_path):
    form = read_csv(write(tmp_path / "a.csv", '\ufeffimage, cat,"a dog"\nx.jpg,1,\n\n"y, z.jpg",0,-1\r\n'))
    assert form.class_names == ["cat", "a dog"]
    assert form.root == tmp_path
    for _ in range(2):  # rows can be read again
        assert [(row.name, row.labels) for row in form.rows()] == [
            ("x.jpg", {"cat": 1, "a dog": 0}),
            ("y, z.jpg", {"cat": 0, "a dog": -1}),
        ]


@pytest.mark.parametrize("header", ["labels", "Tags"])
def test_a_column_that_lists_labels(tmp_path, header):
    form = read_csv(write(tmp_path / "a.csv", f"file,{header}\nx.jpg,cat; a dog\ny.jpg,\nz.jpg,cow|cat\n"))
    assert form.class_names is None
    assert [(row.name, row.labels) for row in form.rows()] == [
        ("x.jpg", {"cat": 1, "a dog": 1}),
        ("y.jpg", {}),
        ("z.jpg", {"cow": 1, "cat": 1}),
    ]


def test_tabs(tmp_path):
    form = read_csv(write(tmp_path / "a.tsv", "image\tcat\nx, y.jpg\t1\n"))
    assert [(row.name, row.labels) for row in form.rows()] == [("x, y.jpg", {"cat": 1})]


def test_errors(tmp_path):
    with pytest.raises(
        DataError, match=r"^.*a.csv: expected a header with an image column .*, found 1 columns; columns"
    ):
        read_csv(write(tmp_path / "a.csv", "image;cat\nx.jpg;1\n"))
    with pytest.raises(DataError, match=r"^.*a.csv, line 3: expected 3 columns, as in the header, found 2"):
        list(read_csv(write(tmp_path / "a.csv", "image,a,b\nx,1,0\ny,1\n")).rows())
    with pytest.raises(DataError, match=r"^.*a.csv, line 2: expected 1, 0, -1 or nothing for label 'b', found '0.5'"):
        list(read_csv(write(tmp_path / "a.csv", "image,a,b\nx,1,0.5\n")).rows())
    with pytest.raises(DataError, match=r"^.*b.csv: cannot read the annotations: .*; expected text in UTF-8"):
        read_csv(tmp_path / "b.csv")


def test_an_open_quotation_mark(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('image,cat\n"a.jpg' + 200_000 * "x")
    with pytest.raises(
        DataError, match=r"^.*a.csv, line 2: field larger than field limit .*; is a quotation mark left"
    ):
        list(read_csv(path).rows())
