import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.table import read_table


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path, text, name="a.csv", split="train", rows="", **flags):
    return read_table(write(tmp_path / name, text), Reading(**flags), split, rows)


def rows_of(form):
    return [(row.name, dict(row.cells)) for row in form.rows()]


def test_a_column_per_label(tmp_path):
    form = read(tmp_path, '\ufeffimage, cat,"a dog"\nx.jpg,1,\n\n"y, z.jpg",0,-1.0\r\n')
    assert form.class_names == ["cat", "a dog"]
    assert form.root == tmp_path
    for _ in range(2):  # rows can be read again
        assert rows_of(form) == [("x.jpg", {"cat": "1", "a dog": ""}), ("y, z.jpg", {"cat": "0", "a dog": "-1"})]


@pytest.mark.parametrize("header", ["labels", "Tags", "scene words"])
def test_a_column_that_lists_labels(tmp_path, header):
    form = read(tmp_path, f"file,{header}\nx.jpg,cat; a dog\ny.jpg,\nz.jpg,cow|cat\n")
    assert form.class_names is None
    assert rows_of(form) == [("x.jpg", {"cat": "1", "a dog": "1"}), ("y.jpg", {}), ("z.jpg", {"cow": "1", "cat": "1"})]


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", "\t"), ("a.csv", ";"), ("a.csv", "\t")])
def test_other_delimiters(tmp_path, name, mark):
    form = read(tmp_path, f"image{mark}cat{mark}cow\nx, y.jpg{mark}1{mark}0\n", name)
    assert rows_of(form) == [("x, y.jpg", {"cat": "1", "cow": "0"})]


def test_the_image_column_is_found_by_its_name(tmp_path):
    form = read(tmp_path, "number,FileName,cat\n0,x.jpg,1\n1,y.jpg,0\n", not_labels=("number",))
    assert rows_of(form) == [("x.jpg", {"cat": "1"}), ("y.jpg", {"cat": "0"})]
    assert form.notes == ["columns left out: number", "a column per label"]


def test_a_table_without_a_header(tmp_path):
    assert rows_of(read(tmp_path, "x.jpg,1,0\ny.jpg,0,1\n")) == [
        ("x.jpg", {"0": "1", "1": "0"}), ("y.jpg", {"0": "0", "1": "1"}),
    ]  # fmt: skip
    assert rows_of(read(tmp_path, "x.jpg,cat;dog\n")) == [("x.jpg", {"cat": "1", "dog": "1"})]


SPLITS = "filepath,label,split_name\na.jpg,\"['sky']\",train\nb.jpg,\"['sky', 'sea']\",val\nc.jpg,\"['sea']\",val\n"


def test_a_column_that_tells_splits_apart(tmp_path):
    train = read(tmp_path, SPLITS)
    assert rows_of(train) == [("a.jpg", {"sky": "1"})]
    assert train.notes == ["rows of other splits passed over: 2 val", "cells of labels: Python or JSON lists"]
    for form in (read(tmp_path, SPLITS, split="val"), read(tmp_path, SPLITS, split="test", rows="val")):
        assert [name for name, _ in rows_of(form)] == ["b.jpg", "c.jpg"]
    with pytest.raises(
        DataError, match=r"^.*a.csv: expected rows of split 'test', found 1 of 'train', 2 of 'val'; name the rows to re"
    ):
        read(tmp_path, SPLITS, split="test")
    with pytest.raises(
        DataError, match=r"^.*a.csv: expected a column that tells splits apart, for rows 'val', found n"
    ):
        read(tmp_path, "image,cat\nx.jpg,1\n", rows="val")


def test_a_row_per_image_and_label_with_its_value(tmp_path):
    form = read(tmp_path, "ImageID,Source,LabelName,Confidence\nx,human,cat,1\nx,human,dog,0\n")
    assert [(row.name, dict(row.cells), row.rest) for row in form.rows()] == [
        ("x", {"cat": "1"}, ""), ("x", {"dog": "0"}, ""),
    ]  # fmt: skip
    assert form.notes == [
        "columns left out: Source", "rows of an image, a label ('LabelName') and its value",
    ]  # fmt: skip


