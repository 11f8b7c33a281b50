"""scripts/benchmarks/ranking.py: the same numbers in every row."""

from scripts.benchmarks import ranking


def test_every_way_gives_the_same_numbers(capsys):
    assert ranking.main(["--sizes", "30", "2000", "--rounds", "1", "--before", "HEAD"]) in (0, 2)
    if "HEAD" not in (printed := capsys.readouterr()).out:  # a checkout without git
        assert ranking.main(["--sizes", "30", "2000", "--rounds", "1"]) == 0
        printed = capsys.readouterr()
    rows = [line.strip("| ").split(" | ") for line in printed.out.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 2 and {tuple(row[3:]) for row in rows} == {tuple(rows[0][3:])}
    assert 0 < float(rows[0][4]) < 1


def test_unknown_revisions_are_named(capsys):
    assert ranking.main(["--sizes", "2", "2", "--before", "no-such-revision"]) == 2
    assert "--before no-such-revision" in capsys.readouterr().err
