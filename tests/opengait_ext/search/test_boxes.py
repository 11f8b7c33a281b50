"""Files of boxes: the formats that trackers write, and what is refused."""

import json
import logging
import re

import pytest

from opengait.errors import DataError
from opengait_ext.search.boxes import read_boxes
from tests.paths import ROOT

HEADER = "frame,track,x,y,w,h\n"
MOT = "1,7,10.4,20,30,60,0.9,-1,-1,-1\n3,7,12,20,30,60,0.9,-1,-1,-1\n1,8,200,20,30,60,1,-1,-1,-1\n"
EXPECTED = {"7": [[0, 10, 20, 30, 60], [2, 12, 20, 30, 60]], "8": [[0, 200, 20, 30, 60]]}


def write(folder, text):
    path = folder / "b.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(boxes):
    return {track: rows.tolist() for track, rows in boxes.tracks.items()}


def coco_video(**annotation):
    boxes = [(10, 7, [10.4, 20, 30, 60]), (12, 7, [12, 20, 30, 60]), (10, 8, [200, 20, 30, 60])]
    return {
        "videos": [{"id": 1, "name": "a"}, {"id": 2, "name": "day/b.mp4"}],
        "images": [{"id": 10 + n, "video_id": 2, "frame_id": n} for n in range(3)]
        + [{"id": 20, "video_id": 1, "frame_id": 0}],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "Person"}],
        "annotations": [
            {"image_id": image, "track_id": track, "category_id": 2, "bbox": box} | annotation
            for image, track, box in boxes
        ]
        + [
            {"image_id": 11, "track_id": 9, "category_id": 1, "bbox": [0, 0, 90, 40]},
            {"image_id": 20, "track_id": 9, "category_id": 2, "bbox": [0, 0, 20, 40]},
        ],
    }


TRACKS = {
    "videos": [{"id": 1, "file_names": ["1.jpg", "2.jpg", "3.jpg"]}],
    "annotations": [
        {"id": 7, "video_id": 1, "bboxes": [[10.4, 20, 30, 60], None, [12, 20, 30, 60]]},
        {"id": 8, "video_id": 1, "bboxes": [[200, 20, 30, 60], None, None]},
    ],
}


@pytest.mark.parametrize(
    "text",
    [
        MOT,
        MOT.replace(",", " "),
        MOT.replace(",7,", ",7.0e+00,"),
        MOT.replace(",", ", ").replace("\n", "\r\n"),
        "frame,id,bb_left,bb_top,bb_width,bb_height,conf,x,y,z\n" + MOT,
        "FrameId\tId\tX\tY\tWidth\tHeight\tConfidence\tA\tB\tC\n" + MOT.replace(",", "\t"),
        # Ground truth has a flag and a class; a box whose flag is 0 does not count.
        "1,7,10.4,20,30,60,1,1,0.9\n3,7,12,20,30,60,1,1,1\n1,8,200,20,30,60,1,1,1\n2,9,200,20,30,60,0,8,1\n",
        HEADER + "0,7,10.4,20,30,60\n2,7,12,20,30,60\n0,8,200,20,30,60\n",
        "\ufeffTrack;Frame;X;Y;W;H\n7;2;12;20;30;60\n7;0;10,4;20;30;60\n\n8;0;200,0;20;30;60\n",
        json.dumps(coco_video()),
        json.dumps(TRACKS),
    ],
)
def test_formats_of_trackers(tmp_path, text):
    assert rows_of(read_boxes(write(tmp_path, text), "b.mp4")) == EXPECTED


def test_boxes_by_track_and_frame(tmp_path):
    text = (
        '\ufeff Frame , "track",x,y,w,h,conf\n5,"b, c",1.4,2,30,40,.9\n0,a,-3,0,20.6,40,.8\n\n2,"b, c",1,2,30,40,.7\n'
    )
    boxes = rows_of(read_boxes(write(tmp_path, text)))
    assert list(boxes) == ["b, c", "a"]
    assert boxes["b, c"] == [[2, 1, 2, 30, 40], [5, 1, 2, 30, 40]] and boxes["a"] == [[0, -3, 0, 21, 40]]


