import pytest

from caffe_compat.proto.atomic_file import replacing


def test_the_file_takes_its_place_at_the_end(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_survives_an_error(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_asked_for(tmp_path) -> None:
    with pytest.raises(OSError, match=rf"'{tmp_path}'$"), replacing(tmp_path) as beside:
        beside.write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_before_anything_is_written(tmp_path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=rf"no such folder for 'a.txt'; make it first: '{tmp_path}/absent'$"),
        replacing(tmp_path / "absent" / "a.txt"),
    ):
        pytest.fail("the block ran")


def test_errors_about_other_files_stay(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other'$"), replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()
