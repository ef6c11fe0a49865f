import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.datums import datum_pixels, parse_datum
from caffe_compat.srn.datasets.outcomes import LabelRules, PictureRules, outcome_of
from caffe_compat.srn.datasets.samples import Finding, PictureBox, Sample
from tests.data.made_files import decode_picture, read_picture
from tests.srn.datasets.synthetic_images import encode, pixels, write_image

LABELS = np.array([1, 0, -1, 1, 0], np.int8)


@pytest.fixture
def sample(tmp_path):
    write_image(tmp_path / "raw" / "a.jpg", 1)
    return Sample("sub/a.jpg", str(tmp_path / "raw" / "a.jpg"), LABELS)


def decoded(encoded):
    return decode_picture(encoded, cv2.IMREAD_UNCHANGED)


def outcome(sample, tmp_path, training=True, **rules):
    return outcome_of(sample, PictureRules(**rules), tmp_path / "images", training)


def image(result):
    return parse_datum(result.image, "image")


def test_images_are_resized_as_convert_imageset_does(sample, tmp_path):
    result = outcome(sample, tmp_path, size=48)
    datum = image(result)
    expected = cv2.imencode(".jpg", cv2.resize(read_picture(sample.path), (48, 48)))[1].tobytes()
    assert (datum.encoded, datum.label, datum.data) == (True, 2, expected)
    assert (result.kept, result.tags, result.findings) == (True, 2, ())
    assert not (tmp_path / "images").exists()


def test_an_image_that_needs_no_change_stays_as_it_is(sample, tmp_path):
    with open(sample.path, "rb") as file:
        assert image(outcome(sample, tmp_path, size=0)).data == file.read()


def test_an_odd_image_of_its_own_size_is_encoded_anew(sample, tmp_path):
    grey = pixels(2, channels=1)
    with open(sample.path, "wb") as file:
        file.write(encode(grey))
    result = outcome(sample, tmp_path, size=0)
    assert decoded(image(result).data).shape == (40, 56, 3)
    assert [finding.kind for finding in result.findings] == ["grey"]


@pytest.mark.parametrize(
    ("name", "encode_type", "start"),
    [
        ("a.JPEG", "", b"\xff\xd8"),
        ("a.bmp", "", b"\x89PNG"),
        ("a.bmp", "jpg", b"\xff\xd8"),
        ("a.jpg", "png", b"\x89PNG"),
    ],
)
def test_encodings(sample, tmp_path, name, encode_type, start):
    result = outcome(sample._replace(name=name), tmp_path, encode_type=encode_type)
    assert image(result).data.startswith(start)


def test_raw_pixels(sample, tmp_path):
    datum = image(outcome(sample, tmp_path, size=31, encoded=False))
    assert (datum.encoded, datum.channels, datum.height, datum.width) == (False, 3, 31, 31)
    np.testing.assert_array_equal(datum_pixels(datum, -1, ""), cv2.resize(read_picture(sample.path), (31, 31)))


@pytest.mark.parametrize(
    ("rules", "training", "line", "record"),
    [
        (LabelRules(), True, "1 0 -1 1 0", [1, 0, 0, 1, 0]),
        (LabelRules(keep_unknown=True), True, "1 0 -1 1 0", [1, 0, -1, 1, 0]),
        (LabelRules(keep_unknown=True), False, "1 0 -1 1 0", [1, 0, -1, 1, 0]),
        (LabelRules(released_codes=True), True, "1 0 0 1 0", [1, 0, 0, 1, 0]),
        (LabelRules(released_codes=True), False, "1 -1 0 1 -1", [1, 0, 0, 1, 0]),
    ],
)  # of present, absent, unknown, present, absent
def test_labels(sample, tmp_path, rules, training, line, record):
    result = outcome_of(sample, PictureRules(), tmp_path, training, rules)
    label = parse_datum(result.label, "label")
    assert (label.channels, label.height, label.width, label.label) == (5, 1, 1, 2)
    assert list(label.float_data) == record
    assert result.label_line == line


