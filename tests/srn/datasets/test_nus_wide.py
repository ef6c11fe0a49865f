import numpy as np
import pytest
from scipy.io import savemat

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.nus_wide import NOT_ACCESSIBLE, UNTAGGED, Accessible, nus_wide
from tests.srn.datasets.synthetic_nus_wide import CONCEPTS, IMAGES, write_nus_wide


@pytest.mark.parametrize("labels", ["TrainTestLabels", "AllLabels"])
@pytest.mark.parametrize("concepts", ["Concepts81.txt", "ConceptsList/Concepts81.txt"])
def test_both_kinds_of_label_files(tmp_path, labels, concepts):
    root, images = write_nus_wide(tmp_path, labels, concepts)
    source = nus_wide(root, images, {})
    assert source.class_names == CONCEPTS
    for split, listed in (("train", "Train"), ("test", "Test")):
        samples = list(source.splits[split]())
        assert [sample.name for sample in samples] == [name.replace("\\", "/") for name in IMAGES[listed]]
        np.testing.assert_array_equal([sample.labels for sample in samples], list(IMAGES[listed].values()))
        assert samples[0].path == str(images / samples[0].name)


def test_untagged_images_are_not_wanted(tmp_path):
    source = nus_wide(*write_nus_wide(tmp_path), {})
    assert [sample.left_out for sample in source.splits["train"]()] == [None, UNTAGGED, None, None, None]
    assert [sample.left_out for sample in source.splits["test"]()] == [None, None, None, UNTAGGED]


def test_the_index_of_accessible_images_is_honoured(tmp_path):
    root, images = write_nus_wide(tmp_path / "raw")
    savemat(tmp_path / "nus_test_accessible.mat", {"idx_final_test": np.array([[1], [3], [4]])})
    (tmp_path / "train.txt").write_text("0\n1\n0\n1\n1\n")
    accessible = {
        "test": Accessible(tmp_path / "nus_test_accessible.mat"),
        "train": Accessible(tmp_path / "train.txt"),
    }
    splits = nus_wide(root, images, accessible).splits
    assert [sample.left_out for sample in splits["test"]()] == [None, NOT_ACCESSIBLE, None, UNTAGGED]
    assert [sample.left_out for sample in splits["train"]()] == [NOT_ACCESSIBLE, UNTAGGED, NOT_ACCESSIBLE, None, None]


def test_the_index_may_count_another_list(tmp_path):
    root, images = write_nus_wide(tmp_path / "raw")
    names = [name.replace("\\", "/") for name in IMAGES["Test"]]
    (tmp_path / "list.txt").write_text(f"{names[2]} 1\n{names[0]} 3\n")
    (tmp_path / "index.txt").write_text("1\n")
    accessible = {"test": Accessible(tmp_path / "index.txt", tmp_path / "list.txt")}
    left_out = [sample.left_out for sample in nus_wide(root, images, accessible).splits["test"]()]
    assert left_out == [NOT_ACCESSIBLE, NOT_ACCESSIBLE, None, UNTAGGED]

    (tmp_path / "list.txt").write_text("Flickr/a.jpg\n")
    with pytest.raises(
        DataError,
        match=r"^.*/list.txt: expected names of .*TestImagelist.txt, found 1 others, such as 'Flickr/a.jpg'; both",
    ):
        nus_wide(root, images, accessible).splits["test"]()


def test_label_files_of_another_length(tmp_path):
    root, images = write_nus_wide(tmp_path)
    path = root / "Groundtruth" / "TrainTestLabels" / "Labels_beach_Train.txt"
    path.write_text("0\n1\n0\n")
    with pytest.raises(
        ShapeError, match=r"^.*Labels_beach_Train.txt: expected 5 lines, as the image list has, found 3"
    ):
        nus_wide(root, images, {}).splits["train"]()


def test_label_files_of_something_else(tmp_path):
    root, images = write_nus_wide(tmp_path)
    path = root / "Groundtruth" / "TrainTestLabels" / "Labels_sky_Test.txt"
    path.write_text("0\n1\n2\n0\n")
    with pytest.raises(DataError, match=r"^.*Labels_sky_Test.txt, line 3: expected 0 or 1, found '2'"):
        nus_wide(root, images, {}).splits["test"]()


def test_a_split_whose_names_are_not_in_the_whole_list(tmp_path):
    root, images = write_nus_wide(tmp_path, "AllLabels")
    (root / "ImageList" / "TestImagelist.txt").write_text("sky\\9.jpg\n")
    with pytest.raises(DataError, match=r"^.*Imagelist.txt: expected 'sky/9.jpg', which the test list names, found no"):
        nus_wide(root, images, {}).splits["test"]()


def test_missing_parts(tmp_path):
    with pytest.raises(DataError, match=r"^.*: expected Concepts81.txt or ConceptsList/Concepts81.txt, found none of"):
        nus_wide(tmp_path, tmp_path, {})
    root, images = write_nus_wide(tmp_path)
    (root / "ImageList" / "TestImagelist.txt").unlink()
    with pytest.raises(DataError, match=r"^.*TestImagelist.txt: cannot read it \(No such file or directory\); --root"):
        nus_wide(root, images, {}).splits["test"]()


def test_a_list_that_is_no_text(tmp_path):
    root, images = write_nus_wide(tmp_path)
    (root / "ImageList" / "TestImagelist.txt").write_bytes(b"sky\\9.jpg\n\xff\xfe")
    with pytest.raises(DataError, match=r"^.*TestImagelist.txt: expected text, found .*; unpack the archive again$"):
        nus_wide(root, images, {}).splits["test"]()


def test_all_images_in_one_folder(tmp_path):
    write_nus_wide(tmp_path)
    flat = tmp_path / "images"
    flat.mkdir()
    for path in (tmp_path / "Flickr").rglob("*.jpg"):
        (flat / path.name).write_bytes(path.read_bytes())
    listed, found = (list(nus_wide(tmp_path, root, {}).splits["test"]()) for root in (tmp_path / "Flickr", flat))
    assert [sample.name for sample in found] == [sample.name.rpartition("/")[2] for sample in listed]
    assert [sample.path for sample in found] == [str(flat / sample.name) for sample in found]

    lines = (tmp_path / "ImageList" / "TestImagelist.txt").read_text().splitlines()
    again = "other\\" + lines[0].rpartition("\\")[2]
    (tmp_path / "ImageList" / "TestImagelist.txt").write_text("\n".join([*lines[:-1], again]) + "\n")
    with pytest.raises(
        DataError, match=r"^.*images: expected folders of images, or a name of its own for each, found '"
    ):
        nus_wide(tmp_path, flat, {}).splits["test"]()
