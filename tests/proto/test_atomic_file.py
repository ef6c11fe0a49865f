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


@pytest.mark.parametrize("place", ["absent/a.txt", "."])
def test_an_error_names_the_file_that_was_asked_for(place, tmp_path) -> None:
    path = tmp_path / place
    with pytest.raises(OSError, match=rf"'{path}'$"), replacing(path) as beside:
        beside.write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_errors_about_other_files_stay(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other'$"), replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()