@pytest.mark.parametrize(("training", "side"), [(True, 40), (False, 35)])
def test_other_splits_have_pictures_of_their_own_size(sample, tmp_path, training, side):
    result = outcome_of(sample, PictureRules(size=40, test_size=35), tmp_path, training)
    assert decoded(image(result).data).shape == (side, side, 3)


def test_a_device_in_place_of_an_image(sample, tmp_path):
    assert outcome(sample._replace(path="/dev/zero"), tmp_path).findings == (
        Finding("unreadable", "expected a file, found a device"),
    )


def test_pictures_for_the_folder_have_a_size_of_their_own(sample, tmp_path):
    result = outcome(sample, tmp_path, folder=True, database=False, folder_size=24)
    assert result.image == b""
    assert [path.name for path in (tmp_path / "images" / "sub").iterdir()] == ["a.jpg"]
    assert read_picture(tmp_path / "images" / "sub" / "a.jpg").shape == (24, 24, 3)
    outcome(sample, tmp_path, folder=True)
    with open(sample.path, "rb") as file:
        assert (tmp_path / "images" / "sub" / "a.jpg").read_bytes() == file.read()


@pytest.mark.parametrize(
    ("box", "rows", "columns", "cut"),
    [
        ((3, 5, 20, 11), (5, 16), (3, 23), False),
        ((2.6, 4.4, 20, 11), (4, 15), (3, 23), False),
        ((-4, 30, 20, 11), (30, 40), (0, 16), True),
        ((50, -1, 20, 100), (0, 40), (50, 56), True),
    ],
)
def test_boxes_are_cut_out(sample, tmp_path, box, rows, columns, cut):
    result = outcome(sample._replace(name="a.png", box=PictureBox(*box)), tmp_path, size=0)
    whole = read_picture(sample.path)
    np.testing.assert_array_equal(decoded(image(result).data), whole[slice(*rows), slice(*columns)])
    assert [finding.kind for finding in result.findings] == ["box cut"] * cut


@pytest.mark.parametrize("box", [(56, 3, 4, 4), (3, -9, 5, 9), (3, 4, 0, 5), (3, 4, 5, -2), (3, 4, 0.2, 5)])
def test_boxes_without_a_pixel(sample, tmp_path, box):
    result = outcome(sample._replace(box=PictureBox(*box)), tmp_path)
    assert not result.kept
    assert result.findings[0].kind == "box outside"
    assert "in 56 x 40 pixels" in result.findings[0].detail


def test_missing_and_unreadable_files(sample, tmp_path):
    missing = outcome(sample._replace(path=str(tmp_path / "b.jpg")), tmp_path)
    assert (missing.kept, missing.findings) == (False, (Finding("missing", f"no file {tmp_path / 'b.jpg'}"),))
    assert outcome(sample._replace(path=str(tmp_path)), tmp_path).findings[0].kind == "unreadable"


def test_a_sample_that_is_not_wanted_is_not_read(sample, tmp_path):
    finding = Finding("untagged", "none of the concepts")
    assert outcome(sample._replace(left_out=finding, path="nowhere"), tmp_path).findings == (finding,)


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("/a.jpg", "it must count from the folder of images"),
        ("a/../../b.jpg", "it must count from the folder of images"),
        ("a\nb.jpg", "a line of an image list cannot hold it"),
        (" a.jpg", "a line of an image list cannot hold it"),
        ("a\udcff.jpg", "a line of an image list cannot hold it"),
        ("a\0.jpg", "a line of an image list cannot hold it"),
        ("", "a line of an image list cannot hold it"),
        ("a" * 503, "longer than 511 bytes"),
    ],
)
def test_names_that_the_layout_cannot_hold(sample, tmp_path, name, detail):
    result = outcome(sample._replace(name=name), tmp_path)
    assert (result.kept, result.findings[0].kind) == (False, "bad name")
    assert detail in result.findings[0].detail


@pytest.mark.parametrize("name", ["図 1.jpg", "é\u3000x.jpg", "a" * 502, "photo 4"])
def test_names_of_any_language(sample, tmp_path, name):
    assert outcome(sample._replace(name=name), tmp_path).kept
