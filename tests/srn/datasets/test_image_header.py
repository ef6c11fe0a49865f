import io

import numpy as np
import pytest
from PIL import Image

from caffe_compat.srn.datasets.image_header import ImageHeader, read_header
from tests.srn.datasets.synthetic_images import ORIENTATION, cmyk, encode, pixels, rotated


def test_size_of_jpeg_and_png():
    picture = pixels(1, height=21, width=34)
    assert read_header(encode(picture)) == ImageHeader(34, 21)
    assert read_header(encode(picture, ".png")) == ImageHeader(34, 21)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_orientation(kind, orientation):
    assert read_header(rotated(2, orientation, kind)) == ImageHeader(56, 40, orientation)


def test_orientation_in_little_endian():
    exif = Image.Exif()
    exif.endian = "<"
    exif[ORIENTATION] = 8
    file = io.BytesIO()
    Image.fromarray(pixels(3)).save(file, "JPEG", exif=exif)
    assert read_header(file.getvalue()).orientation == 8


@pytest.mark.parametrize("block", [b"", b"XX*\0\0\0\0\x08", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0"])
def test_orientation_that_cannot_be_is_none(block):
    whole = encode(pixels(4))
    content = b"Exif\0\0" + block
    segment = b"\xff\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content  # with a fill byte before
    assert read_header(whole[:2] + segment + whole[2:]).orientation == 1


def test_cmyk():
    assert read_header(cmyk(5)).cmyk
    assert not read_header(encode(pixels(5))).cmyk


def test_progressive_jpeg_has_another_start_of_frame():
    file = io.BytesIO()
    Image.fromarray(pixels(6, height=17, width=50)).save(file, "JPEG", progressive=True)
    assert read_header(file.getvalue()) == ImageHeader(50, 17)


def test_other_and_cut_files_say_nothing():
    whole = encode(pixels(7))
    assert read_header(b"BM" + bytes(60)) == ImageHeader()
    assert read_header(encode(pixels(7), ".png")[:20]) == ImageHeader()
    assert {read_header(whole[:end]).height for end in range(0, len(whole), 7)} <= {0, 40}


def test_noise_never_breaks_the_reader():
    random = np.random.default_rng(8)
    for start in (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\x00\x40Exif\0\0MM\0*"):
        for _ in range(50):
            read_header(start + random.bytes(90))
