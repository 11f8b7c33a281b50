"""Lists and JSON files as editors leave them."""

import pytest

from opengait.data.text_files import read_json, read_lines
from opengait.errors import DataError


@pytest.mark.parametrize(
    "content",
    [
        b"1 2\n3 4\n",
        b"\xef\xbb\xbf1 2\n3 4",
        b"1 2\r\n3 4\r\n",
        b"1 2\r3 4\r",
        b"1 2  \n3 4\t\n\n \n",
        b"  1 2\n\t3 4",
    ],
)
def test_lists_of_every_editor(content, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    assert read_lines(path, "get it") == ["1 2", "3 4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2\n".encode("utf-16"), "UTF-16"),
        ("1 2\n".encode("utf-16-be"), "zero bytes"),
        ("Müller\n".encode("latin-1"), "at byte 1"),
        (b"\xff\xd8\xff\xe0", "UTF-8"),
        (b" \n\n", "is empty; get it"),
        (b"1\0", "zero bytes"),
    ],
)
def test_other_files_are_named(content, message, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"list\.txt .*{message}"):
        read_lines(path, "get it")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt is missing; get it"):
        read_lines(tmp_path / "none.txt", "get it")
    with pytest.raises(DataError, match="cannot be read"):
        read_lines(tmp_path, "get it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice"),
        ("[1]", "got a list"),
        ('{"a": [', "not valid JSON"),
        ('{"a": ' + "1" * 5000 + "}", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_is_no_object_of_different_keys(text, message, tmp_path):
    path = tmp_path / "set.json"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"set\.json.*{message}"):
        read_json(path, "get it")


def test_json_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "set.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path, "get it") == {"a": 1}
