"""Writes the sync code from the async code: every sessioncache/**/*_async.py has a generated twin named *_sync.py.

Its one rule: a twin is the async source under the regular expressions of SUBSTITUTIONS and nothing else, so whoever
reads one has read both. What cannot be said that way (locks, sleeping, waiting for several things) lives in a pair of
small hand-written modules with the same names, listed in HAND_WRITTEN.

    python scripts/unasync.py            write every twin, delete those without a source
    python scripts/unasync.py --check    change nothing; list what is missing, stale or orphaned, and exit with 1
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

SOURCES = "sessioncache/**/*_async.py"
HAND_WRITTEN = frozenset(f"sessioncache/transport/{name}_async.py" for name in ("colour", "multiplex", "turns"))
HEADER = "# Generated from {source} by scripts/unasync.py; edit that file and run `make sync`.\n"
HEADER_START = "# Generated from "

# Applied in this order. An entry that changes no source fails --check, so the table holds only what is in use.
SUBSTITUTIONS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait\s+", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\b(Abstract)?Async(?=[A-Z])", r"\1"),
    (r"\baclose\b", "close"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bredis\.asyncio\b", "redis"),
    (r"_async\b", "_sync"),
)
# Whatever of this is left in the code of a twin has no substitution yet.
ASYNC_ONLY = frozenset(
    {"aclosing", "aiter", "anext", "async", "asyncio", "await", "asynccontextmanager"}
    | {"Awaitable", "Coroutine", "StopAsyncIteration"}
)


class CannotTranslateError(Exception):
    """A source holds something that the table does not cover; the text names the place."""


def translate(text: str) -> tuple[str, set[str]]:
    """Returns the sync form of `text`, unformatted, and the patterns that changed something."""
    used = set()
    for pattern, replacement in SUBSTITUTIONS:
        text, count = re.subn(pattern, replacement, text)
        if count:
            used.add(pattern)
    return text, used


def refuse_leftovers(text: str, source: str) -> None:
    """Raises CannotTranslateError where translated code still says something that only async code can say."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in ASYNC_ONLY:
            raise CannotTranslateError(f"{source}: no substitution for: {token.line.strip()}")


def formatted(text: str, target: str, root: Path) -> str:
    """Returns `text` with its imports sorted and formatted as `make fix` would leave it in the file `target`."""
    for command in (
        ["check", "--quiet", "--fix-only", "--select", "I,F401", "--stdin-filename", target, "-"],
        ["format", "--quiet", "--stdin-filename", target, "-"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command], input=text, capture_output=True, text=True, cwd=root, check=False
        )
        if done.returncode:
            raise CannotTranslateError(f"{target}: ruff {command[0]} refused the translation: {done.stderr.strip()}")
        text = done.stdout
    return text


def sources(root: Path) -> list[str]:
    """Returns the async sources below `root`, sorted, as paths relative to it."""
    found = (path.relative_to(root).as_posix() for path in root.glob(SOURCES))
    return sorted(name for name in found if name not in HAND_WRITTEN)


def is_generated(path: Path) -> bool:
    """Says whether `path` is there and carries the header that generated files begin with."""
    return path.is_file() and path.read_text().startswith(HEADER_START)


def generate(root: Path) -> tuple[dict[str, str], set[str]]:
    """Returns what each twin below `root` has to contain, by its path, and the patterns that no source uses.

    Raises CannotTranslateError when a source cannot be translated and when a twin would replace a hand-written file.
    """
    twins: dict[str, str] = {}
    unused = {pattern for pattern, _ in SUBSTITUTIONS}
    for source in sources(root):
        target = source.removesuffix("_async.py") + "_sync.py"
        if (root / target).exists() and not is_generated(root / target):
            raise CannotTranslateError(f"{target} is not a generated file: rename it, or add {source} to HAND_WRITTEN")
        text, used = translate((root / source).read_text())
        twins[target] = formatted(HEADER.format(source=source) + text, target, root)
        refuse_leftovers(twins[target], source)
        unused -= used
    return twins, unused if twins else set()


def differences(root: Path, twins: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yields (missing | stale | orphaned, path) for each file below `root` that is not as `twins` says."""
    for target, text in twins.items():
        if not (root / target).exists():
            yield "missing", target
        elif (root / target).read_text() != text:
            yield "stale", target
    for path in sorted(root.glob(SOURCES.replace("_async.py", "_sync.py"))):
        name = path.relative_to(root).as_posix()
        if name not in twins and is_generated(path):
            yield "orphaned", name


def main(arguments: list[str], root: Path) -> int:
    """Writes or checks every twin below `root`; returns the exit code."""
    try:
        twins, unused = generate(root)
    except CannotTranslateError as error:
        print(f"unasync: {error}", file=sys.stderr)
        return 1
    found = list(differences(root, twins))
    if "--check" in arguments:
        for state, name in found:
            print(f"unasync: {name} is {state}: run `make sync`", file=sys.stderr)
        for pattern in sorted(unused):
            print(f"unasync: no source uses this entry of SUBSTITUTIONS: {pattern}", file=sys.stderr)
        return 1 if found or unused else 0
    for state, name in found:
        print(f"unasync: {name} was {state}")
        if state == "orphaned":
            (root / name).unlink()
        else:
            (root / name).write_text(twins[name])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parents[1]))
