"""Lua scripts: their headers, the fragments they include, and the text that is sent to the server.

The rule of this module: a script's header is the only declaration of its KEYS and ARGV. The preamble that names each of
them once is written from the header, so the two cannot disagree, and a body never says KEYS or ARGV.

A script is `<noun>/<verb>.lua`:

```
-- transcripts.pop: removes the last message and answers it.
--
-- KEYS
--   @session
-- ARGV
--   @write
--   flag    integer   an example of an argument
-- REPLY   repeated seq payload; nil where there is none
-- ERRORS  SCGONE SCCONFLICT
-- EMITS   transcript.popped
```

Argument types: `text`, `integer` (a number, nil where empty), `numbers(a,b)` (several of those in one argument, spaces
between), `terms` (`TERMS`), and, last only, `text...` (the rest, as a table).
`@session` and `@write` stand for groups declared once (`SESSION_GROUP`, `WRITE_GROUP`). A fragment
`wire/include/<name>.lua` holds one local function `<name>` and is spliced in because its name is said; fragments may
use one another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha1
from importlib.resources import files
from typing import Final

from sessioncache.wire.keys import SESSION_GROUP

__all__ = ["WRITE_GROUP", "Header", "Script", "ScriptDefect", "load_script", "parse_header"]

WRITE_GROUP: Final = (("id", "text"), ("operation", "text"), ("terms", "terms"))
"""Names and types of the ARGV group `@write`; `Write.args` gives the values."""

TERMS: Final = """\
local now_override_ms, base_gen, base_revision, fence, since_ms, anchor = nil, '', nil, nil, nil, ''
if terms ~= '' then
  now_override_ms, base_revision, fence, since_ms, anchor, base_gen =
    string.match(terms, '^(%d*) (%d*) (%d*) (%d*) (%x*) (.*)$')
  now_override_ms, base_revision, fence = tonumber(now_override_ms), tonumber(base_revision), tonumber(fence)
  since_ms = tonumber(since_ms)
end"""
"""What the preamble makes of an argument of the type `terms`. Most writes have none, and each argument that is not sent
is a percent of a write."""

ARGUMENT_TYPES: Final = frozenset({"text", "integer", "text...", "terms"})
SECTIONS: Final = ("KEYS", "ARGV", "REPLY", "ERRORS", "EMITS")
OTHERWISE: Final = "\n--- otherwise\n"
"""Parts a body whose first part answers most calls from what comes after it, with fragments of its own: a fragment is a
function, which costs time to make, and is made when the script comes to it."""
INCLUDE_FOLDER: Final = files("sessioncache.wire").joinpath("include")


class ScriptDefect(Exception):
    """A script file that breaks the grammar; found by tests, not at run time."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a script says about itself."""

    name: str
    summary: str
    keys: tuple[str, ...]
    args: tuple[tuple[str, str], ...]
    reply: str
    errors: tuple[str, ...]
    emits: tuple[str, ...]


@dataclass(frozen=True)
class Script:
    """A script as it lies in the source tree. Equal names are equal scripts."""

    name: str

    @cached_property
    def source(self) -> str:
        """The file's text."""
        noun, verb = self.name.split(".")
        return files(f"sessioncache.{noun}").joinpath(f"{verb}.lua").read_text(encoding="utf-8")

    @cached_property
    def header(self) -> Header:
        """The file's header, parsed."""
        return parse_header(self.name, self.source)

    @cached_property
    def is_remembered(self) -> bool:
        """Whether it keeps its reply under the operation id that its arguments carry. To stage a part keeps none."""
        return self.header.args[: len(WRITE_GROUP)] == WRITE_GROUP and "remember_operation(" in self.source

    @cached_property
    def text(self) -> str:
        """What the server gets: preamble, fragments, body."""
        parts = [f"-- {self.name}", *_preamble(self.header)]
        done: list[str] = []
        for body in map(_without_comments, self.source.split(OTHERWISE)):
            needed = [name for name in _fragments(body) if name not in done]
            parts += [*map(_include, needed), body]
            done += needed
        return "\n".join(parts) + "\n"

    @cached_property
    def sha(self) -> str:
        """SHA-1 of the text, as EVALSHA wants it."""
        return sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def load_script(name: str) -> Script:
    """The script `<noun>.<verb>`; its file is read when it is first sent."""
    return Script(name)


