"""CSV files of people's boxes in a video."""

from pathlib import Path

HEADER = "frame,track,x,y,w,h"
FILES = {
    "plain": f"{HEADER}\n0,1,5,5,20,40\n1,1,6,5,20,40\n3,2,30,4,21.5,40.5\n",
    "quoted": '\ufeff"frame", "track",x,y,w,h,confidence\n2,"anna, at the door",-3,0,20,40,0.9\n',
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

    for boxes in read_boxes(path).values():
        assert all(frame >= 0 and w >= 1 and h >= 1 for frame, _, _, w, h in boxes)
        assert len({box[0] for box in boxes}) == len(boxes)
