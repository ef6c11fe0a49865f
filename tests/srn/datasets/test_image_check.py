import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from caffe_compat.srn.datasets import image_check
from caffe_compat.srn.datasets.image_check import CheckedImage, check_image, decoder_complaints, upright
from caffe_compat.srn.datasets.samples import Finding
from tests.data.made_files import decode_picture
from tests.srn.datasets.synthetic_images import damaged, encode, odd_images, pixels, rotated


def checked_image(encoded: bytes) -> CheckedImage:
    checked = check_image(encoded)
    assert isinstance(checked, CheckedImage)
    return checked


def test_a_plain_image_is_as_opencv_reads_it():
    encoded = encode(pixels(1))
    checked = checked_image(encoded)
    assert checked.findings == ()
    np.testing.assert_array_equal(checked.pixels, decode_picture(encoded))


@pytest.mark.parametrize(
    ("name", "findings"),
    [
        ("grey.jpg", [("grey", "three equal channels")]),
        ("alpha.png", [("alpha", "dropped")]),
        ("sixteen.png", [("16 bits", "rounded to 8")]),
        ("cmyk.jpg", [("CMYK", "converted to blue, green, red")]),
        ("rotated.jpg", [("rotated", "EXIF orientation 6, turned upright")]),
        ("damaged.jpg", [("decoder warning", "Corrupt JPEG data: premature end of data segment")]),
    ],
)
def test_odd_images_become_upright_colour(name, findings):
    encoded = odd_images()[name]
    checked = checked_image(encoded)
    expected = decode_picture(encoded)
    assert checked.findings == tuple(Finding(*finding) for finding in findings)
    assert (checked.pixels.dtype, checked.pixels.flags.c_contiguous) == (np.dtype(np.uint8), True)
    np.testing.assert_array_equal(checked.pixels, expected)


def test_sixteen_bits_are_rounded():
    values = np.array([[0, 128, 129, 65535 - 129, 65535 - 128, 65535]], np.uint16)
    checked = checked_image(encode(values, ".png"))
    np.testing.assert_array_equal(checked.pixels[0, :, 0], np.round(values[0] / 257))
    assert [finding.kind for finding in checked.findings] == ["16 bits", "grey"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_opencv_does(orientation):
    encoded = rotated(3, orientation)
    expected = decode_picture(encoded)
    stored = decode_picture(encoded, cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(upright(stored, orientation), expected)
    np.testing.assert_array_equal(checked_image(encoded).pixels, expected)


@pytest.mark.parametrize(
    ("name", "kind", "detail"),
    [
        ("truncated.jpg", "truncated", "bytes; OpenCV cannot decode them"),
        ("corrupt.png", "corrupt", "bytes; libpng error: IDAT: "),
        ("empty.jpg", "empty", "the file has no bytes"),
        ("text.jpg", "corrupt", "51 bytes; OpenCV cannot decode them"),
    ],
)
def test_unusable_files_say_why(name, kind, detail):
    finding = check_image(odd_images()[name])
    assert isinstance(finding, Finding)
    assert finding.kind == kind
    assert detail in finding.detail


def test_floating_point_pixels_are_refused():
    encoded = encode(np.ones((4, 5), np.float32), ".tiff")
    assert check_image(encoded) == Finding("unsupported pixels", "float32; convert the image to 8 or 16 bits")


@pytest.mark.parametrize(("limit", "by"), [(200 * 120, 1), (200 * 120 - 1, 2), (200 * 30 - 1, 4), (100, 8)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_huge_images_are_read_smaller(monkeypatch, limit, by, suffix):
    monkeypatch.setattr(image_check, "HUGE_PIXELS", limit)
    checked = checked_image(encode(pixels(4, height=120, width=200), suffix))
    assert checked.pixels.shape == (120 // by, 200 // by, 3)
    expected = () if by == 1 else (Finding("huge", f"200 x 120 pixels, read at 1/{by}"),)
    assert checked.findings == expected


def test_a_huge_image_is_turned_once(monkeypatch):
    monkeypatch.setattr(image_check, "HUGE_PIXELS", 1000)
    checked = checked_image(rotated(5, 6))
    assert checked.pixels.shape == (28, 20, 3)
    assert [finding.kind for finding in checked.findings] == ["huge", "rotated"]


def test_more_pixels_than_opencv_allows():
    whole = bytearray(encode(pixels(6), ".png"))
    whole[16:24] = (2**17).to_bytes(4, "big") * 2
    finding = check_image(bytes(whole), most_pixels=2**40)
    assert isinstance(finding, Finding)
    assert finding.kind == "corrupt"


def test_palettes_and_grey_with_alpha():
    file = io.BytesIO()
    Image.fromarray(pixels(7)).quantize(8).save(file, "PNG")
    assert isinstance(check_image(file.getvalue()), CheckedImage)
    file = io.BytesIO()
    Image.fromarray(pixels(7, channels=2), "LA").save(file, "PNG")
    assert [finding.kind for finding in checked_image(file.getvalue()).findings] == ["alpha"]


@pytest.mark.parametrize(
    ("suffix", "most"),
    [(".png", 2239), (".jpg", 2239), (".bmp", 2239), (".tiff", 2239), (".webp", 2239), (".png", 2240)],
)  # 40 x 56 is 2240
def test_a_header_that_promises_too_many_pixels(suffix, most):
    found = check_image(encode(pixels(6), suffix), most_pixels=most)
    if most == 2240:
        assert not isinstance(found, Finding)
    else:
        assert found == Finding("too many pixels", "56 x 40 pixels, more than 2,239; --max-pixels allows more")


def test_what_decoders_print_is_caught(capfd):
    with decoder_complaints() as first:
        cv2.imdecode(np.frombuffer(damaged(1), np.uint8), cv2.IMREAD_UNCHANGED)
    with decoder_complaints() as second:
        pass
    assert first == ["Corrupt JPEG data: premature end of data segment"]
    assert second == []
    assert capfd.readouterr().err == ""


def test_the_prefix_of_opencv_goes(capfd):
    with decoder_complaints() as lines:
        os.write(2, b"[ WARN:0@0.088] global grfmt_png.cpp:793 read the file is incomplete\n\n")
    assert lines == ["read the file is incomplete"]


def test_the_stream_is_back_even_after_an_error(capfd):
    with pytest.raises(ZeroDivisionError), decoder_complaints():
        _ = 1 / 0
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_a_png_whose_part_declares_gigabytes_is_not_decoded() -> None:
    content = cv2.imencode(".png", np.zeros((6, 5, 3), np.uint8))[1].tobytes()
    found = check_image(content[:33] + b"\xff\xff\xff\xff" + content[37:])
    assert isinstance(found, Finding)
    assert "a part of the PNG declares 4294967295 bytes" in found.detail
