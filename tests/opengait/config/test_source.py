"""YAML that is read as it is written, or refused with its line."""

import time

import pytest

from opengait.config import load_config
from opengait.config.source import parse_value, read_yaml
from opengait.errors import ConfigError
from opengait.utils.yaml_text import write_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer_cfg:\n  lr: 0.01\n  lr: 0.5", r"line 3: optimizer_cfg\.lr .* line 2"),
        ("trainer_cfg: {seed: 1}\nevaluator_cfg: {}\ntrainer_cfg: {seed: 2}", "line 3: trainer_cfg .* line 1"),
        ("trainer_cfg: {seed: 1, 'seed': 1}", r"trainer_cfg\.seed is already set"),
        ("a: [{b: 1,\n  b: 2}]", r"line 2: a\.0\.b is already set"),
        (BOMB, "at most 20000 values"),
        ("a: " + "[" * 60 + "]" * 60, "50 levels"),
        ("a: " + "[" * 90000, "50 levels"),
        ("- " * 20000, "nested too deeply"),
        ("trainer_cfg: &a {sampler: *a}", r"trainer_cfg\.sampler contains itself"),
        ("a: &a [*a]", r"a\.0 contains itself"),
        ("a: &a {<<: *a}", "a contains itself"),
        ("a: {<<: 3}", "line 1 .*merging"),
        ('a:\n  b: "x\\0y"', r"line 2: a\.b .*control"),
        ("a:\n  b: x\0y", "line 2 .*#x0000"),
        ('a: "\\ud800"', "control character"),
        ("a: 1\n---\nb: 2", "line 2 .*another document"),
        ("a:\n\tb: 1", r"line 2 .*'\\t'"),
        ("- a", "holds a list"),
        ("text", "holds a str"),
        ("? [a, b]\n: 3", "line 1: a key is not text"),
        ("a:\n  1: 2", "line 2: the key 1 is not text"),
        ("no: 2", "line 1: the key no"),
        ("a: !!python/object/apply:os.system [ls]", "line 1 .*os.system"),
        ("a: !!set {b, c}", "line 1 .*:set"),
        ("a: !!int many", "many"),
        ("a: !!bool many", "many"),
        ("a: !!int ''", "tag"),
        ("a: *b", "line 1 .*undefined alias"),
        ("a: 1\n" * 40000, "larger than 100 kB"),
    ],
)
def test_text_that_is_no_configuration(write, text, message):
    start = time.perf_counter()
    with pytest.raises(ConfigError, match=rf"a\.yaml\b.*{message}"):
        read_yaml(write(text))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: 1".encode("utf-16"), "not UTF-8"), (bytes(range(256)), "not UTF-8"), (b"a: \x07", "#x0007")],
)
def test_bytes_that_are_no_configuration(tmp_path, content, message):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"a\.yaml.*{message}"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa: {b: 3}", b'\xef\xbb\xbf{"a": {"b": 3}}', b"a:\r\n  b: 3\r\n", b"# x\na: {b: 3}\n...\n"]
)
def test_byte_order_marks_and_line_ends(tmp_path, content):
    (tmp_path / "a.yaml").write_bytes(content)
    assert read_yaml(tmp_path / "a.yaml")[0] == {"a": {"b": 3}}


def test_files_that_cannot_be_read(write, tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / ("x" * 5000)):
        with pytest.raises(ConfigError, match="Cannot read the configuration"):
            load_config(path)
    with pytest.raises(ConfigError, match=r"none\.yaml, the base of .*a\.yaml"):
        load_config(write("base: none.yaml"))
    with pytest.raises(ConfigError, match=r"the base of .*a\.yaml: Is a directory"):
        load_config(write("base: ."))
    assert read_yaml(write(""))[0] == {}


def test_merge_keys_stay_legal(write):
    content, marks = read_yaml(
        write("x: &x {p: 1, q: 2}\ny: &y {q: 3, r: 007}\na:\n  <<: *x\n  <<: *y\n  p: 4\nb: {<<: [*x, *y]}\n")
    )
    assert content["a"]["p"] == 4 and content["b"] == {"p": 1, "q": 2, "r": "007"}
    assert marks["a", "p"].line == 6 and marks["a", "r"] == (2, "007")


def test_aliases_are_values_of_their_own(write):
    text = "trainer_cfg: {transform: &t [{type: BaseSilCuttingTransform}]}\nevaluator_cfg: {transform: *t}"
    cfg = load_config(write(text), ["trainer_cfg.transform.0.cutting=5"])
    assert cfg["evaluator_cfg"]["transform"] == [{"type": "BaseSilCuttingTransform"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", "010"),
        ("1:30", "1:30"),
        ("2024-05-01", "2024-05-01"),
        ("2024-13-45", "2024-13-45"),
        ("9" * 5000, "9" * 5000),
        ("1_000", 1000),
        ("0x1f", 31),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("off", False),
        ("~", None),
        ("", None),
        ("[1, a]", [1, "a"]),
        ("{a: 1}", {"a": 1}),
        ("a: 1", {"a": 1}),
        ("'a #b'", "a #b"),
        ("/a #2", "/a #2"),
        ("5 # five", "5 # five"),
        ("[1] # one", "[1] # one"),
        ("'a' # b", "'a' # b"),
        ("a: 1 # b", "a: 1 # b"),
        ("&a", "&a"),
        ("!!str 3", "!!str 3"),
        ("|", "|"),
        ("  x  ", "x"),
    ],
)
def test_values_of_the_command_line_are_never_cut(text, value):
    assert parse_value(text)[0] == value and parse_value(text)[2] is None


@pytest.mark.parametrize("text", ["[1", "*a", "@a", "[a] b", "{a: 1, a: 2}", "&a [*a]"])
def test_values_that_are_not_yaml_stay_text_with_a_reason(text):
    value, marks, problem = parse_value(text)
    assert value == text and marks == {} and problem


def test_what_is_written_reads_back(write):
    texts = ["010", "1:30", "2024-05-01", "1e5", "-.5", "no", "n", "=", "<<", "1_000", "1_0e5", "~", "x #y", "é"]
    content = {"texts": texts, "numbers": [1e16, 1e-5, 3, -0.5, 10**30]}
    assert read_yaml(write(write_yaml(content)))[0] == content
