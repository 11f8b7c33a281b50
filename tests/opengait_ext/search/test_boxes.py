"""Files of boxes: what they must hold, and what a tracker writes instead."""

import logging

import pytest

from opengait.errors import DataError
from opengait_ext.search.boxes import read_boxes

HEADER = "frame,track,x,y,w,h\n"
MOT = "1,7,10.5,20,30,60,0.9,-1,-1,-1\n"


def write(folder, text):
    path = folder / "b.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_boxes_by_track_and_frame(tmp_path):
    text = "\ufeff Frame , track,x,y,w,h,conf\n5,b,1.4,2,30,40,.9\n0,a,-3,0,20.6,40,.8\n\n2,b,1,2,30,40,.7\n"
    boxes = read_boxes(write(tmp_path, text))
    assert list(boxes) == ["b", "a"]
    assert boxes["b"] == [(2, 1, 2, 30, 40), (5, 1, 2, 30, 40)] and boxes["a"] == [(0, -3, 0, 21, 40)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (MOT, "add the line frame,track,x,y,w,h .* subtract 1"),
        (HEADER + MOT, "line 2: expected one value per column"),
        (HEADER + "0,1,5,5,inf,20\n", "line 2: .* w 'inf'"),
        (HEADER + "0,1,nan,5,10,20\n", "line 2: .* x 'nan'"),
        (HEADER + "0,1,5,5,1e999,20\n", "line 2: .* w '1e999'"),
        (HEADER + "\u2460,1,5,5,10,20\n", "line 2: .* frame '\u2460'"),
        (HEADER + "1.5,1,5,5,10,20\n", "line 2 .* frame 1.5"),
        (HEADER + "-1,1,5,5,10,20\n", "line 2 .* frame -1"),
        (HEADER + "0,1,5,5,-10,20\n", "line 2 .* width -10"),
        (HEADER + "0,1,0.1,0.1,0.8,0.8\n", "0.8, which are shares"),
        (HEADER + "0,1,0,0,1,1\n", "1, which are shares"),
        (HEADER + "0,1,5,5,10,20\n1,1,5,5,0.3,20\n", "line 3 .* narrower"),
        (HEADER + "0,1,5,5,10,20\n0,1,6,5,10,20\n", "line 3: track '1' already .* frame 0"),
        (HEADER + "0, ,5,5,10,20\n", "line 2: the box has no track"),
        (HEADER + "0,1,5,5\n", "line 2: expected one value"),
        (HEADER, "has no boxes"),
        ("", "no column 'frame'"),
        (HEADER.replace(",", ";") + "0;1;5;5;10;20\n", "separated by commas"),
        ("frame,track,x,y,w,w,h\n0,1,5,5,10,10,20\n", "two columns"),
        (HEADER.encode() + b"0,\xff,5,5,10,20\n", "b.csv"),
        (HEADER.encode("utf-16"), "b.csv"),
        (HEADER + '0,"1,5,5,10,20\n', "b.csv"),
        (HEADER + "0," + "9" * 200_000 + ",5,5,10,20\n", "b.csv"),
    ],
)
def test_other_files_are_refused(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read_boxes(write(tmp_path, text))


@pytest.mark.parametrize(("frame", "warned"), [(1, True), (0, False), (2, False)])
def test_frames_that_seem_to_count_from_one_are_pointed_out(tmp_path, caplog, frame, warned):
    with caplog.at_level(logging.WARNING, "opengait"):
        read_boxes(write(tmp_path, f"{HEADER}{frame},1,5,5,10,20\n{frame + 1},1,5,5,10,20\n"))
    assert ("subtract 1" in caplog.text) == warned
