"""Boxes of people in COCO-video JSON, per image (CocoVID) or per track (YouTube-VIS).

CocoVID has images with `frame_id`, and annotations with `image_id`, `track_id` or `instance_id`, and `bbox`.
YouTube-VIS has one annotation per track, with `video_id` and `bboxes`, a box or null per frame. Frames count from 0.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from opengait.errors import DataError
from opengait_ext.search.box_tables import Row

PEOPLE = ("person", "pedestrian", "people", "human")


def read_json(text: str, name: str, video: str) -> Iterator[Row]:
    """Yield the boxes of people of one video.

    Args:
        text: the content of the file.
        name: the file, for messages.
        video: name of the video; if the file has several videos, one must have this name, with or without its ending.

    Raises:
        DataError: the file is not such JSON, lacks the video, or has boxes without tracks.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not valid JSON ({error}).") from error
    annotations = _objects(content, "annotations", name)
    chosen = _video_id(content, name, video)
    images = {str(image.get("id")): image for image in _objects(content, "images", name, needed=False)}
    people = _people(content, name)
    for number, annotation in enumerate(annotations):
        place = f"{name}, annotations[{number}]"
        if people and annotation.get("category_id") not in people:
            continue
        if "bboxes" in annotation:
            if chosen in (None, annotation.get("video_id")):
                yield from _track(annotation, place)
            continue
        image = images.get(str(annotation.get("image_id")))
        if image is None:
            raise DataError(f"{place}: expected the `image_id` of an image, got {annotation.get('image_id')!r}.")
        if chosen in (None, image.get("video_id")):
            frame = image.get("frame_id", image.get("frame_index"))
            track = annotation.get("track_id", annotation.get("instance_id"))
            yield _row(annotation.get("bbox"), frame, track, place)


def _track(annotation: Mapping[str, Any], place: str) -> Iterator[Row]:
    boxes = annotation["bboxes"]
    if not isinstance(boxes, list):
        raise DataError(f"{place}: expected a list of `bboxes`, got {type(boxes).__name__}.")
    for frame, box in enumerate(boxes):
        if box is not None:
            yield _row(box, frame, annotation.get("id"), place)


def _row(box: Any, frame: Any, track: Any, place: str) -> Row:
    if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
        raise DataError(f"{place}: expected the `frame_id` of its image, counted from 0, got {frame!r}.")
    if not isinstance(track, int | str) or track in (-1, ""):
        raise DataError(f"{place}: the box has no `track_id`; expected the output of a tracker.")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        raise DataError(f"{place}: expected a `bbox` of x, y, width and height in pixels, got {box!r:.60}.")
    return Row(frame, str(track), *map(float, box))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e9 and math.isfinite(value)


def _objects(content: Any, key: str, name: str, needed: bool = True) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects in the file."""
    values = content.get(key, None if needed else []) if isinstance(content, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DataError(f"{name} is not COCO-video JSON: expected a list of objects under {key!r}.")
    return values


def _video_id(content: Any, name: str, video: str) -> Any:
    """Return the id of the video; None if the file is about one video only."""
    videos = _objects(content, "videos", name, needed=False)
    names = [PurePath(str(entry.get("name", entry.get("file_name", "")))).name for entry in videos]
    wanted = (video, PurePath(video).stem)
    chosen = [entry.get("id") for entry, known in zip(videos, names, strict=True) if known in wanted]
    if len(videos) < 2 or len(chosen) == 1:
        return chosen[0] if len(videos) > 1 else None
    raise DataError(
        f"{name} has {len(videos)} videos, and none or several are called {video}: {', '.join(names)[:80]}."
    )


def _people(content: Any, name: str) -> set[Any]:
    """Return the ids of the categories that are people; none if there are no such names, so that all boxes count."""
    categories = _objects(content, "categories", name, needed=False)
    return {entry.get("id") for entry in categories if str(entry.get("name")).lower() in PEOPLE}
