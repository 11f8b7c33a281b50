"""What the pages name exists: commands, options, configuration keys, files and links."""

import ast
import importlib.util
import re
import shlex

import pytest
import yaml
from torch.distributed.run import get_args_parser as torchrun_parser

from opengait.config import load_config
from opengait.errors import ConfigError
from opengait.main import parse_arguments
from tests.markdown import Page, all_pages, read_page
from tests.paths import ROOT

PAGES = all_pages()
NAMES = [page.name for page in PAGES]
COMMANDS = sorted({(page.name, command) for page in PAGES for command in page.commands()})
# What a setting in a sentence may belong to: the first configuration that has the key.
CONFIGS = ("dinogrl/hitsz", "dinogrl/bupt", "dinogrl/hitsz_pbmge", "biggait/hitsz")
SECTION = r"(?:data|model|loss|trainer|evaluator|optimizer|scheduler)_cfg"


def parse(command: str) -> None:
    """Parse a command with the parser of its program.

    Raises:
        AssertionError: the program does not exist.
        SystemExit: it rejects the arguments.
        ConfigError: a setting is not a key of the configuration that the command names.
    """
    program, *words = shlex.split(command)
    if program == "torchrun":
        launch = torchrun_parser().parse_args(words)
        # A guide's `cd PATH && torchrun opengait/main.py` runs OpenGait's, which takes the same arguments.
        assert (ROOT / launch.training_script).is_file(), launch.training_script
        check_run(launch.training_script_args)
    elif (program, *words[:2]) == ("python", "-m", "opengait_ext"):
        check_tool(words[2:])
    elif program == "vvi":
        check_tool(words)
    elif program == "python" and words[:1] == ["-m"]:
        assert words[1] == "venv" or importlib.util.find_spec(words[1]), words[1]
    elif program in ("python", "bash"):
        script = ROOT / words[0]
        assert script.is_file(), words[0]
        text = script.read_text(encoding="utf-8")
        options = [word for word in words if word.startswith("--")]
        # A file without options of its own stands for a command under its former name.
        assert "add_argument" not in text or all(option in text for option in options), f"unknown option in {command!r}"


def check_run(words: list[str]) -> None:
    """Parse the arguments of `opengait/main.py`, and load the configuration with the settings."""
    args = parse_arguments(words)
    if args.cfgs.startswith("configs/") and "<" not in args.cfgs and "opengait_ext" not in args.cfgs:
        load_config(ROOT / args.cfgs, args.set)


def check_tool(words: list[str]) -> None:
    """Parse the arguments of `vvi`, and check that the configurations exist."""
    from opengait_ext.commands import build_parser

    try:
        build_parser().parse_args(words)
    except SystemExit as stop:
        if stop.code != 0:  # --help ends with 0
            raise
    for word in words:
        assert not word.startswith("configs/") or list(ROOT.glob(word)), word


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_parse(page, command):
    try:
        parse(command)
    except SystemExit:
        pytest.fail(f"{page}: {command!r} is rejected by its parser")


def test_commands_are_found():
    commands = [command for _, command in COMMANDS]
    assert len(commands) > 40
    assert {command.split()[0] for command in commands} >= {"bash", "torchrun", "python", "vvi", "pip"}


def test_commands_in_sentences_exist():
    from opengait_ext.commands import COMMANDS as known

    named = {name for page in PAGES for name in re.findall(r"`vvi ([a-z][\w-]*)", page.prose)}
    assert len(named) > 10 and named <= set(known), named - set(known)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for path, anchor in page.links():
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), path
        if anchor:
            assert anchor in Page(target, target.read_text(encoding="utf-8")).anchors(), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_in_sentences_exist(page):
    if page.name == "CHANGELOG.md":
        pytest.skip("names files as they were")
    rooms = r"`((?:opengait|opengait_ext|tests|scripts|configs|datasets|pretrained|docs)/[\w./*-]+)`"
    for path in re.findall(rooms, page.prose):
        assert list(ROOT.glob(path.rstrip("/"))), path
    for name in re.findall(r"`(\w+\.yaml)`", page.prose):
        assert list((ROOT / "configs").rglob(name)), name


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_keys_in_sentences_exist(page):
    settings = re.findall(rf"--set ({SECTION}\.[^\s`]+=[^\s`]+)", page.prose)
    keys = re.findall(rf"`({SECTION}\.[\w.]+)", page.prose)
    for setting in {*settings, *(f"{key}=null" for key in keys)}:
        assert is_known(setting), setting


def is_known(setting: str) -> bool:
    """Return whether a shipped configuration accepts the setting's key."""
    for name in CONFIGS:
        try:
            load_config(ROOT / f"configs/{name}.yaml", [setting])
            return True
        except ConfigError as error:
            if "unknown key" not in str(error):
                return True
    return False


def test_an_unknown_key_is_noticed():
    assert is_known("evaluator_cfg.population=null") and not is_known("evaluator_cfg.popolation=null")


def texts_of_the_program() -> str:
    """Return all strings of the two packages, without the values that are formatted into them."""
    texts = []
    for package in ("opengait", "opengait_ext"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                values = [part.value if isinstance(part, ast.Constant) else "" for part in parts]
                texts.append("".join(value for value in values if isinstance(value, str)))
    return "\n".join(texts)


def test_the_quoted_messages_are_those_of_the_program():
    rows = re.findall(r"^\| `([^`]+)` \|", read_page("docs/troubleshooting.md").text, flags=re.M)
    program = texts_of_the_program()
    quoted = [message for message in rows if not message.startswith("torch.")]
    # What varies in a message is quoted as a number or as dots; its first word may vary too.
    parts = [part.strip(" .") for message in quoted for part in re.split(r"\d+|\.\.\.", message)]
    assert len(quoted) > 8
    assert [part for part in parts if part not in program and part.partition(" ")[2] not in program] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_compiles(page):
    for block in page.blocks("python"):
        compile(block, page.name, "exec")


def test_the_site_has_every_page():
    def files(entry: str | list | dict) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [file for part in (entry.values() if isinstance(entry, dict) else entry) for file in files(part)]

    listed = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(listed) == sorted(str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md"))


def test_the_architecture_page_draws_the_folders_that_exist():
    (tree,) = (block for block in read_page("docs/architecture.md").blocks("text") if block.startswith("opengait/"))
    parents: list[str] = []
    for line in tree.splitlines():
        indent, name = re.match(r"( *)(\S+)/", line).groups()
        parents[len(indent) // 2 :] = [name]
        assert (ROOT / "/".join(parents)).is_dir(), line


@pytest.mark.parametrize("config", ["hitsz", "demo"])
def test_the_run_folders_are_those_of_the_configurations(config):
    cfgs = load_config(ROOT / f"configs/dinogrl/{config}.yaml")
    names = cfgs["data_cfg"]["dataset_name"], cfgs["model_cfg"]["model"], cfgs["evaluator_cfg"]["save_name"]
    text = "".join(page.text for page in PAGES if page.path.parent.name == "docs")
    folders = set(re.findall(rf"\b{names[0]}/\w+/\w+(?=/(?:logs|checkpoints))", text))
    assert folders == {"/".join(names)}
