"""What a script's body may say: declared keys, known words, local names."""

import re
import subprocess
import sys

import pytest

from sessioncache.errors import SCRIPT_ERRORS
from sessioncache.wire.keys import CATALOGUE, ROOMS
from sessioncache.wire.script import Script
from tests.tidy import scripts, tree

FORBIDDEN = {"SCAN", "HSCAN", "SSCAN", "ZSCAN", "KEYS", "FLUSHALL", "FLUSHDB", "EVAL", "EVALSHA", "SELECT", "RANDOMKEY"}
WITHOUT_KEY = {"TIME"}
SWALLOWED = {"upkeep.reindex": {"SCTORN", "SCSCHEMA"}}
"""Errors that a script answers as a state: a torn session is what it is there to report."""

PUT_TOGETHER = {"counters_of", "summary_of", "linked_entry", "room_key"}
"""Fragments that put keys together: of sessions that an index names, and of rooms that most calls never touch."""

KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "and break do else elseif end false for function if in local nil not or repeat return then true until while",
    )
)
GLOBALS = frozenset({"KEYS", "ARGV", "redis", "ipairs", "pairs", "math", "string", "table", "tonumber", "tostring"})
GLOBALS_OF_OLD_LUA = frozenset({"unpack", "type"})
LIBRARIES = frozenset({"cjson", "cmsgpack", "struct", "bit"})

every_script = pytest.mark.parametrize("name", scripts.names())


@every_script
def test_bodies_name_keys_and_arguments_by_their_names(name: str) -> None:
    """No body says KEYS or ARGV; the preamble alone does."""
    assert {"KEYS", "ARGV"} & set(scripts.tokens(scripts.body_of(name))) == set()


def test_includes_name_keys_and_arguments_by_their_names() -> None:
    """No fragment says KEYS or ARGV."""
    assert [name for name, text in scripts.includes().items() if {"KEYS", "ARGV"} & set(scripts.tokens(text))] == []


@every_script
def test_commands_are_allowed(name: str) -> None:
    """Every command is written in upper case, in place, and is none that looks at all keys or empties the server."""
    for command, _ in scripts.COMMAND.findall(scripts.expanded(name)):
        if command.startswith("'"):
            word = command.strip("'")
            assert word == word.upper()
            assert word not in FORBIDDEN
        else:
            chosen = re.findall(rf"\b{command}\b[^=\n]*=\s*'(\w+)'", scripts.expanded(name))
            assert chosen, f"{command} is not assigned in place"
            assert {word for word in chosen if word in FORBIDDEN or word != word.upper()} == set()


@every_script
def test_keys_are_not_put_together(name: str) -> None:
    """The key of each command is a declared name, or a parameter that is given one; nothing is concatenated.

    The exceptions are the fragments of PUT_TOGETHER, whose headers say why, and what room_key answers.
    """
    text = scripts.expanded(name)
    for exception in PUT_TOGETHER:
        source = scripts.without_comments(scripts.includes()[exception])
        text = text.replace("\n".join(line.rstrip() for line in source.splitlines()), "")
    declared = set(Script(name).header.keys)
    parameters = {word for part in re.findall(r"function\s*\w*\(([^)]*)\)", text) for word in re.findall(r"\w+", part)}
    loops = set(re.findall(r"for _, (\w+) in ipairs", text))
    for names, values in re.findall(r"local ([\w, ]+) = ((?:room_key\('[\w:]+'\)(?:, )?)+)", text):
        assert names.count(",") == values.count("room_key") - 1
        loops |= set(names.split(", "))
    for command, key in scripts.COMMAND.findall(text):
        if command.strip("'") not in WITHOUT_KEY:
            assert key.strip() in declared | parameters | loops, f"{command} {key}"


def test_few_includes_put_keys_together() -> None:
    """Nothing but the fragments named above uses a prefix of keys, and no string in Lua looks like one."""
    texts = {name: scripts.body_of(name) for name in scripts.names()} | {
        name: scripts.without_comments(text) for name, text in scripts.includes().items()
    }
    assert {name for name, text in texts.items() if re.search(r"record_prefix|record \.\.", text)} == PUT_TOGETHER


def test_the_rooms_are_those_of_the_catalogue() -> None:
    """Removing and stamping a session touch every room that the catalogue has."""
    texts = {name: scripts.without_comments(text) for name, text in scripts.includes().items()}
    suffixes = [suffix for room in ROOMS.values() for suffix in room]
    assert re.findall(r"'([\w:]+)'", texts["room_keys"]) == ["sealed", *suffixes]
    assert re.findall(r"'(\w+)'", texts["forget_rooms"].partition("}")[0]) == list(ROOMS)
    assert [
        kind.pattern.partition("<id>:")[2] for kind in CATALOGUE if kind.name.partition("_")[0] in ROOMS
    ] == suffixes


