"""Shared parts of command lines: exit codes for errors, and argument types."""

import argparse
import os
import subprocess
import sys

import pytest

from opengait.command_line import count, exit_status, share
from opengait.errors import DataError
from tests.paths import ROOT


def raises(error: BaseException):
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("No frame 3."), 2, "error: No frame 3.\n"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), 2, "error: a.txt: No such file or directory.\n"),
        (OSError("broken"), 2, "error: broken.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_errors_become_messages_and_exit_codes(error, status, message, capsys):
    assert exit_status(raises(error)) == status
    assert capsys.readouterr() == ("", message)


def test_programming_errors_keep_their_traceback():
    with pytest.raises(KeyError):
        exit_status(raises(KeyError("x")))
    assert exit_status(lambda: 1) == 1


@pytest.mark.slow
def test_a_closed_pipe_ends_a_command_silently():
    program = "from opengait.command_line import exit_status; exit_status(lambda: print('x' * 10**6) or 0)"
    pipe = f'{sys.executable} -c "{program}" | true'
    result = subprocess.run(pipe, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stderr == ""


def test_argument_types():
    assert count("12") == 12 and share("0.05") == 0.05
    for parse, text in ((count, "0"), (count, "-1"), (count, "2.5"), (share, "1"), (share, "0"), (share, "x")):
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected .* got '{text}'"):
            parse(text)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_output_that_cannot_show_a_character_escapes_it(encoding):
    program = "from opengait.command_line import exit_status; exit_status(lambda: print('\\u4e2d \\udce9') or 0)"
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True)
    shown = "\u4e2d" if encoding == "utf-8" else r"\u4e2d"
    assert result.stdout.decode(encoding).split() == [shown, r"\udce9"]