def parse_header(name: str, source: str) -> Header:
    """Parse the comment block that opens a script.

    Raises:
        ScriptDefect: a section is missing or out of order, a name is declared twice, or a type is unknown.
    """
    lines = list(_header_lines(source))
    summary = " ".join(lines[: lines.index("")]) if "" in lines else ""
    if not summary.startswith(f"{name}: "):
        raise ScriptDefect(f"{name}: the header must open with `-- {name}: …` and an empty comment line")
    sections: dict[str, list[str]] = {}
    for line in lines[lines.index("") + 1 :]:
        word, _, rest = line.strip().partition(" ")
        if word in SECTIONS:
            sections[word] = [rest.strip()] if rest.strip() else []
        elif line.strip() and sections:
            sections[list(sections)[-1]].append(line.strip())
    if tuple(sections) != SECTIONS:
        raise ScriptDefect(f"{name}: sections are {', '.join(sections)}; they must be {', '.join(SECTIONS)}")
    keys = tuple(key for line in sections["KEYS"] for key in _expand_key(line))
    args = tuple(arg for line in sections["ARGV"] for arg in _expand_arg(name, line))
    names = [*keys, *(arg for arg, _ in args), *(name for _, kind in args for name in _numbers(kind))]
    if len(set(names)) != len(names):
        raise ScriptDefect(f"{name}: a name is declared twice")
    if any(kind.endswith("...") for _, kind in args[:-1]):
        raise ScriptDefect(f"{name}: only the last argument may take the rest")
    words = {
        part: tuple(word for word in " ".join(sections[part]).split() if word != "-") for part in ("ERRORS", "EMITS")
    }
    return Header(name, summary, keys, args, " ".join(sections["REPLY"]), words["ERRORS"], words["EMITS"])


def _header_lines(source: str) -> Iterator[str]:
    for line in source.splitlines():
        if not line.startswith("--"):
            return
        yield line[2:].removeprefix(" ").rstrip()


def _expand_key(line: str) -> tuple[str, ...]:
    word = line.split(maxsplit=1)[0]
    return SESSION_GROUP if word == "@session" else (word,)


def _expand_arg(name: str, line: str) -> tuple[tuple[str, str], ...]:
    if line.split(maxsplit=1)[0] == "@write":
        return WRITE_GROUP
    arg, kind, *_ = [*line.split(), ""]
    if kind not in ARGUMENT_TYPES and not _numbers(kind):
        raise ScriptDefect(f"{name}: argument {arg} has the unknown type {kind!r}")
    return ((arg, kind),)


def _numbers(kind: str) -> list[str]:
    """The names in an argument that holds several numbers."""
    return kind[len("numbers(") : -1].split(",") if kind.startswith("numbers(") and kind.endswith(")") else []


def _preamble(header: Header) -> Iterator[str]:
    for position, key in enumerate(header.keys, 1):
        yield f"local {key} = KEYS[{position}]"
    for position, (arg, kind) in enumerate(header.args, 1):
        if numbers := _numbers(kind):
            names, pattern = ", ".join(numbers), " ".join(["(%d*)"] * len(numbers))
            yield f"local {names} = string.match(ARGV[{position}], '^{pattern}$')"
            yield f"{names} = {', '.join(f'tonumber({name})' for name in numbers)}"
        elif kind == "text...":
            yield f"local {arg} = {{}}"
            yield f"for i = {position}, #ARGV do {arg}[#{arg} + 1] = ARGV[i] end"
        else:
            yield f"local {arg} = " + (f"tonumber(ARGV[{position}])" if kind == "integer" else f"ARGV[{position}]")
        if kind == "terms":
            yield TERMS


def _without_comments(source: str) -> str:
    lines = (line.rstrip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("--"))


@cache
def _include(name: str) -> str:
    return _without_comments(INCLUDE_FOLDER.joinpath(f"{name}.lua").read_text(encoding="utf-8"))


@cache
def include_names() -> frozenset[str]:
    """The names of all fragments."""
    return frozenset(
        entry.name.removesuffix(".lua") for entry in INCLUDE_FOLDER.iterdir() if entry.name.endswith(".lua")
    )


def _called(text: str) -> set[str]:
    return set(re.findall(r"[a-z_][a-z0-9_]*", text)) & include_names()


def _fragments(body: str) -> list[str]:
    """Fragments that the body needs, each once, every one after those it calls itself."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ScriptDefect(f"fragments include each other: {' -> '.join((*path, name))}")
        if name in done:
            return
        for needed in sorted(_called(_include(name)) - {name}):
            visit(needed, (*path, name))
        done.append(name)

    for name in sorted(_called(body)):
        visit(name, ())
    return done
