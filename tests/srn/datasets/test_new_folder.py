import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.new_folder import new_folder


def test_the_folder_appears_when_the_block_ends_well(tmp_path):
    with new_folder(tmp_path / "new") as beside:
        (beside / "file").write_text("content")
        assert not (tmp_path / "new").exists()

    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert (tmp_path / "new" / "file").read_text() == "content"


def test_nothing_is_left_when_the_block_fails(tmp_path):
    with pytest.raises(IsADirectoryError), new_folder(tmp_path / "new") as beside:
        (beside / "..").resolve().read_text()

    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path):
    with pytest.raises(DataError, match=r"^.*: exists already; remove it or name another place"), new_folder(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(DataError, match=r"^.*: cannot write here: "),
        new_folder(tmp_path / "file" / "new"),
    ):
        pass