def test_numbers_are_names_or_values(tmp_path):
    text = "image,label\nx.jpg,1\ny.jpg,0\n"
    with pytest.raises(
        DataError,
        match=r"^.*a.csv, line 2: '1' in column 'label' can be read in two ways: as the name of a label, or as the val"
        r"ue of a label 'label'; give --label-cells names or --label-cells values$",
    ):
        read(tmp_path, text)
    assert rows_of(read(tmp_path, text, label_cells="names")) == [("x.jpg", {"1": "1"}), ("y.jpg", {"0": "1"})]
    assert rows_of(read(tmp_path, text, label_cells="values")) == [("x.jpg", {"label": "1"}), ("y.jpg", {"label": "0"})]
    assert rows_of(read(tmp_path, "image,label\nx.jpg,1\ny.jpg,7\n")) == [("x.jpg", {"1": "1"}), ("y.jpg", {"7": "1"})]


def test_columns_of_chexpert_that_are_no_labels(tmp_path):
    form = read(tmp_path, "Path,Sex,Age,Frontal/Lateral,AP/PA,Edema,Fracture\na.jpg,F,68,Frontal,AP,1.0,\n")
    assert rows_of(form) == [("a.jpg", {"Edema": "1", "Fracture": ""})]
    assert form.notes == ["columns left out: Sex, Age, Frontal/Lateral, AP/PA", "a column per label"]


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("image\nx.jpg\n", {}, r"a.csv: expected a header with an image column .*, found 1 columns; columns are separ"),
        ("image,a,b\nx,1,0\ny,1\n", {}, r"a.csv, line 3: expected 3 columns, as in the header, found 2"),
        (
            "image,a,b\nx,1,0.5\n",
            {},
            r"a.csv, line 2: expected 1, 0, -1, true, .* for label 'b', found '0.5'; --not-la",
        ),
        ("image,a\nx,1\n", {"not_labels": ("b",)}, r"a.csv: --not-labels names 'b', found columns image, a"),
        ("image,a\nx,1\n", {"not_labels": ("a",)}, r"a.csv: expected at least one column of labels, found none; colu"),
        ("image,tags,cat\nx,sky,1\n", {}, r"a.csv: column 'tags' lists labels, while 'cat' holds '1', a label value; "),
    ],
)
def test_errors(tmp_path, text, flags, message):
    with pytest.raises(DataError, match=rf"^.*{message}"):
        list(read(tmp_path, text, **flags).rows())


def test_an_open_quotation_mark(tmp_path):
    with pytest.raises(
        DataError, match=r"^.*a.csv, line 2: field larger than field limit .*; is a quotation mark left"
    ):
        list(read(tmp_path, 'image,cat\n"a.jpg' + 200_000 * "x").rows())


def test_utf_16(tmp_path):
    (tmp_path / "a.txt").write_text("image\tbärig\nx.jpg\t1\n", encoding="utf-16")
    assert rows_of(read_table(tmp_path / "a.txt", Reading())) == [("x.jpg", {"bärig": "1"})]


def test_the_line_with_which_excel_names_the_delimiter(tmp_path):
    assert rows_of(read(tmp_path, "SEP=|\r\nimage|cat, small|cow\r\nx.jpg|1|0\r\n")) == [
        ("x.jpg", {"cat, small": "1", "cow": "0"}),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"^.*a.csv, line 4: expected 2 columns, as in the header, found 3"):
        list(read(tmp_path, "sep=;\nimage;cat\nx.jpg;1\ny.jpg;1;0\n").rows())


def test_a_quoted_header_with_other_delimiters(tmp_path):
    form = read(tmp_path, '"image, name";"cat, small";cow\nx.jpg;1;0\n')
    assert rows_of(form) == [("x.jpg", {"cat, small": "1", "cow": "0"})]


