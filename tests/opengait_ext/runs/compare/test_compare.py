"""Runs compared with published numbers: the rows of each table and the sentences that explain them."""

import json
import re
import shutil

import pytest

from opengait.errors import DataError
from opengait_ext.runs.compare import as_json, as_markdown, group_rows, measured_rows, published_rows
from opengait_ext.runs.results import DIRECTIONS
from tests.opengait_ext.runs.stand_in_runs import command

compare = command("compare")

# As printed in the paper, independent of the file under test.
TABLE_1 = """
Lba|ICCV’21|Image|6|46.4|65.3|72.2|30.7|49.3|69.3|75.9|32.4
MPANet|CVPR’21|Image|6|46.5|63.1|70.5|35.3|50.3|67.3|73.6|37.8
VSD|CVPR’21|Image|6|54.5|70.0|76.3|41.2|57.5|73.7|79.4|43.5
CAJ|ICCV’21|Image|6|56.6|73.5|79.5|41.5|60.1|74.6|79.9|42.8
SEFL|CVPR’23|Image|6|67.7|80.3|84.7|52.3|70.2|82.2|86.1|52.5
MITML|CVPR’22|Video|6|63.7|76.9|81.7|45.3|64.5|79.0|83.0|47.7
IBAN|TCSVT’23|Video|6|65.0|78.3|83.0|48.8|69.6|81.5|85.4|51.0
SADSTRM|Arxiv’23|Video|6|65.3|77.9|82.7|49.5|67.7|80.7|85.1|51.8
SAADG|ACM MM’23|Video|6|69.2|80.6|85.0|53.8|73.1|83.5|86.9|56.1
CST|TMM’24|Video|6|69.4|81.1|85.8|51.2|72.6|83.4|86.7|53.0
AuxNet|TIFS’24|Video|6|51.1|-|-|46.0|54.6|-|-|48.7
HD-GI|INFFUS’25|Video|6|71.4|81.7|84.9|57.9|74.9|84.3|87.2|60.2
DinoGRL(our)|-|Video|6|72.5|82.9|86.8|61.1|76.1|85.3|87.9|62.3
"""
TABLE_2 = """
LbA|ICCV’21|Image|10|32.1|54.9|65.1|32.9|39.1|58.7|66.5|37.1
CAJ|ICCV’21|Image|10|40.5|66.8|73.3|41.5|45.0|70.0|77.0|43.6
AGW|TPAMI’21|Image|10|36.4|60.1|67.2|37.4|43.7|64.4|73.2|41.1
MMN|CVPR’21|Image|10|40.9|67.2|74.4|41.7|43.7|65.2|73.5|42.8
DART|CVPR’22|Image|10|52.4|70.5|77.8|49.1|53.3|75.2|81.7|50.5
DEEN|CVPR’23|Image|10|53.7|74.8|80.7|50.4|49.8|71.6|81.0|48.6
MITML|CVPR’22|Video|6|49.1|67.9|75.4|47.5|50.2|68.3|75.7|46.3
AuxNet|TIFS’24|Video|10|63.6|79.9|85.3|61.1|62.7|81.5|85.7|60.2
DinoGRL(our)|-|Video|6|61.8|81.6|84.8|60.1|65.2|82.6|86.5|61.1
DinoGRL(our)|-|Video|10|65.0|81.2|85.7|62.2|70.3|86.9|89.8|64.1
"""
HITSZ = {"infrared_to_visible": (4584, 5099), "visible_to_infrared": (5099, 4584)}
BUPT = {"infrared_to_visible": (536, 2422), "visible_to_infrared": (540, 2422)}
BUPT_CUT = {"infrared_to_visible": (536, 2368), "visible_to_infrared": (512, 2422)}


def numbers(counts, rank1=0.7312):
    return {
        name: {"rank1": rank1, "rank5": 0.8, "rank10": 0.9, "rank20": 0.95, "map": 0.6, "minp": 0.3}
        | {"queries": queries, "valid_queries": queries, "gallery": gallery, "chance_rank1": 0.01}
        for name, (queries, gallery) in counts.items()
    }


def facts(counts):
    return {name: {"queries": queries, "gallery": gallery} for name, (queries, gallery) in counts.items()}


