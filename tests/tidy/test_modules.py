"""Every module says what it owns, stays small, has a name that means something and gives reasons for suppressions."""

import ast
import io
import re
import tokenize
from pathlib import PurePosixPath

from tests.tidy import tree

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
LUA_LINES_MAX = 120
INCLUDE_LINES_MAX = 40
EMPTY_NAMES = re.compile(r"^(?:test)?_*(utils?|utilities|commons?|helpers?|managers?|misc)_*$")
SUPPRESSION = re.compile(r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:[\s,]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^]]*\])?)")
REASON = re.compile(r"[A-Za-z]{2,}\W+\w+")


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function's body has, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_module_has_a_docstring() -> None:
    """Each Python file begins by saying what it owns."""
    assert [name for name in tree.named(".py") if not ast.get_docstring(tree.parsed(name))] == []


def test_modules_are_small() -> None:
    """No module that somebody wrote is longer than 500 lines."""
    lengths = {name: len(tree.text(name).splitlines()) for name in tree.written_by_hand(".py")}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}


def test_functions_are_small() -> None:
    """No function that somebody wrote has a body longer than 70 lines."""
    long = [
        f"{name}:{function.lineno} {function.name} has {lines_of_body(function)} lines"
        for name in tree.written_by_hand(".py")
        for function in tree.functions(name)
        if lines_of_body(function) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_scripts_are_small() -> None:
    """No Lua command is longer than 120 lines and no include is longer than 40."""
    long = []
    for name in tree.named(".lua"):
        limit = INCLUDE_LINES_MAX if "/include/" in name else LUA_LINES_MAX
        lines = len(tree.text(name).splitlines())
        if lines > limit:
            long.append(f"{name} has {lines} lines of {limit}")
    assert long == []


def test_names_say_what_is_inside() -> None:
    """No file or folder is called util, common, helpers, manager or the like."""
    parts = {(name, part.split(".")[0]) for name in tree.files() for part in PurePosixPath(name).parts}
    assert sorted(name for name, part in parts if EMPTY_NAMES.match(part)) == []


def test_suppressions_carry_reasons() -> None:
    """Each noqa and each type: ignore names its rule and says on its line why it is there."""
    bare = []
    for name in tree.written_by_hand(".py"):
        for token in tokenize.generate_tokens(io.StringIO(tree.text(name)).readline):
            if token.type != tokenize.COMMENT or not SUPPRESSION.search(token.string):
                continue
            unspecific = re.search(r"noqa(?!:)|ignore(?!\[)", token.string.split("  #")[0])
            if unspecific or not REASON.search(SUPPRESSION.sub("", token.string)):
                bare.append(f"{name}:{token.start[0]}: {token.string}")
    assert bare == []
