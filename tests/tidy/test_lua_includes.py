"""The fragments that scripts share."""

import re

import pytest

from sessioncache.wire import script as wire_script
from sessioncache.wire.script import ScriptDefect
from tests.tidy import scripts

every_include = pytest.mark.parametrize("name", scripts.includes())


@every_include
def test_an_include_is_one_local_function(name: str) -> None:
    """A fragment opens with a comment that bears its name, and holds one local function of that name alone."""
    text = scripts.includes()[name]
    assert text.startswith(f"-- {name}: ")
    top_level = [line for line in scripts.without_comments(text).splitlines() if line and not line.startswith(" ")]
    assert len(top_level) == 2
    assert re.fullmatch(rf"local function {name}\([\w, .]*\)", top_level[0])
    assert top_level[1] == "end"


@every_include
def test_every_include_is_used(name: str) -> None:
    """A fragment is called by some script or some other fragment."""
    others = [scripts.body_of(script) for script in scripts.names()]
    others += [scripts.without_comments(text) for other, text in scripts.includes().items() if other != name]
    assert any(name in scripts.tokens(text) for text in others)


@every_include
def test_an_include_comes_after_those_it_calls(name: str) -> None:
    """In every script that has the fragment, what it calls is declared above it, once."""
    for script in scripts.names():
        text = scripts.expanded(script)
        assert text.count(f"local function {name}(") == int(name in scripts.tokens(text))


def test_a_cycle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fragments that include each other are named, not expanded for ever."""
    texts = {"one": "local function one()\n  two()\nend", "two": "local function two()\n  one()\nend"}
    monkeypatch.setattr(wire_script, "include_names", lambda: frozenset(texts))
    monkeypatch.setattr(wire_script, "_include", texts.__getitem__)
    with pytest.raises(ScriptDefect, match="one -> two -> one"):
        list(wire_script._fragments("one()"))