def write_test(folder, dataset="HITSZ-VCM", counts=HITSZ, protocol="hitsz-vcm", iteration=7, **changes):
    """Write a run folder with one test; `changes` go into the card, `results` into the file."""
    content = {
        "dataset": dataset,
        "checkpoint": "x.pt",
        "iteration": iteration,
        "results": numbers(counts) | changes.pop("results", {}),
        "intervals": {name: {"rank1": [0.7, 0.75], "map": [0.58, 0.61]} for name in counts},
        "card": {
            "protocol": protocol,
            "camera_rule": protocol == "hitsz-vcm",
            "re_ranking": False,
            "populations": {"full": facts(counts)},
            "model": "Net",
            "frames": {"sample_type": "fixed_segment_first", "frames_num_fixed": 6},
            "checkpoint": {"iteration": iteration},
            "data": {"fingerprint": "ab12" * 16},
            **changes,
        },
    }
    file = folder / "logs" / f"test-{iteration:05d}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(("source", "printed"), [("Table 1", TABLE_1), ("Table 2", TABLE_2)])
def test_published_rows_are_those_of_the_paper(source, printed):
    rows = [row for row in published_rows() if row.source == f"DinoGRL paper, {source}"]
    lines = [line.split("|") for line in printed.split("\n") if line]
    assert len(rows) == len(lines)
    for row, (method, reference, kind, frames, *cells) in zip(rows, lines, strict=True):
        expected = [None if cell == "-" else float(cell) for cell in cells]
        numbers = [row.numbers[name][key] for name in DIRECTIONS for key in ("rank1", "rank5", "rank10", "map")]
        assert (row.method, row.reference, row.kind, row.frames, numbers) == (method, reference, kind, frames, expected)
        assert not any(row.numbers[name][key] for name in DIRECTIONS for key in ("rank20", "minp"))


# The tables of facts that the rows of 2025 and 2026, and AuxNet's other rows, were taken from:
# method, frames, population, Rank-1/5/10, mAP.
LATER = {
    "HITSZ-VCM": """
HHA|10|full|77.5|-|-|64.7|78.1|-|-|62.8
HHA|6|full|76.0|-|-|63.2|77.5|-|-|60.8
M3-ReID, rerun|10|full|73.58|-|-|60.75|77.00|-|-|63.27
X-ReID|10|full|73.4|85.0|-|60.5|76.1|87.1|-|59.6
M3-ReID|6|full|73.21|82.81|86.74|59.02|75.31|85.17|88.66|60.51
TCC-VPReID|not given|full|72.16|-|-|56.43|75.92|-|-|57.84
FA-Net|6|full|68.13|79.65|84.01|51.15|70.01|82.11|85.98|52.46
DIRL|not given|full|65.2|79.1|-|47.9|67.0|81.7|-|50.2
""",
    "BUPTCampus": """
M3-ReID, rerun|10|full|73.51|-|-|68.39|73.89|-|-|66.65
HHA|10|official_cut|69.7|-|-|66.7|69.9|-|-|65.7
TCC-VPReID|not given|unknown|69.73|-|-|67.25|68.47|-|-|65.38
M3-ReID|6|full|68.28|85.45|88.99|64.96|70.74|85.19|89.44|63.75
X-ReID|10|without tracklets of one frame|68.2|88.4|-|68.5|68.8|84.8|-|65.9
HHA|6|official_cut|67.6|-|-|64.6|68.6|-|-|64.2
DIRL|not given|unknown|67.6|83.2|-|63.4|67.2|83.0|-|65.3
VLD|6|official_cut|66.7|85.8|-|66.0|67.4|84.2|-|64.1
AuxNet, auxiliary set|10|official_cut|66.48|83.14|87.93|64.11|65.23|81.84|86.13|62.19
AuxNet, baseline|10|official_cut|56.13|77.20|82.38|54.32|57.03|77.34|82.81|52.74
""",
}


@pytest.mark.parametrize("dataset", LATER)
def test_rows_of_2025_and_2026(dataset):
    former = ("DinoGRL paper", "authors' release")
    rows = [row for row in published_rows() if row.conditions.dataset == dataset and not row.source.startswith(former)]
    lines = [line.split("|") for line in LATER[dataset].split("\n") if line]
    for row, (method, frames, population, *cells) in zip(rows, lines, strict=True):
        assert (row.method, row.frames, row.conditions.population) == (method, frames, population)
        numbers = [row.numbers[name][key] for name in DIRECTIONS for key in ("rank1", "rank5", "rank10", "map")]
        assert numbers == [None if cell == "-" else float(cell) for cell in cells]
        assert row.reference[-2:] in ("25", "26") or row.source == "AuxNet paper"


