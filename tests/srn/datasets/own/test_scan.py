import pytest

from caffe_compat.srn.datasets.own.scan import ImageNames


@pytest.fixture
def names(tmp_path):
    for name in ("a.jpg", "b.PNG", "photo", "sub/c.jpeg", "odd\\name.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return ImageNames(tmp_path)


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("a", "a.jpg"), ("b", "b.PNG"), ("photo", "photo"), ("sub\\c.jpeg", "sub/c.jpeg"), ("sub/c", "sub/c.jpeg"),
        ("odd\\name.jpg", "odd\\name.jpg"), ("./a.jpg", "a.jpg"), (" a.jpg ", "a.jpg"), ("gone.jpg", "gone.jpg"),
        ("gone", "gone"), ("/other/a.jpg", "/other/a.jpg"), ("", ""), ("a\0b", "a\0b"), ("x" * 5000, "x" * 5000),
    ],
)  # fmt: skip
def test_names_become_files(names, written, file):
    assert names.file_name(written) == file


def test_names_with_the_whole_path(names, tmp_path):
    assert names.file_name(f"{tmp_path}/sub/c.jpeg") == "sub/c.jpeg"
