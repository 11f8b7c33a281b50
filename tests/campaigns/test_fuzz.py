from pathlib import Path

import pytest

from tests.campaigns.fuzz import REJECTED, Case, Tally, run, target_names
from tests.campaigns.mutate import mutated

FILES = 30

BAD_TARGETS = {
    "foreign": "raise KeyError('x')",
    "endless": "while True: pass",
    "large": "bytearray(2 << 30)",
    "large_but_said": "from opengait.errors import DataError\n"
    "    try: bytearray(2 << 30)\n"
    "    except MemoryError as error: raise DataError('large') from error",
    "dies": "import os; os._exit(7)",
    "code": "import re, subprocess; subprocess.run(['touch', re.sub('samples.*', 'canary', str(path))])",
    "lines": "from opengait.errors import DataError; raise DataError('one\\ntwo')",
    "good": "from opengait.errors import DataError; raise DataError('one')",
}
FINDINGS = {
    "foreign": "KeyError",
    "endless": "not done",
    "large": "MemoryError",
    "large_but_said": "MiB of memory",
    "dies": "exit status 7",
    "code": "code was run",
    "lines": "several lines",
}


@pytest.mark.slow
def test_no_reader_of_the_product_does_worse_than_reject_a_damaged_file(tmp_path):
    cases = [Case(target, number, seed=0) for number in range(FILES) for target in target_names()]
    tally = run(cases, tmp_path)
    assert not tally.findings, str(tally)
    assert tally.counts.total() == len(cases)


@pytest.mark.slow
def test_readers_that_do_worse_are_found(tmp_path, monkeypatch):
    package = tmp_path / "bad_targets"
    package.mkdir()
    for name, body in BAD_TARGETS.items():
        (package / f"{name}.py").write_text(
            "def samples(folder):\n    (folder / 'sample').write_bytes(b'x')\n    return [folder / 'sample']\n"
            f"def read(path):\n    if path.read_bytes() == b'x': return\n    {body}\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    tally = run([Case(name, 0, seed=0) for name in BAD_TARGETS], tmp_path / "work", package="bad_targets", seconds=2)
    assert {finding.case.target for finding in tally.findings} == set(FINDINGS), str(tally)
    for finding in tally.findings:
        assert FINDINGS[finding.case.target] in finding.what
        assert Path(finding.file).is_file()
    assert tally.counts == {("good", REJECTED): 1}
    assert "1 findings" in str(tally)


def test_damage_repeats_under_one_seed_and_covers_text_and_bytes(tmp_path):
    import random

    def files(data):
        return [mutated(data, random.Random(number), [data], tmp_path) for number in range(200)]

    for data in (b"a: 1\nb: [2, 3]\n", bytes(range(256)), b""):
        assert files(data) == files(data)
        assert len(set(files(data))) > 20


def test_a_tally_counts_by_target():
    tally = Tally()
    tally.counts["b", "read"] += 2
    tally.counts["a", REJECTED] += 1
    assert [line.split()[:2] for line in str(tally).splitlines()] == [["a", "1"], ["b", "2"]]
