"""The dataset's folder: HITSZ-VCM's frames and info files, and the truth of every frame."""

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from opengait_ext.data.synthetic_vvi.settings import INFRARED, VISIBLE, SettingsError, SyntheticConfig
from opengait_ext.data.synthetic_vvi.tracklet import TrackletKey, render, tracklet_length
from opengait_ext.data.synthetic_vvi.truth import JOINTS

DONE, STARTED = "synthetic.json", "synthetic.partial.json"  # the second marks an unfinished folder
PARTS = ("Train", "Test", "info", "silhouettes", "parsing", "joints")
FOLDERS = {INFRARED: "ir", VISIBLE: "rgb"}
FRAME_STEP = 5  # the benchmark keeps every fifth frame of its videos
JPEG_QUALITY = 92
PIXELS_PER_BYTE = 20  # of a frame and its silhouette, at most


def splits(config: SyntheticConfig) -> dict[str, range]:
    """Return the person numbers by split folder."""
    return {"Train": config.train_pids, "Test": config.test_pids}


def tracklets_of(config: SyntheticConfig, pid: int) -> Iterator[tuple[TrackletKey, str, list[int]]]:
    """Yield a person's tracklets in file order: key, folder under the person's, frame numbers.

    The tracklets of one camera and modality share a folder, as in the benchmark; only the info files distinguish them.
    """
    for modality in (VISIBLE, INFRARED):
        for number in range(1, config.cameras + 1):
            first = 1
            for track in range(1, config.tracklets + 1):
                key = TrackletKey(pid, modality, number, track)
                length = tracklet_length(config, key)
                yield key, f"{FOLDERS[modality]}/D{number}", [first + FRAME_STEP * index for index in range(length)]
                first += FRAME_STEP * length


def write_person(out: Path, config: SyntheticConfig, job: tuple[str, int]) -> int:
    """Draw every tracklet of one person; return the number of frames."""
    split, pid = job
    count = 0
    joints: dict[str, dict[str, list[list[float]]]] = {}
    for key, folder, numbers in tracklets_of(config, pid):
        relative = f"{split}/{pid:04d}/{folder}"
        folders = [out / relative, out / "silhouettes" / relative, out / "parsing" / relative]
        for path in folders:
            path.mkdir(parents=True, exist_ok=True)
        frames, silhouettes, parsing = folders
        for number, drawn in zip(numbers, render(config, key), strict=True):
            save(frames / f"{number}.jpg", drawn.frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            save(silhouettes / f"{number}.png", drawn.silhouette, [cv2.IMWRITE_PNG_BILEVEL, 1])
            save(parsing / f"{number}.png", drawn.parsing, [])
            joints.setdefault(relative, {})[str(number)] = [[x, y, int(shown)] for x, y, shown in drawn.joints.tolist()]
            count += 1
    for relative, by_frame in joints.items():
        file = out / "joints" / f"{relative}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"names": JOINTS, "frames": by_frame}, separators=(",", ":")) + "\n")
    return count


def save(path: Path, picture: np.ndarray, options: list[int]) -> None:
    """Encode and write one picture."""
    path.write_bytes(cv2.imencode(path.suffix, picture, options)[1].tobytes())


def write_info(out: Path, config: SyntheticConfig) -> None:
    """Write the five text files of the benchmark; rows and lines count from 1, both ends included."""
    info = out / "info"
    info.mkdir(exist_ok=True)
    for split, pids in splits(config).items():
        names: list[str] = []
        rows: list[str] = []
        for pid in pids:
            for key, _, numbers in tracklets_of(config, pid):
                first = len(names) + 1
                stem = f"{pid:04d}M{key.modality}D{key.camera}T{key.track}"
                names += [f"{stem}F{number}.jpg" for number in numbers]
                rows.append(f"{key.modality} {first} {len(names)} {pid:04d} {key.camera}")
        (info / f"{split.lower()}_name.txt").write_text("\n".join(names) + "\n")
        (info / f"track_{split.lower()}_info.txt").write_text("\n".join(rows) + "\n")
        if split == "Test":
            queries = [str(number) for number, row in enumerate(rows, 1) if row.startswith(f"{INFRARED} ")]
            (info / "query_IDX.txt").write_text(" ".join(queries) + "\n")


def prepare(out: Path, config: SyntheticConfig, *, force: bool) -> bool:
    """Prepare `out` for writing; return False if it already holds exactly this dataset.

    Only folders that this generator has marked are ever cleared.

    Raises:
        SettingsError: `out` holds something else, or, without `force`, a dataset of other parameters; or the dataset
            does not fit on the disk.
    """
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out} is a file; name a folder with --out.")
    done, started = out / DONE, out / STARTED
    if done.exists() and not force:
        previous, current = read_parameters(done), config.as_json()
        if previous == current:
            return False
        names = [name for name in sorted(previous.keys() | current.keys()) if previous.get(name) != current.get(name)]
        changes = ", ".join(f"{name} {previous.get(name)} instead of {current.get(name)}" for name in names)
        raise SettingsError(f"{out} holds a dataset of other parameters ({changes}); use another --out or --force.")
    if not (done.exists() or started.exists()) and out.exists() and any(out.iterdir()):
        raise SettingsError(f"{out} holds files that this generator did not write; name a new or empty folder.")
    check_space(out, config)
    out.mkdir(parents=True, exist_ok=True)
    started.write_text(json.dumps(config.as_json(), indent=2) + "\n")
    done.unlink(missing_ok=True)
    for part in PARTS:
        if (out / part).exists():
            shutil.rmtree(out / part)
    return True


def read_parameters(file: Path) -> dict[str, Any]:
    """Return the parameters of a finished dataset.

    Raises:
        SettingsError: the file is damaged, or was written by something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is not an object")
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{file} does not hold a dataset's parameters ({error}); use another --out.") from error
    return content


def check_space(out: Path, config: SyntheticConfig) -> None:
    """Check that the dataset fits on the disk.

    Raises:
        SettingsError: it does not, by a low estimate of its size.
    """
    people = config.train_identities + config.test_identities
    frames = people * config.cameras * len(FOLDERS) * config.tracklets * config.frames
    height, width = config.size
    needed = frames * height * width // PIXELS_PER_BYTE
    existing = next(path for path in out.absolute().parents if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise SettingsError(
            f"About {frames:,} frames of {height} x {width} need at least {needed / 2**30:,.0f} GiB, but "
            f"{free / 2**30:,.0f} GiB are free in {existing}; draw fewer people, cameras, tracklets or frames."
        )


def write_tree(out: Path, config: SyntheticConfig, *, workers: int, progress: bool) -> None:
    """Draw all people, divided among `workers` processes, and write the info files."""
    jobs = [(split, pid) for split, pids in splits(config).items() for pid in pids]
    task = partial(write_person, out, config)
    with tqdm(total=len(jobs), desc="people", unit="person", disable=None if progress else True) as bar:
        if workers <= 1:
            threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
            try:
                for job in jobs:
                    task(job)
                    bar.update()
            finally:
                cv2.setNumThreads(threads)
        else:
            # Fresh processes: OpenCV's and PyTorch's threads do not survive a fork.
            with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
                for _ in pool.imap_unordered(task, jobs):
                    bar.update()
    write_info(out, config)
    (out / STARTED).replace(out / DONE)
