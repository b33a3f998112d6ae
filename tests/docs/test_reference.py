"""The reference tables and lists in the documentation are those of the code."""

import re

import pytest

from scripts import reference
from sessioncache import errors
from tests.docs.pages import ROOT, text_of
from tests.engines import acl


def test_generated_tables_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    """Each table between markers is what scripts/reference.py would write now."""
    code = reference.main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_every_table_is_shown() -> None:
    """No table is generated for nobody: each has its place on a page."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("**/*.md"))
    assert {found.group(2) for found in reference.MARKED.finditer(text)} == set(reference.TABLES)


def test_every_error_class_has_its_advice() -> None:
    """The page about errors says for each class what to do."""
    advised = re.findall(
        r"^\| `(\w+)` \| [A-Z`]", text_of("docs/errors.md").partition("## What to do")[2], re.MULTILINE
    )
    classes = [name for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    assert sorted(advised) == sorted(classes)


def test_the_acl_rule_is_the_tested_one() -> None:
    """The ACL rule for agents in the documentation grants the commands that the tests' fenced-in user has."""
    rule = text_of("docs/getting-started.md").partition("<!-- acl rule -->")[2].partition("<!-- end of acl rule -->")[0]
    granted = re.findall(r"\+([a-z|]+)", rule)
    assert sorted(granted) == sorted(command for group in acl.COMMANDS.values() for command in group)