def test_blanks_before_quotation_marks(tmp_path):
    assert rows_of(read(tmp_path, 'image, labels\nx.jpg, "cat;dog"\n')) == [("x.jpg", {"cat": "1", "dog": "1"})]


def test_a_cell_that_lists_a_value_for_each_label(tmp_path):
    text = 'image,labels\nx.jpg,"[0, 1, 1]"\ny.jpg,"[1, 0, 0]"\n'
    form = read(tmp_path, text)
    assert form.class_names == ["0", "1", "2"]
    assert rows_of(form)[0] == ("x.jpg", {"0": "0", "1": "1", "2": "1"})
    assert form.notes == ["cells of labels: Python or JSON lists; a value for each label"]
    named = read_table(tmp_path / "a.csv", Reading(), class_names=["cat", "dog", "cow"])
    assert rows_of(named)[1] == ("y.jpg", {"cat": "1", "dog": "0", "cow": "0"})
    with pytest.raises(ShapeError, match=r"^.*a.csv: expected 2 values in a row, one for each label name, found 3$"):
        read_table(tmp_path / "a.csv", Reading(), class_names=["cat", "dog"])
    longer = read(tmp_path, text + 'z.jpg,"[1, 0]"\n', label_cells="values")
    with pytest.raises(ShapeError, match=r"^.*a.csv, line 4: expected 3 values, as in the first row, found 2$"):
        list(longer.rows())


def test_a_line_break_in_a_cell(tmp_path):
    with pytest.raises(
        DataError, match=r"^.*a.csv, line 3: expected cells of one line, found a line break; is a quotation mark left"
    ):
        list(read(tmp_path, 'image,labels\nx.jpg,"cat\ny.jpg,dog"\n').rows())
    described = read(tmp_path, 'image,caption,labels\nx.jpg,"two\nlines",cat\n', not_labels=("caption",))
    assert rows_of(described) == [("x.jpg", {"cat": "1"})]


def test_a_split_column_that_names_no_split(tmp_path):
    text = "image,fold,cat\nx.jpg,my 1,1\ny.jpg,my 2,0\n"
    with pytest.raises(
        DataError,
        match=r"^.*a.csv: column 'fold' can be read in two ways: .*; it holds 'my 1', 'my 2' in place of train, val or "
        r"test; name the rows to read, such as --train-rows 'my 1', or leave the column out: --not-labels fold$",
    ):
        read(tmp_path, text)
    assert rows_of(read(tmp_path, text, rows="my 2")) == [("y.jpg", {"cat": "0"})]
    assert len(rows_of(read(tmp_path, text, not_labels=("fold",)))) == 2


def test_rows_of_a_split_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"found 1 of 'train', 1 of 'my holdout'; .* such as --test-rows 'my holdout'$"):
        read(tmp_path, "image,split,cat\nx.jpg,train,1\ny.jpg,my holdout,0\n", split="test")


def test_the_image_column_is_found_by_its_cells(tmp_path):
    form = read(tmp_path, "cat,where,dog\n1,x.jpg,0\n0,y.png,1\n")
    assert rows_of(form) == [("x.jpg", {"cat": "1", "dog": "0"}), ("y.png", {"cat": "0", "dog": "1"})]


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_column_in_which_pandas_numbers_rows(tmp_path, name):
    form = read(tmp_path, f"{name},image,cat\n0,x.jpg,1\n1,y.jpg,0\n")
    assert rows_of(form) == [("x.jpg", {"cat": "1"}), ("y.jpg", {"cat": "0"})]


def test_label_values_beside_a_list_of_labels(tmp_path):
    text = "image,tags,is cat,note\nx.jpg,sky,1,good\n"
    with pytest.raises(DataError, match=r"--not-labels tags, or --not-labels 'is cat'$"):
        read(tmp_path, text)
    assert rows_of(read(tmp_path, text, not_labels=("is cat",))) == [("x.jpg", {"sky": "1"})]
