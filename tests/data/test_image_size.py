"""Images that declare more pixels than the limit are refused before they are decoded."""

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image

from caffe_compat.data.image_size import DEFAULT_MOST_PIXELS, declared_size, require_pixels, set_most_pixels
from caffe_compat.data.sources.datums import decode_image
from caffe_compat.errors import DataError


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    yield
    set_most_pixels(DEFAULT_MOST_PIXELS)


def png_header(height: int, width: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tiff", "webp", "ppm", "gif"])
def test_the_size_is_read_from_the_header(kind: str) -> None:
    pixels = np.random.RandomState(1).randint(0, 256, (7, 13, 3), np.uint8)
    if kind == "gif":
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "GIF")
        content = encoded.getvalue()
    else:
        content = cv2.imencode(f".{kind}", pixels)[1].tobytes()
    assert declared_size(content) == (7, 13)
    assert declared_size(memoryview(content)) == (7, 13)


def test_jpegs_with_other_segments_before_their_frame() -> None:
    plain = cv2.imencode(".jpg", np.zeros((5, 9, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    segments = b"\xff\xe1\x00\x08Exif\x00\x00" + b"\xff\xff\xfe\x00\x04hi" + b"\xff\x01"
    assert declared_size(plain[:2] + segments + plain[2:]) == (5, 9)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\x00\x00" * 9, b"\x89PNG\r\n\x1a\n", b"no image" * 9])
def test_without_a_header_the_decoder_decides(content: bytes) -> None:
    assert declared_size(content) is None
    with pytest.raises(DataError, match=r"^x: could not decode the image \(\d+ bytes\)"):
        decode_image(content, cv2.IMREAD_COLOR, "x")


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    message = (
        r"^x: the file declares an image of 40000 x 50000 pixels, above the limit of 100000000; give --max-pixels to"
    )
    with pytest.raises(DataError, match=message):
        decode_image(png_header(50_000, 40_000), cv2.IMREAD_COLOR, "x")


def test_a_png_holds_no_more_than_its_compression_can_pack() -> None:
    message = r"^x: the file declares an image of 8 x 9000000 pixels, more than its 33 bytes can hold; it is damaged"
    with pytest.raises(DataError, match=message):
        decode_image(png_header(9_000_000, 8), cv2.IMREAD_COLOR, "x")
    flat = cv2.imencode(".png", np.zeros((3000, 3000), np.uint8))[1].tobytes()
    assert decode_image(flat, cv2.IMREAD_GRAYSCALE, "x").shape == (3000, 3000, 1)


def test_pillows_own_limit_is_not_ours() -> None:
    bitmap = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**20, 2**19, 1, 24, 0, 0, 0, 0, 0, 0)
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(DataError, match=r"^x: the file declares an image of 1048576 x 524288 pixels, above the limit"):
        decode_image(bitmap, cv2.IMREAD_COLOR, "x")
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 20000\n", (30_000, 20_000)),
        (b"P7\nHEIGHT 30000\nWIDTH 20000\nDEPTH 3\nMAXVAL 255\nENDHDR\n", (30_000, 20_000)),
        (b"P7\nWIDTH 20000\nHEIGHT 30000\nDEPTH 3\nMAXVAL 255\nENDHDR\n", (30_000, 20_000)),
        (b"PF\n20000 30000\n-1.0\n", (30_000, 20_000)),
    ],
)
def test_formats_that_pillow_does_not_know(header: bytes, size: tuple[int, int]) -> None:
    assert declared_size(header) == size
    with pytest.raises(DataError, match=r"^x: the file declares an image of 20000 x 30000 pixels, above the limit"):
        decode_image(header, cv2.IMREAD_COLOR, "x")


@pytest.mark.parametrize("kind", ["hdr", "pam", "pfm"])
def test_their_good_files_have_their_size(kind: str) -> None:
    pixels = np.zeros((7, 13, 3), np.uint8 if kind == "pam" else np.float32)
    assert declared_size(cv2.imencode(f".{kind}", pixels)[1].tobytes()) == (7, 13)


def test_the_limit_can_be_set() -> None:
    content = cv2.imencode(".png", np.zeros((6, 5, 3), np.uint8))[1].tobytes()
    set_most_pixels(29)
    with pytest.raises(DataError, match="of 5 x 6 pixels, above the limit of 29"):
        decode_image(content, cv2.IMREAD_COLOR, "x")
    set_most_pixels(30)
    assert decode_image(content, cv2.IMREAD_COLOR, "x").shape == (6, 5, 3)
    with pytest.raises(DataError, match=r"^--max-pixels 0: expected a number of pixels above 0"):
        set_most_pixels(0)


def test_sizes_that_a_prototxt_asks_for_have_the_same_limit() -> None:
    require_pixels(10_000, 10_000, "x")
    with pytest.raises(DataError, match=r"^x of 20000 x 10000 pixels, above"):
        require_pixels(10_000, 20_000, "x")


def test_a_part_of_a_png_that_declares_gigabytes_is_refused() -> None:
    content = cv2.imencode(".png", np.zeros((6, 5, 3), np.uint8))[1].tobytes()
    damaged = content[:33] + b"\xff\xff\xff\xff" + content[37:]
    message = rf"^x: a part of the PNG declares 4294967295 bytes, the file holds {len(content)}; it is damaged: copy"
    with pytest.raises(DataError, match=message):
        decode_image(damaged, cv2.IMREAD_COLOR, "x")
    assert decode_image(content, cv2.IMREAD_COLOR, "x").shape == (6, 5, 3)
