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


def test_the_architecture_names_every_folder() -> None:
    """The tree and the layers in ARCHITECTURE.md name each folder of the library, and no other."""
    page = text_of("ARCHITECTURE.md")
    tree = set(re.findall(r"^  (\w+)/ ", page.partition("## The life")[0], re.MULTILINE))
    folders = {path.parent.name for path in (ROOT / "sessioncache").glob("*/__init__.py")}
    layers = page.partition("## Layers")[2].partition("Nouns see")[0]
    assert tree == folders
    assert {name for name in folders if not re.search(rf"\b{name}\b", layers)} == set()


def test_every_decision_is_listed() -> None:
    """Each record in docs/adr has its line in the list, says what it should, and is numbered without gaps."""
    records = sorted(path.name for path in (ROOT / "docs/adr").glob("0*.md"))
    heads = ["## Context", "## Decision", "## Consequences"]
    assert re.findall(r"\]\((0\S+)\)", text_of("docs/adr/README.md")) == records
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert [
        name for name in records if re.findall(r"^## .*$", text_of(f"docs/adr/{name}"), re.MULTILINE) != heads
    ] == []
