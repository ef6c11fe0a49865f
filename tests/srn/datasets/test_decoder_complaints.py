import os

import cv2
import numpy as np
import pytest

from caffe_compat.srn.datasets.decoder_complaints import decoder_complaints
from tests.srn.datasets.synthetic_images import damaged


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
