"""The pages of the documentation: which there are, and the code blocks and links in them; it judges nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_RUN = re.compile(r"<!-- not run: \S.*-->")
FENCE = re.compile(r"^```(\w*)\s*$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    language: str
    text: str
    line: int
    """Line of the page on which its first line stands."""
    is_run: bool
    """Whether it is meant to run; a comment in front of it may say why not."""


def pages() -> list[str]:
    """Every page, relative to the root."""
    patterns = ("*.md", "docs/**/*.md", "examples/*.md", "grafana/*.md", "deploy/helm/*/README.md")
    found = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def text_of(page: str) -> str:
    """The text of one page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of one page, in their order."""
    found: list[Block] = []
    language, start, held, before = None, 0, list[str](), ""
    for number, line in enumerate(text_of(page).splitlines(), start=1):
        fence = FENCE.match(line)
        if language is None and fence:
            language, start, held = fence.group(1), number + 1, []
        elif language is not None and line.rstrip() == "```":
            found.append(Block(language, "\n".join(held) + "\n", start, NOT_RUN.match(before) is None))
            language = None
        elif language is not None:
            held.append(line)
        elif line.strip():
            before = line.strip()
        if language is None and fence:
            before = ""
    return found


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```\s*$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def links(page: str) -> list[str]:
    """Where the page's links lead."""
    return LINK.findall(prose(page))


def anchors(page: str) -> set[str]:
    """The anchors of the page's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