def test_numbers_of_the_release():
    rows = [row for row in published_rows() if row.source == "authors' release"]
    numbers = {
        (row.conditions.dataset, row.frames): [
            row.numbers[name][key] for name in DIRECTIONS for key in ("rank1", "map")
        ]
        for row in rows
    }
    assert numbers == {
        ("HITSZ-VCM", "6"): [72.5, 61.1, 76.1, 62.3],
        ("BUPTCampus", "6"): [61.8, 60.1, 65.2, 61.1],
        ("BUPTCampus", "10"): [65.0, 62.2, 70.3, 64.1],
    }


class TestGroups:
    def groups(self, *folders):
        return group_rows([row for folder in folders for row in measured_rows(folder)], published_rows())

    def test_a_network_of_another_dataset_stands_alone(self, tmp_path):
        here = {"trained_on": {"name": "HITSZ-VCM", "fingerprint": "cd34" * 16}}
        there = {"trained_on": {"name": "BUPTCampus", "fingerprint": "ef56" * 16}}
        groups = self.groups(write_test(tmp_path / "a", **here), write_test(tmp_path / "b", **there))
        first, second, *_ = groups
        assert [row.measured for row in first.rows] == [False] * 22 + [True]
        assert first.title == "HITSZ-VCM, protocol hitsz-vcm"
        (row,) = second.rows
        assert second.title == "HITSZ-VCM, protocol hitsz-vcm, trained on BUPTCampus"
        assert row.method == "Net, iteration 7, trained on BUPTCampus"
        assert "their networks were trained on HITSZ-VCM, and this one on BUPTCampus" in second.sentence
        assert as_json(groups)["groups"][1]["rows"][0]["trained_on"] == "BUPTCampus"

    def test_other_training_data_of_the_same_name_is_pointed_out(self, tmp_path):
        prints = ["cd34", "ef56", "cd34", None]
        cards = [{"trained_on": text and {"name": "HITSZ-VCM", "fingerprint": text * 16}} for text in prints]
        folders = [write_test(tmp_path / str(number), **card) for number, card in enumerate(cards)]
        sentence = "differ in the data that they were trained on, with the fingerprints cd34cd34cd34, ef56ef56ef56."
        assert sentence in self.groups(*folders)[0].sentence
        assert "trained on" not in self.groups(folders[0], folders[2], folders[3])[0].sentence

    def test_real_dataset_joins_its_published_rows(self, tmp_path):
        first, *others = self.groups(write_test(tmp_path))
        assert [row.measured for row in first.rows] == [False] * 22 + [True]
        assert {row.conditions.dataset for row in first.rows} == {"HITSZ-VCM"}
        assert "fingerprint ab12ab12ab12" in first.sentence and "same counts of queries and gallery" in first.sentence
        assert [group.title.partition(",")[0] for group in others] == ["BUPTCampus"] * 5
        assert not any(row.measured for group in others for row in group.rows)

    def test_synthetic_data_joins_no_published_rows(self, tmp_path):
        """The counts of the real dataset do not change that."""
        first, second, *_ = self.groups(write_test(tmp_path, dataset="Synthetic-VVI"))
        assert [row.measured for row in first.rows] == [True]
        assert "no published numbers for Synthetic-VVI" in first.sentence
        assert second.title.startswith("HITSZ-VCM") and "not comparable with this one" in second.sentence

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            (
                {"counts": {**HITSZ, "infrared_to_visible": (4583, 5099)}},
                "other queries and galleries: infrared",
            ),
            ({"camera_rule": False}, "here, camera rule off"),
            ({"re_ranking": "k-reciprocal"}, "here, re-ranked"),
            ({"protocol": "other"}, "HITSZ-VCM with the protocol other"),
        ],
    )
    def test_other_populations_and_rules_get_their_own_table(self, tmp_path, changes, reason):
        first = self.groups(write_test(tmp_path, **changes))[0]
        assert [row.measured for row in first.rows] == [True]
        assert reason in first.sentence

    def test_runs_on_other_data_get_their_own_table(self, tmp_path):
        one, same = write_test(tmp_path / "a"), write_test(tmp_path / "b")
        other = write_test(tmp_path / "c", data={"fingerprint": "cd34" * 16})
        groups = self.groups(one, other, same)
        measured = [[row.reference.split("/")[-3] for row in group.rows if row.measured] for group in groups]
        assert measured[:2] == [["a", "b"], ["c"]] and not any(measured[2:])
        assert all("of other data, rules or training" in group.sentence for group in groups[:2])

    def test_populations_of_bupt_get_their_own_tables(self, tmp_path):
        counts = {"full": facts(BUPT), "official_cut": facts(BUPT_CUT)}
        extra = {"official_cut": numbers(BUPT_CUT, rank1=0.5)}
        run = write_test(
            tmp_path, "BUPTCampus", BUPT, "bupt-campus", populations=counts, results=extra, camera_rule=False
        )
        full, cut, *others = self.groups(run)
        paper = ["LbA", "CAJ", "AGW", "MMN", "DART", "DEEN", "MITML"]
        assert [row.method for row in full.rows[:-1]] == [*paper, "M3-ReID, rerun", "M3-ReID"]
        auxnet = ["AuxNet, auxiliary set", "AuxNet, baseline"]
        assert [row.method for row in cut.rows[:-1]] == ["AuxNet", "HHA", "HHA", "VLD", *auxnet]
        assert cut.rows[-1].numbers["infrared_to_visible"]["rank1"] == 50
        assert full.rows[-1].numbers["infrared_to_visible"]["rank1"] == pytest.approx(73.12)
        assert "Rows differ in their frames: 10, 6, 6 (fixed_segment_first)" in full.sentence
        dinogrl, *unknown = [group for group in others if group.title.startswith("BUPT")]
        assert [[row.method for row in group.rows] for group in unknown] == [["TCC-VPReID", "DIRL"], ["X-ReID"]]
        assert {row.method for row in dinogrl.rows} == {"DinoGRL(our)", "DinoGRL, authors' release"}
        assert "unknown numbers of queries" in dinogrl.sentence

    def test_result_without_a_card_is_comparable_with_nothing(self, tmp_path):
        run = write_test(tmp_path)
        file = run / "logs/test-00007.json"
        content = json.loads(file.read_text())
        del content["card"]
        file.write_text(json.dumps(content))
        first = self.groups(run)[0]
        assert [row.measured for row in first.rows] == [True] and "has no protocol card" in first.sentence