def test_boxes_are_cut_to_the_picture_and_empty_ones_skipped_and_counted(tmp_path, caplog):
    rows = "0,1,-5,-5,20,40\n1,1,90,50,20,40\n2,1,120,0,20,40\n0,2,5,5,0.3,20\n1,2,5,5,-10,20\n0,3,0,0,100,60\n"
    boxes = read_boxes(write(tmp_path, HEADER + rows))
    with caplog.at_level(logging.WARNING, "opengait"):
        inside = boxes.inside((60, 100))
    assert rows_of(inside) == {"1": [[0, 0, 0, 15, 35], [1, 90, 50, 10, 10]], "3": [[0, 0, 0, 100, 60]]}
    assert inside.empty == 3 and "skipped 3 boxes" in caplog.text
    with pytest.raises(DataError, match=r"b\.csv: none of its boxes .*4 x 3 pixels"):
        read_boxes(write(tmp_path, HEADER + "0,1,5,5,20,40\n")).inside((3, 4))
    with caplog.at_level(logging.WARNING, "opengait"):
        read_boxes(write(tmp_path, HEADER + "0,1,300,200,360,330\n")).inside((480, 640))
    assert "not two corners" not in caplog.text
    with caplog.at_level(logging.WARNING, "opengait"):
        read_boxes(write(tmp_path, HEADER + "0,1,500,300,560,450\n")).inside((480, 640))
    assert "not two corners" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,-1,10,20,30,60,0.9,-1,-1,-1\n", "line 1: the box belongs to no track .* tracker"),
        (HEADER + MOT, "line 2: expected 6 values, got 10"),
        (HEADER + "0,1,5,5,inf,20\n", "line 2: .* w 'inf'"),
        (HEADER + "0,1,nan,5,10,20\n", "line 2: .* x 'nan'"),
        (HEADER + "0,1,5,5,1e999,20\n", "line 2: .* w '1e999'"),
        (HEADER + "0,1,5,5,1e12,20\n", "pixels, got 1e.12"),
        (HEADER + "1e30,1,5,5,10,20\n", "got 20 in frame 1e.30"),
        (HEADER + "\u2460,1,5,5,10,20\n", "line 2: .* frame '\u2460'"),
        (HEADER + "1.5,1,5,5,10,20\n", "line 2: .* got 1.5"),
        (HEADER + "-1,1,5,5,10,20\n", "line 2: .* got -1"),
        (HEADER + "0,1,5,5,-10,20\n", "1 boxes, all narrower"),
        (HEADER + "0,1,0.1,0.1,0.8,0.8\n", "0.8, which are shares"),
        (HEADER + "0,1,0,0,1,1\n", "1, which are shares"),
        ("1,1,0.4,0.3,0.1,1.02\n", "1.02, which are shares"),
        (HEADER + "0,1,5,5,10,20\n0,1,6,5,10,20\n", "track '1' has two boxes in frame 0"),
        (HEADER + "0, ,5,5,10,20\n", "line 2: the box has no track"),
        (HEADER + "0,1,5,5\n", "line 2: expected 6 values"),
        (MOT + "4,7,1,2\n", "line 4: expected 10 values, got 4"),
        (HEADER, "has no boxes"),
        ("", "has no boxes"),
        ("\n \n", "has no boxes"),
        ("frame,id,x,y\n", "no column 'w'"),
        ("frame,track,x,y,w,w,h\n0,1,5,5,10,10,20\n", "two columns"),
        (HEADER.encode() + b"0,\xff,5,5,10,20\n", "b.csv"),
        (HEADER.encode("utf-16"), "b.csv"),
        (HEADER + '0,"1,5,5,10,20\n', "b.csv"),
        (HEADER + "0," + "9" * 200_000 + ",5,5,10,20\n", "b.csv"),
        ('{"annotations": [', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "list of objects under 'annotations'"),
        (json.dumps(coco_video(track_id=None)), r"annotations\[0\]: the box has no `track_id`"),
        (json.dumps(coco_video(bbox=[1, 2, 3])), r"annotations\[0\]: expected a `bbox`"),
        (json.dumps(coco_video(image_id=99)), r"annotations\[0\]: expected the `image_id`"),
        (json.dumps(coco_video()).replace("frame_id", "f"), r"annotations\[0\]: expected the `frame_id`"),
        (json.dumps(coco_video()).replace("b.mp4", "c.mp4"), "2 videos, and none or several are called b.mp4"),
    ],
)
def test_other_files_are_refused(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read_boxes(write(tmp_path, text), "b.mp4")


@pytest.mark.parametrize(("frame", "warned"), [(1, True), (0, False), (2, False)])
def test_frames_that_seem_to_count_from_one_are_pointed_out(tmp_path, caplog, frame, warned):
    with caplog.at_level(logging.WARNING, "opengait"):
        read_boxes(write(tmp_path, f"{HEADER}{frame},1,5,5,10,20\n{frame + 1},1,5,5,10,20\n"))
    assert ("subtract 1" in caplog.text) == warned


def test_mot_files_with_a_frame_0_count_from_0(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "opengait"):
        boxes = read_boxes(write(tmp_path, "0,7,10,20,30,60\n2,7,12,20,30,60\n"))
    assert boxes.tracks["7"][:, 0].tolist() == [0, 2] and "counted from 0" in caplog.text


def test_the_examples_of_the_documentation_agree(tmp_path):
    page = (ROOT / "docs/your-own-footage.md").read_text(encoding="utf-8").partition("## Boxes")[2]
    examples = re.findall(r"```(?:text|json)\n(.*?)```", page, flags=re.S)
    read = [rows_of(read_boxes(write(tmp_path, example))) for example in examples]
    assert len(read) == 3 and "8" in read[0]
    assert all(boxes["7"] == [[0, 104, 52, 38, 110], [1, 108, 52, 38, 110]] for boxes in read)
