"""Videos of more than 8 bits, of which OpenCV would keep the upper ones."""

import cv2
import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.search.video import Video


def write(path, depth: int):
    options = [cv2.VIDEOWRITER_PROP_DEPTH, depth, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 10, (64, 128), options)
    if not writer.isOpened():
        pytest.skip("OpenCV cannot write such videos here")
    for number in range(3):
        writer.write(np.full((128, 64), 100 + number, np.uint16 if depth == cv2.CV_16U else np.uint8))
    writer.release()
    return Video(path, (64, 32))


def test_grey_videos_of_16_bits_are_refused_and_of_8_are_read(tmp_path):
    with pytest.raises(DataError, match=r"deep\.avi has grey frames of 16 bits"):
        write(tmp_path / "deep.avi", cv2.CV_16U).cut([(0, 0, 0, 9, 9)])
    assert write(tmp_path / "a.avi", cv2.CV_8U).cut([(2, 0, 0, 9, 9)]).shape == (1, 3, 64, 32)
