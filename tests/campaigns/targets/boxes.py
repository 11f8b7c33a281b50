"""Files of people's boxes in a video."""

from pathlib import Path

import numpy as np

HEADER = "frame,track,x,y,w,h"
FILES = {
    "plain": f"{HEADER}\n0,1,5,5,20,40\n1,1,6,5,20,40\n3,2,30,4,21.5,40.5\n",
    "quoted": '\ufeff"frame", "track",x,y,w,h,confidence\n2,"anna, at the door",-3,0,20,40,0.9\n',
    "mot": "1,1,5,5,20,40,0.9,-1,-1,-1\n2,1,6,5,20,40,0.8,-1,-1,-1\n",
    "tabs": "frame\tid\tleft\ttop\twidth\theight\n1\t1\t5\t5\t20,5\t40\n",
    "json": '{"images": [{"id": 3, "frame_id": 0}], "annotations": '
    '[{"image_id": 3, "track_id": 1, "bbox": [5, 5, 20, 40]}]}',
    "tracks": '{"annotations": [{"id": 1, "video_id": 1, "bboxes": [[5, 5, 20, 40], null]}]}',
}


def samples(folder: Path) -> list[Path]:
    """Write files of boxes."""
    paths = []
    for name, text in FILES.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def read(path: Path) -> None:
    """Read the boxes, which must then be whole pixels of numbered frames."""
    from opengait_ext.search.boxes import read_boxes

    for rows in read_boxes(path).tracks.values():
        assert (rows[:, 0] >= 0).all() and (rows[:, 3:] >= 1).all()
        assert (np.diff(rows[:, 0]) > 0).all()