class TestMarkdown:
    def table(self, folder, **options):
        rows = measured_rows(write_test(folder, **options))
        return as_markdown(group_rows(rows, published_rows()))

    def test_every_row_names_its_source(self, tmp_path):
        text = self.table(tmp_path)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in lines} == {19}
        (measured,) = [line for line in lines if "measured here" in line]
        cells = [cell.strip() for cell in measured.strip("|").split("|")]
        assert cells[0] == "Net, iteration 7" and cells[1].startswith("measured here: ")
        assert cells[3:7] == ["6 (fixed_segment_first)", "hitsz-vcm", "ab12ab12ab12", "73.12 [70.0, 75.0]"]
        assert cells[7:12] == ["80.00", "**90.00**", "**95.00**", "60.00 [58.0, 61.0]", "30.00"]
        (paper,) = [line for line in lines if line.startswith("| DinoGRL(our)") and "Table 1" in line]
        assert "DinoGRL paper, Table 1; -" in paper and "| 72.5 | 82.9 | 86.8 | - | 61.1 | - |" in paper
        assert "| unknown |" in paper
        (later,) = [line for line in lines if line.startswith("| M3-ReID |")]
        assert "README of M3-ReID; TIFS’25 | Video | 6 |" in later
        assert "| 73.21 | 82.81 | 86.74 | 89.7 | 59.02 | - |" in later
        aux = next(line for line in lines if line.startswith("| AuxNet"))
        assert "| 51.1 | - | - | - | 46.0 | - |" in aux

    def test_best_number_of_each_table_is_bold(self, tmp_path):
        text = self.table(tmp_path, dataset="Synthetic-VVI")
        synthetic, hitsz = text.split("### ")[1:3]
        assert "**" not in synthetic
        assert "**77.5**" in hitsz and "**64.7**" in hitsz

    def test_notes_are_numbered_without_duplicates(self, tmp_path):
        text = self.table(tmp_path)
        section = text.split("### ")[1]
        assert "AuxNet (1)" in section and "\n1. AuxNet reports neither" in section
        assert len(re.findall(r"^\d+\. ", section, re.M)) == len(set(re.findall(r"\((\d)\)", section)))


