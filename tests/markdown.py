"""Read the README, the guides and the other Markdown files of the project."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", flags=re.S | re.M)


@dataclass(frozen=True)
class Page:
    """A Markdown file.

    Attributes:
        path: the file.
        text: its content.
    """

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path within the project."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without code blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str = "") -> list[str]:
        """Return the code blocks of a language; shell blocks have none."""
        return [body for name, body in FENCE.findall(self.text) if name == language]

    def commands(self) -> list[str]:
        """Return the commands of the shell blocks, with continued lines joined and comments removed."""
        lines = "\n".join(self.blocks()).replace("\\\n", " ").splitlines()
        commands = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
        return [part.strip() for command in commands for part in command.split("&&") if PROGRAM.match(part.strip())]

    def links(self) -> list[tuple[str, str]]:
        """Return the links to files of the project as (path, anchor), either of which may be empty."""
        targets = re.findall(r"\]\(([^)\s]+)\)", self.prose)
        return [tuple(target.partition("#")[::2]) for target in targets if "://" not in target]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as GitHub and mkdocs form them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, flags=re.M)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


# A line of a shell block that starts otherwise is output or a listing of files.
PROGRAM = re.compile(r"(bash|torchrun|python|vvi|pip|source|git|diff|mkdocs|pre-commit)\b")


def read_page(name: str) -> Page:
    """Return the Markdown file of this path within the project."""
    return Page(ROOT / name, (ROOT / name).read_text(encoding="utf-8"))


def all_pages() -> list[Page]:
    """Return every Markdown file that addresses users or contributors."""
    patterns = ("*.md", "docs/**/*.md", "datasets/**/*.md", "pretrained/*.md")
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [read_page(path.relative_to(ROOT).as_posix()) for path in paths]
