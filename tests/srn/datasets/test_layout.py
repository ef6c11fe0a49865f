import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.layout import ListLine, SplitFiles, check_class_names, image_path, read_image_list


def test_lists_hold_names_with_and_without_tags_and_spaces(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a b.jpg 3\n\nsub/c.png\nd 4.jpg\r\n")

    assert read_image_list(path) == [
        ListLine("a b.jpg", 3),
        ListLine("sub/c.png", None),
        ListLine("d 4.jpg", None),
    ]


def test_a_list_that_is_missing_or_empty_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"^.*missing.txt: cannot read the image list: .*; expected text"):
        read_image_list(tmp_path / "missing.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=r"^.*empty.txt: the image list is empty; expected lines 'name'"):
        read_image_list(tmp_path / "empty.txt")


def test_files_are_named_as_generated_nets_expect(tmp_path):
    files = SplitFiles(tmp_path, "val")

    assert files.image_database == tmp_path / "val_image_lmdb"
    assert files.label_database == tmp_path / "val_label_lmdb"


def test_root_and_name_are_put_together_with_the_slash_that_people_forget(tmp_path):
    assert image_path(f"{tmp_path}", "a.jpg") == f"{tmp_path}/a.jpg"
    assert image_path(f"{tmp_path}/", "a.jpg") == f"{tmp_path}/a.jpg"
    assert image_path(f"{tmp_path}/prefix_", "a.jpg") == f"{tmp_path}/prefix_a.jpg"
    assert image_path("", "a.jpg") == "a.jpg"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat", "a\ndog"], r"expected label names of one line of text each, found 'a\\ndog'"),
        (["cat", " "], r"expected label names of one line of text each, found ' '"),
        (["cat", "a\ud800"], r"expected label names of one line of text each, found 'a\\ud800'"),
        (["cat", "a\0"], r"expected label names of one line of text each, found 'a\\x00'"),
        (["cat", "dog", "cat"], r"expected label names, each once, found 'cat' 2 times"),
        ([], r"expected label names, each once, found 'any' 0 times"),
    ],
)
def test_label_names_that_a_file_cannot_hold(names, message):
    with pytest.raises(DataError, match=rf"^mine: {message}"):
        check_class_names("mine", names)