class TestCommandLine:
    def test_table_json_and_file(self, tmp_path, capsys):
        run = write_test(tmp_path / "run")
        assert compare([str(run), "--published", "all", "--out", str(tmp_path / "out" / "table.md")]) == 0
        text = capsys.readouterr().out
        assert (tmp_path / "out/table.md").read_text() == text and text.count("### ") == 6
        assert compare([str(run), "--published", "matching"]) == 0
        assert capsys.readouterr().out.count("### ") == 1
        assert compare([str(run), "--published", "none", "--json"]) == 0
        (group,) = json.loads(capsys.readouterr().out)["groups"]
        assert group["rows"][0]["numbers"]["visible_to_infrared"]["map"] == pytest.approx(60)
        assert group["rows"][0]["fingerprint"] == "ab12" * 16 and "published" not in group["sentence"]

    @pytest.mark.parametrize(
        ("changes", "titles"),
        [
            ({}, ["HITSZ-VCM, protocol hitsz-vcm"]),
            ({"dataset": "Synthetic-VVI"}, ["Synthetic-VVI, protocol hitsz-vcm"]),
            (
                {"camera_rule": False},
                ["HITSZ-VCM, protocol hitsz-vcm, camera rule off", "HITSZ-VCM, protocol hitsz-vcm"],
            ),
        ],
    )
    def test_only_the_published_table_of_the_dataset_is_shown(self, tmp_path, capsys, changes, titles):
        assert compare([str(write_test(tmp_path, **changes))]) == 0
        assert re.findall("^### (.*)$", capsys.readouterr().out, re.M) == titles

    def test_a_checkpoint_named_by_its_path_is_shown_as_such(self, tmp_path):
        write_test(tmp_path, iteration=0, checkpoint={"file": "x.pt", "iteration": 30, "sha256": "ab"})
        (tmp_path / "logs/test-00000.json").rename(tmp_path / "logs/test-x.json")
        (row,) = measured_rows(tmp_path)
        assert row.method == "Net, x.pt, iteration 30"
        shutil.copy(tmp_path / "logs/test-x.json", tmp_path / "logs/test-y.json")
        with pytest.raises(DataError, match="x, y"):
            measured_rows(tmp_path)
        write_test(tmp_path, iteration=5)
        assert [row.method for row in measured_rows(tmp_path)] == ["Net, iteration 5"]

    def test_results_of_a_checkpoint_that_was_replaced_are_refused(self, tmp_path):
        write_test(tmp_path, checkpoint={"file": "x-00007.pt", "iteration": 7, "sha256": "ab"})
        assert measured_rows(tmp_path)
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints/x-00007.pt").write_bytes(b"another")
        with pytest.raises(DataError, match=r"x-00007\.pt"):
            measured_rows(tmp_path)

    @pytest.mark.parametrize("number", ["NaN", "Infinity"])
    def test_what_is_no_number_is_refused(self, tmp_path, number):
        file = write_test(tmp_path) / "logs/test-00007.json"
        file.write_text(file.read_text().replace("0.7312", number))
        with pytest.raises(DataError, match=number):
            measured_rows(tmp_path)

    def test_last_iteration_of_a_folder_counts(self, tmp_path):
        for iteration in (2, 10, 9):
            write_test(tmp_path, iteration=iteration)
        write_test(tmp_path / "below", iteration=3)
        methods = [row.method for row in measured_rows(tmp_path)]
        assert sorted(methods) == ["Net, iteration 10", "Net, iteration 3"]
        (row,) = measured_rows(tmp_path / "logs/test-00002.json")
        assert row.method == "Net, iteration 2"
        assert len(measured_rows(tmp_path / "logs")) == 1

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda f: f / "nothing", "nothing does not exist"),
            (lambda f: f, "has no test result"),
            (lambda f: put(f, "{"), "is not valid JSON"),
            (lambda f: put(f, "[]"), "expected a JSON object"),
            (
                lambda f: put(f, '{"results": {"NM@R1": 3}}'),
                "results.infrared_to_visible.rank1",
            ),
            (lambda f: damaged(f), r"protocol card in .* \(KeyError\('queries'\)\)"),
        ],
        ids=["missing", "empty", "broken", "list", "another evaluator", "damaged card"],
    )
    def test_bad_input_is_one_sentence(self, tmp_path, capsys, make, reason):
        assert compare([str(make(tmp_path))]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and re.search(reason, captured.err)
        assert captured.err.startswith("error: ") and captured.err.count("\n") == 1

    def test_bad_arguments_are_one_sentence(self, tmp_path, capsys):
        for arguments in ([], [str(tmp_path), "--diff", "a", "b"]):
            assert compare(arguments) == 2
            assert "--diff" in capsys.readouterr().err
        run = write_test(tmp_path / "run")
        (tmp_path / "taken").write_text("")
        assert compare([str(run), "--out", str(tmp_path / "taken" / "x.md")]) == 2
        assert "Cannot write" in capsys.readouterr().err


def put(folder, text):
    (folder / "test-00001.json").write_text(text)
    return folder / "test-00001.json"


def damaged(folder):
    return write_test(folder / "run", populations={"full": {name: {} for name in HITSZ}})
