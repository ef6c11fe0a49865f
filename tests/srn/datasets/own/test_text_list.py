import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.text_list import is_celeba, read_celeba, read_text_list


def write(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    return tmp_path / "a.txt"


def rows_of(form):
    return [(row.name, dict(row.cells)) for row in form.rows()]


def test_names_with_blanks(tmp_path):
    form = read_text_list(write(tmp_path, "my 1.jpg 0 1 1\n\nb.jpg\t1 0\t0\n"), Reading(), ["x", "y", "z"])
    assert rows_of(form) == [
        ("my 1.jpg", {"x": "0", "y": "1", "z": "1"}), ("b.jpg", {"x": "1", "y": "0", "z": "0"}),
    ]  # fmt: skip
    form = read_text_list(write(tmp_path, "my 1.jpg cat dog\nb.jpg\n"), Reading(), None)
    assert rows_of(form) == [("my 1.jpg", {"cat": "1", "dog": "1"}), ("b.jpg", {})]


def test_celeba(tmp_path):
    path = write(tmp_path, "2\nBald Young \n000001.jpg -1  1\n000002.jpg  1 -1\n")
    assert is_celeba(path)
    assert rows_of(read_celeba(path)) == [
        ("000001.jpg", {"Bald": "-1", "Young": "1"}), ("000002.jpg", {"Bald": "1", "Young": "-1"}),
    ]  # fmt: skip
    with pytest.raises(ShapeError, match=r"^.*a.txt: expected 3 images, as the first line says, found 1"):
        read_celeba(write(tmp_path, "3\nBald\n1.jpg 1\n"))
    assert not is_celeba(write(tmp_path, "3\na.jpg 1\n"))


@pytest.mark.parametrize(
    ("text", "names", "error", "message"),
    [
        (
            "a.jpg 0 0\nb.jpg 1 1\n",
            ["x"],
            ShapeError,
            "a.txt: expected 1 values per line, one for each label name, fou",
        ),
        (
            "2\nBald Young\na.jpg 1\nb.jpg 1\n",
            None,
            ShapeError,
            "a.txt, line 3: expected 2 values after the name, foun",
        ),
        (
            "2\nBald\na.jpg 1\nb.jpg 3\n",
            None,
            DataError,
            "a.txt, line 4: expected 1, 0, -1, true, .* 'Bald', found '3'",
        ),
    ],
)
def test_lines_that_do_not_fit(tmp_path, text, names, error, message):
    path = write(tmp_path, text)
    with pytest.raises(error, match=rf"^.*{message}"):
        list((read_celeba(path) if is_celeba(path) else read_text_list(path, Reading(), names)).rows())


@pytest.mark.parametrize(
    ("text", "separator", "labels"),
    [
        ("a.jpg hot dog, cat\nb.jpg cat\n", "comma", {"hot dog": "1", "cat": "1"}),
        ("a.jpg hot dog;cat, small\n", "semicolon", {"hot dog": "1", "cat, small": "1"}),
        ("a.jpg hot dog | cat\n", "bar", {"hot dog": "1", "cat": "1"}),
        ("a.jpg hot dog\n", "space", {"hot": "1", "dog": "1"}),
    ],
)
def test_what_separates_words(tmp_path, text, separator, labels):
    form = read_text_list(write(tmp_path, text), Reading(), None)
    assert rows_of(form)[0] == ("a.jpg", labels)
    assert form.notes == [f"names of labels after each name, separated by {separator}"]


def test_the_separator_flag_decides(tmp_path):
    path = write(tmp_path, "a.jpg hot dog, cat\n")
    assert rows_of(read_text_list(path, Reading(separator="none"), None)) == [("a.jpg", {"hot dog, cat": "1"})]
