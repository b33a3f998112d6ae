"""What the documentation tells people to type exists."""

from __future__ import annotations

import re

import typer
from typer.main import get_command

from sessioncache.cli.app import app
from tests.docs.pages import ROOT, pages, text_of

TARGET = re.compile(r"(?:^|`|… )make ([a-z][a-z0-9-]*)", re.MULTILINE)


def said() -> list[tuple[str, str]]:
    """Every command line that a page mentions, with the page."""
    lines = [(page, line) for page in pages() for line in text_of(page).splitlines()]
    return [
        (page, found.group(0).strip("`$ "))
        for page, line in lines
        for found in re.finditer(r"(?:^|`)sessioncache (?:-|[a-z])[^`#]*", line)
    ]


def trouble(words: list[str]) -> str | None:
    """What is wrong with a command line, as far as names of commands and options go."""
    command = get_command(app)
    context = typer.Context(command)
    names = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    for word in words:
        if word.startswith("-"):
            if word.split("=")[0] not in names:
                return f"no option {word}"
        elif isinstance(command, typer.core.TyperGroup):
            found = command.get_command(context, word)
            if found is None:
                return f"no command {word}"
            command = found
            names |= {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    return None


def test_every_command_exists() -> None:
    """Each `sessioncache …` in the documentation names commands and options that there are."""
    wrong = {line: trouble(line.split()[1:]) for _, line in said()}
    assert said()
    assert {line: problem for line, problem in wrong.items() if problem} == {}


def test_every_make_target_exists() -> None:
    """Each `make …` in the documentation names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {found for page in pages() for found in TARGET.findall(text_of(page))}
    assert named - targets == set()
