"""Listing folders: clutter, natural order, links and loops."""

import os

import pytest

from opengait.data.folders import case_twins, files_in, is_clutter, natural_key, subfolders, walk_folders
from opengait.errors import DataError


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints",
        ".git",
        ".DS_Store",
        "._0001.jpg",
        "@eaDir",
        "__MACOSX",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        "Desktop.ini",
        "$RECYCLE.BIN",
        "~$list.txt",
        ".x.123.part.pkl",
        "lost+found",
    ],
)
def test_what_desktops_leave_behind_is_ignored(name, tmp_path):
    assert is_clutter(name) and not is_clutter(f"a{name}b")
    (tmp_path / name).mkdir()
    (tmp_path / "001").mkdir()
    assert [folder.name for folder in subfolders(tmp_path)] == ["001"]
    assert list(walk_folders(tmp_path)) == [tmp_path, tmp_path / "001"]
    (tmp_path / name).rmdir()
    for file in (f"{name}.jpg", "1.jpg"):
        (tmp_path / "001" / file).touch()
    assert "1.jpg" in [file.name for file in files_in(tmp_path / "001", [".jpg"])]


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "6.jpg", "11.jpg"],
        ["f1.jpg", "f02.jpg", "f3.jpg", "f10.jpg"],
        ["a1b9.jpg", "a1b10.jpg", "a2b1.jpg"],
        ["9" * 5000, "1" + "0" * 5000],
        ["01.jpg", "1.jpg"],
    ],
)
def test_natural_order(names):
    shuffled = names[::-1]
    assert sorted(shuffled, key=natural_key) == names


def test_files_of_any_case_in_time_order(tmp_path):
    for name in ("1.jpg", "11.JPG", "6.jpg", "._6.jpg", "notes.txt", "2.png"):
        (tmp_path / name).touch()
    assert [file.name for file in files_in(tmp_path, [".jpg"])] == ["1.jpg", "6.jpg", "11.JPG"]


def test_links_are_followed(tmp_path):
    (tmp_path / "elsewhere/001").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere")
    assert [folder.name for folder in subfolders(tmp_path / "root")] == ["linked"]
    assert [folder.name for folder in walk_folders(tmp_path / "root")] == ["root", "linked", "001"]


@pytest.mark.parametrize("target", ["root", "root/001", "."])
def test_loops_are_refused(target, tmp_path):
    (tmp_path / "root/001").mkdir(parents=True)
    (tmp_path / "root/001/loop").symlink_to(tmp_path / target)
    for listed in (lambda: subfolders(tmp_path / "root/001"), lambda: list(walk_folders(tmp_path / "root"))):
        with pytest.raises(DataError, match="001/loop is a link to"):
            listed()


def test_a_loop_of_two_links_is_refused(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "link").symlink_to(tmp_path / other)
    with pytest.raises(DataError, match="a/link/link is a link"):
        list(walk_folders(tmp_path / "a"))


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=f"{tmp_path.name} cannot be listed: Permission denied"):
        subfolders(tmp_path)


def test_names_that_differ_in_case_only():
    assert case_twins(["A01", "a01", "b", "ß"]) == [["A01", "a01"]]
