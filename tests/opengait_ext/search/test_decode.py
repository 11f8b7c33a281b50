"""Frames of videos by number: seeks, times, rotation, damage, and depth."""

import struct

import numpy as np
import pytest

from opengait.errors import DataError
from opengait_ext.search import decode
from opengait_ext.search.decode import OpenCVReader, PyAVReader
from opengait_ext.search.video import Video, VideoTrack
from tests.opengait_ext.clips import SIZE, number_of, write_clip

EVEN = np.arange(60) / 25
UNEVEN = np.cumsum(np.where(np.arange(60) % 7 == 0, 0.4, 0.04)) + 0.2
# B-frames are stored in another order than they are shown.
FORMS = [
    ("a.mp4", EVEN, {"bf": "2", "g": "12"}),
    ("a.mkv", UNEVEN, {"bf": "2", "g": "12"}),
    ("a.avi", EVEN, {"bf": "2", "g": "12"}),
    ("a.ts", UNEVEN, {"g": "12"}),
]


def numbers_of(frames):
    return list(map(number_of, frames))


@pytest.mark.parametrize("reader", [PyAVReader, OpenCVReader])
@pytest.mark.parametrize(("name", "times", "options"), FORMS)
def test_frames_by_number_with_their_times(tmp_path, reader, name, times, options):
    video = reader(write_clip(tmp_path / name, times, **options))
    assert video.size == SIZE and not video.deep and len(video.times) == 60
    assert video.times == pytest.approx(times - times[0], abs=1.5e-3)
    for wanted in ([0], [59], [30, 31, 50], list(range(60)), [5, 23, 24, 25, 47]):
        assert numbers_of(video.frames(wanted)) == wanted
    with pytest.raises(DataError, match=r"after 60 frames, but a box is in frame 60, counted from 0"):
        list(video.frames([3, 60]))


def test_seeks_skip_what_lies_between(tmp_path, monkeypatch):
    video = PyAVReader(write_clip(tmp_path / "a.mp4", EVEN, g="12"))
    decoded = []
    decoding = decode._decoded
    counting = lambda *streams: (decoded.append(frame) or frame for frame in decoding(*streams))  # noqa: E731
    monkeypatch.setattr(decode, "_decoded", counting)
    assert numbers_of(video.frames([2, 50])) == [2, 50]
    # Frames 0 to 2, and 48 to 50.
    assert len(decoded) == 6


@pytest.mark.parametrize(("turns", "matrix"), [(1, (0, 1, -1, 0)), (2, (-1, 0, 0, -1)), (3, (0, -1, 1, 0))])
def test_rotation_tags_turn_the_picture(tmp_path, turns, matrix):
    """Phones store the turn in the 3 x 3 matrix of the track's header; `turns` are those to the right."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[:10, :10] = 250  # top left
    path = write_clip(tmp_path / "a.mp4", [0, 0.04], pictures=[picture] * 2)
    data = path.read_bytes()
    unit = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (value << 16 for value in matrix)
    place = data.index(unit, data.index(b"tkhd"))
    path.write_bytes(data[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[place + 36 :])
    expected = np.rot90(picture, -turns)
    for reader in (PyAVReader, OpenCVReader):
        video = reader(path)
        frame = next(video.frames([0]))
        assert video.size == frame.shape[:2] == expected.shape[:2]
        assert np.abs(frame.astype(int) - expected).mean() < 8


def test_a_recording_that_begins_amid_frames(tmp_path):
    path = write_clip(tmp_path / "a.ts", EVEN, "libx264", g="12", bf="2")
    data = path.read_bytes()
    # Transport streams have packets of 188 bytes; the first ones tell what is in the stream.
    path.write_bytes(data[: 4 * 188] + data[len(data) // 4 // 188 * 188 :])
    readers = PyAVReader(path), OpenCVReader(path)
    shown = [numbers_of(reader.frames(range(len(reader.times)))) for reader in readers]
    assert shown[0] == shown[1] and shown[0][0] > 5
    assert shown[0] == list(range(shown[0][0], 60))
    assert readers[0].times == pytest.approx(readers[1].times, abs=1.5e-3)
    assert numbers_of(readers[0].frames([1, 30])) == [shown[0][1], shown[0][30]]


def test_joined_recordings_whose_time_begins_anew(tmp_path):
    parts = [write_clip(tmp_path / f"{n}.ts", EVEN + start, g="12") for n, start in enumerate((9.01, 0))]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    for reader in (PyAVReader(joined), OpenCVReader(joined)):
        assert len(reader.times) == 120 and (np.diff(reader.times) > 0).all()
        assert numbers_of(reader.frames([5, 59, 60, 70])) == [5, 59, 0, 10]


def test_a_damaged_part_costs_its_frames_only(tmp_path):
    path = write_clip(tmp_path / "a.mkv", EVEN, g="1")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    video = PyAVReader(path)
    assert 20 < len(video.times) < 60
    assert numbers_of(video.frames([0, 10])) == [0, 10]
    for content in (b"", b"<!doctype html>", bytes(2000), whole[:100]):
        path.write_bytes(content)
        for reader in (PyAVReader, OpenCVReader):
            with pytest.raises(DataError, match=r"a\.mkv cannot be read as a video"):
                reader(path)
    path.unlink()
    for reader in (PyAVReader, OpenCVReader):
        with pytest.raises(DataError, match=r"a\.mkv does not exist"):
            reader(path)


def test_deep_grey_videos_are_scaled_by_the_values_of_the_track(tmp_path):
    # A sensor that counts in 14 bits, around 3000; in 8 of 16 bits all would be one value.
    ramp = np.linspace(3000, 3040, SIZE[1]).astype(np.uint16)
    pictures = [np.tile(ramp + number, (SIZE[0], 1)) for number in range(10)]
    path = write_clip(tmp_path / "deep.avi", np.arange(10) / 25, "ffv1", pictures)
    video = Video(path, (24, 32))
    assert video.reader.deep
    boxes = np.array([(number, 0, 0, 64, 48) for number in range(10)])
    frames = VideoTrack(video, boxes)[[0, 9]]
    assert frames.shape == (2, 3, 24, 32) and frames.min() < 5 and frames.max() > 250
    # All frames are scaled alike: a count is 255 / 49 steps of grey.
    assert (frames[1].astype(int) - frames[0]).mean() == pytest.approx(9 * 255 / 49, abs=3)
    with pytest.raises(DataError, match=r"deep\.avi has grey frames of 16 bits, which PyAV reads: pip install"):
        OpenCVReader(path)


def test_without_pyav_opencv_reads(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", EVEN)
    assert isinstance(decode.open_video(path), PyAVReader)
    monkeypatch.setattr(decode, "av", None)
    assert isinstance(decode.open_video(path), OpenCVReader)
