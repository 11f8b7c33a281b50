"""Give links to files beside `docs/` a target in the built site; on GitHub they work as they are."""

import re
from posixpath import normpath
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """Point links that leave `docs/` to the repository, or reduce them to their text if its address is not set."""

    def replace(match: re.Match[str]) -> str:
        text, path = match[1], normpath(match[2])
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})"
        return f"`{path}`" if path.startswith(text) else f"{text} (`{path}`)"

    return OUTSIDE.sub(replace, markdown)
