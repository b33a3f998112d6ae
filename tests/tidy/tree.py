"""Which files the project consists of, for the tests about the code itself; it judges nothing."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = "# Generated from "
SKIPPED = (".git", ".venv", ".venv-redis8", "__pycache__", "build", "dist")


@cache
def files() -> tuple[str, ...]:
    """Every file that belongs to the project, relative to its root: what git has or would take; without git, all."""
    listing = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    except (FileNotFoundError, subprocess.CalledProcessError):
        paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        found = [path.as_posix() for path in paths if not any(part in SKIPPED for part in path.parts)]
    return tuple(sorted(name for name in set(found) if (ROOT / name).is_file()))


def named(*suffixes: str) -> list[str]:
    """The project's files whose names end in one of `suffixes`."""
    return [name for name in files() if name.endswith(suffixes)]


@cache
def text(name: str) -> str:
    """The text of one file."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def parsed(name: str) -> ast.Module:
    """The syntax tree of one Python file."""
    return ast.parse(text(name), filename=name)


def written_by_hand(*suffixes: str) -> list[str]:
    """As `named`, without generated files."""
    return [name for name in named(*suffixes) if not text(name).startswith(GENERATED)]


def functions(name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of one Python file."""
    return [node for node in ast.walk(parsed(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
