"""Which Lua scripts there are, their stubs, and their text taken apart; it judges nothing."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath
from types import ModuleType

from sessioncache.wire.script import Script
from tests.tidy import tree

INCLUDE = "sessioncache/wire/include/"
TOKEN = re.compile(r"--[^\n]*|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[A-Za-z_]\w*|\d+\.?\w*|\.\.\.|\.\.|[=~<>]=|\S")
COMMAND = re.compile(r"redis\.p?call\(\s*('[^']*'|\w+)\s*(?:,\s*([^,)]+))?")


@cache
def names() -> tuple[str, ...]:
    """Every script, as `<noun>.<verb>`, by its file."""
    paths = (PurePosixPath(name) for name in tree.named(".lua") if not name.startswith(INCLUDE))
    return tuple(f"{path.parent.name}.{path.stem}" for path in paths)


@cache
def includes() -> dict[str, str]:
    """The text of every fragment by its name."""
    return {PurePosixPath(name).stem: tree.text(name) for name in tree.named(".lua") if name.startswith(INCLUDE)}


def path_of(name: str) -> str:
    """The file of a script."""
    return f"sessioncache/{name.replace('.', '/')}.lua"


@cache
def body_of(name: str) -> str:
    """What a person wrote behind the header of a script."""
    return without_comments(tree.text(path_of(name)))


def without_comments(source: str) -> str:
    """Lua without its comment lines."""
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("--"))


@cache
def expanded(name: str) -> str:
    """What the server gets."""
    return Script(name).text


def stubs() -> dict[str, list[tuple[ModuleType, str]]]:
    """For every script name that a stub loads: the modules and functions that do so."""
    found: dict[str, list[tuple[ModuleType, str]]] = {}
    for path in tree.named("/lua.py"):
        module = import_module(path.removesuffix(".py").replace("/", "."))
        for function in tree.functions(path):
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Name(id="load_script"), args=[ast.Constant(value=str(script))]):
                        found.setdefault(script, []).append((module, function.name))
    return found


def tokens(lua: str) -> list[str]:
    """The words and signs of some Lua, comments left out; strings keep their quotes."""
    return [token for token in TOKEN.findall(lua) if not token.startswith("--")]