def test_no_string_looks_like_a_key() -> None:
    """No script and no fragment spells a key."""
    texts = [*map(scripts.body_of, scripts.names()), *map(scripts.without_comments, scripts.includes().values())]
    assert [text for text in texts if re.search(r"'(?:sc:|:s:|:\w+')", text)] == []


@every_script
def test_error_words_are_those_of_the_header(name: str) -> None:
    """A script answers the errors that its header lists, its fragments' among them, and no others."""
    said = set(re.findall(r"error_reply\('(\w+)", scripts.expanded(name)))
    assert said - SWALLOWED.get(name, set()) == set(Script(name).header.errors)


def test_error_words_are_those_of_the_table() -> None:
    """Every word that scripts answer has a class in errors.py, and every word there is answered by some script."""
    texts = [*map(scripts.expanded, scripts.names())]
    assert {word for text in texts for word in re.findall(r"error_reply\(\s*'(\w+)", text)} == set(SCRIPT_ERRORS)


def test_error_replies_begin_with_a_word_of_ours() -> None:
    """Every error reply is written in place, its first word first, so that no id can stand there."""
    texts = [*map(scripts.expanded, scripts.names())]
    assert all(text.count("error_reply(") == len(re.findall(r"error_reply\('SC[A-Z]+ ", text)) for text in texts)


@every_script
def test_emitted_kinds_are_those_of_the_header(name: str) -> None:
    """A script publishes the kinds of change that its header lists, its fragments' among them, and no others."""
    said = re.findall(r"(?:publish_change|remove_session)\((?:[^()]|\([^()]*\))*?'(\w+\.\w+)'", scripts.expanded(name))
    assert set(said) == set(Script(name).header.emits)


@every_script
def test_emitted_kinds_name_a_noun(name: str) -> None:
    """A kind of change is a noun and what happened to it."""
    nouns = {
        "session",
        "transcript",
        "retention",
        "documents",
        "room",
        "traces",
        "usage",
        "workspaces",
        "entities",
        "freshness",
    }
    assert {kind.split(".")[0] for kind in Script(name).header.emits} <= nouns


@every_script
def test_names_are_local(name: str) -> None:
    """Every name is declared before it is used: nothing global is read or written, which fakeredis never forgives."""
    known, depth = set(GLOBALS | GLOBALS_OF_OLD_LUA), 0
    words = scripts.tokens(scripts.expanded(name))
    for at, word in enumerate(words):
        depth += {"{": 1, "}": -1}.get(word, 0)
        before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
        if not re.match(r"[A-Za-z_]", word) or word in KEYWORDS or before in (".", ":"):
            continue
        if depth and after == "=":
            continue
        if is_declaration(words, at):
            known.add(word)
        assert word in known, f"{word} is not declared: … {' '.join(words[max(at - 5, 0) : at + 5])} …"


def is_declaration(words: list[str], at: int) -> bool:
    """Whether the word declares a local, a loop variable, a local function or a parameter."""
    start = at
    while start > 0 and (words[start - 1] == "," or (words[start] == "," and words[start - 1].isidentifier())):
        start -= 1
    if words[start - 1] in ("local", "for") or words[start - 2 : start] == ["local", "function"]:
        return True
    # A parameter: function name ( a, b   or   function ( a, b
    return words[start - 1] == "(" and "function" in words[start - 3 : start - 1]


def test_an_undeclared_name_is_found() -> None:
    """The test above sees a global where there is one."""
    words = scripts.tokens("local a, b = 1, 2\nlocal function f(c, d) e = c end")
    declared = [
        word
        for at, word in enumerate(words)
        if word.isidentifier() and word not in KEYWORDS and is_declaration(words, at)
    ]
    assert declared == ["a", "b", "f", "c", "d"]


@every_script
def test_no_library_but_luas_own(name: str) -> None:
    """Neither cjson, which rewrites users' numbers, nor what fakeredis lacks; and no shebang."""
    text = scripts.expanded(name)
    assert LIBRARIES & set(scripts.tokens(text)) == set()
    assert "sha1hex" not in text
    assert not tree.text(scripts.path_of(name)).startswith("#!")


def test_text_does_not_depend_on_the_run() -> None:
    """Every process sends the same text, so that two of them share the scripts of a server."""
    code = (
        "import sys\nfrom sessioncache.wire.script import Script\nprint(*(Script(name).sha for name in sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *scripts.names()]
    shas = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert shas == {" ".join(Script(name).sha for name in scripts.names()) + "\n"}


def test_every_kind_of_key_is_used() -> None:
    """Each kind in the catalogue is declared by some script, or written by a plain command of a stub."""
    declared = {key for name in scripts.names() for key in Script(name).header.keys}
    if {"items", "order"} <= declared:
        # The scripts of rooms are told which room is meant.
        declared |= {name for room in ("updates", "qa", "checkpoints") for name in (room, f"{room}_order")}
    assert {kind.name for kind in CATALOGUE} - declared == set()
