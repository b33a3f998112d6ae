"""A script's header, its stub and its file say the same."""

import inspect
import itertools
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sessioncache.sealing.models import OpenedPart, SealState, Swap
from sessioncache.sessions.models import KnownSave, PreparedSave, Session
from sessioncache.sessions.record import Pairs
from sessioncache.types import Base
from sessioncache.wire.call import Call, Write
from sessioncache.wire.keys import Key, Keyspace, SessionKeys, ShardKeys, kind_of
from sessioncache.wire.script import WRITE_GROUP, Header, Script, ScriptDefect, parse_header
from sessioncache.wire.values import pack_parts
from tests.tidy import scripts, tree

SHARD = Keyspace("acme", 8).shard(5)
SESSION = SHARD.session("chat 1")
WRITE = Write("0123456789abcdef", Base(gen="given-gen", revision=901, fence=902), now_override_ms=903)
WRITE_VALUES = dict(zip((name for name, _ in WRITE_GROUP), WRITE.args(SESSION), strict=True))
STATE = SealState("given-gen", 1001, 1002, 1003, 1004, 1005, "given-known", 1006)
KEYS = {
    "sealed": SESSION.sealed,
    "dictionaries": SHARD.dictionaries,
    "staging": SESSION.staging(WRITE.operation),
    "lease": SHARD.lease("expire"),
    "record": SESSION.record,
    "tombstone": SESSION.tombstone,
    "session_lease": SESSION.lease,
    "config": Keyspace("acme", 8).config,
    "items": SESSION.room("qa")[0],
    "order": SESSION.room("qa")[1],
    "documents": SESSION.room("documents")[0],
    "traces": SESSION.room("traces")[0],
    "usage": SESSION.room("usage")[0],
    "usage_totals": SESSION.room("usage")[1],
    "workspaces": SESSION.room("workspaces")[0],
    "workspace_list": Keyspace("acme", 8).workspace_list,
    "entities": SESSION.room("entities")[0],
    "relationships": SESSION.room("relationships")[0],
    "relationships_ends": SESSION.room("relationships")[1],
    "sources": SESSION.room("sources")[0],
}

ROLES = {"items": "qa", "order": "qa_order"}
"""Kinds of the keys that scripts of several rooms name by their role."""


def sentinels(stub: Callable[..., Call[Any]]) -> dict[str, Any]:
    """A distinct value for each parameter of a stub."""
    hints = typing.get_type_hints(stub)
    numbers = itertools.count(1001)
    return {name: _sentinel(name, hints[name], numbers) for name in inspect.signature(stub).parameters}


def _sentinel(name: str, hint: Any, numbers: Iterator[int]) -> Any:  # noqa: ANN401 - whatever a stub takes
    fixed: dict[Any, Any] = {
        SessionKeys: SESSION,
        ShardKeys: SHARD,
        Write: WRITE,
        Session: Session(id="chat 1", user="given-user", metadata_version=904, pinned=True),
        Swap: Swap(STATE, 1011, 1012, 1013, reopened=True, dictionary="given-dictionary", items=()),
        OpenedPart: OpenedPart("given-gen", 1014, "given-known", ()),
        KnownSave | None: None,
        PreparedSave: PreparedSave(
            *("", ("904 1 1 1 1 1 1 1 1", "1"), "904 1 1 1 1 1 1 1 1  1", b""),
            *(("given", "value"), (), (), 904),
            is_usual=True,
            can_be_known=True,
        ),
        bool: True,
        str: f"given-{name}",
        bytes: f"given-{name}".encode(),
        str | None: f"given-{name}",
        tuple[int, str] | None: (905, "given-after"),
        Sequence[bytes]: [f"given-{name}".encode()],
        Sequence[str]: [f"given-{name}"],
        Pairs: [f"given-{name}", f"value-{name}"],
    }
    if name in KEYS and hint is Key:
        return KEYS[name]
    if hint in (int, int | None):
        return next(numbers)
    if hint in fixed:
        return fixed[hint]
    if typing.get_origin(hint) is typing.get_origin(Sequence[Any]):
        return [f"given-{name}", f"value-{name}"]
    raise AssertionError(f"no sentinel for parameter {name}: {hint}; add one here")


def built(name: str) -> tuple[Header, Call[Any], dict[str, Any]]:
    """A script's header, the call that its stub builds, and what the stub was given."""
    ((module, function),) = scripts.stubs()[name]
    stub = getattr(module, function)
    given = sentinels(stub)
    return Script(name).header, stub(**given), given


def test_scripts_are_found() -> None:
    """There are scripts to judge."""
    assert len(scripts.names()) >= 20


def test_every_script_has_one_stub() -> None:
    """Each script is loaded by exactly one function of its folder's lua.py, which loads no other."""
    places = {
        name: [(module.__name__, function) for module, function in found] for name, found in scripts.stubs().items()
    }
    expected = {name: [(f"sessioncache.{name.split('.')[0]}.lua", name.split(".")[1])] for name in scripts.names()}
    plain = {name: [(module, function.rstrip("_")) for module, function in found] for name, found in places.items()}
    assert plain == expected


@pytest.mark.parametrize("name", scripts.names())
def test_header_parses(name: str) -> None:
    """Each script opens with a header that follows the grammar and bears the file's name."""
    header = Script(name).header
    assert header.name == name
    assert header.reply


@pytest.mark.parametrize("name", scripts.names())
def test_calls_carry_their_name(name: str) -> None:
    """A stub's call is named as its script, and loads that script; the calls of rooms are named after the room."""
    _, call, given = built(name)
    noun, verb = name.split(".")
    assert (call.name, call.target) == (f"{given['room'] if noun == 'rooms' else noun}.{verb}", Script(name))


@pytest.mark.parametrize("name", scripts.names())
def test_keys_are_those_of_the_header(name: str) -> None:
    """A stub gives as many keys as the header declares, each of the kind that the header names in that place."""
    header, call, _ = built(name)
    kinds = [kind_of(key) for key in call.keys]
    names = tuple(kind.name if kind else "?" for kind in kinds)
    assert names == tuple(ROLES.get(key, key) for key in header.keys)


@pytest.mark.parametrize("name", scripts.names())
def test_types_of_keys_are_those_of_the_catalogue(name: str) -> None:
    """The type beside a key in a header is the catalogue's."""
    section = tree.text(scripts.path_of(name)).partition("-- KEYS\n")[2].partition("-- ARGV")[0]
    for line in section.splitlines():
        word, *kind = line.removeprefix("--").split()
        key: str = KEYS[word] if word in KEYS else getattr(SHARD, word, "")
        known = kind_of(key)
        assert kind == ([] if word == "@session" else [known.type if known else "?"])


@pytest.mark.parametrize("name", scripts.names())
def test_keys_are_in_one_slot(name: str) -> None:
    """All keys of a call have one hash tag, and the arguments name no other."""
    _, call, _ = built(name)
    assert len({key[key.index("{") : key.index("}")] for key in call.keys}) == 1


@pytest.mark.parametrize("name", scripts.names())
def test_arguments_are_those_of_the_header(name: str) -> None:
    """A stub gives as many arguments as the header declares, numbers where it says integer, in the header's order."""
    header, call, given = built(name)
    fixed = [arg for arg in header.args if not arg[1].endswith("...")]
    assert len(call.args) >= len(fixed)
    assert len(call.args) == len(fixed) or len(fixed) < len(header.args)
    for (arg, kind), value in zip(fixed, call.args, strict=False):
        if kind.startswith("numbers("):
            assert str(value).count(" ") == kind.count(","), f"{arg} is {value!r}"
            continue
        assert kind in ("text", "terms") or isinstance(value, int), f"{arg} is {value!r}"
        expected = _expected(arg, given)
        assert expected is None or value == expected, f"{arg} is {value!r}, not {expected!r}"


def _expected(arg: str, given: dict[str, Any]) -> object:
    """What an argument of that name has to be, as far as the stub's parameters tell."""
    if "write" in given and arg in WRITE_VALUES:
        return WRITE_VALUES[arg]
    if arg == "id":
        return SESSION.escaped
    value = given.get(arg)
    return value if isinstance(value, int | str) else None


@pytest.mark.parametrize("name", scripts.names())
def test_rest_arguments_come_last_and_complete(name: str) -> None:
    """Everything in the lists that a stub is given is among the arguments: at the end, or packed as one before."""
    header, call, given = built(name)
    packed = b"".join(arg for arg in call.args[: len(header.args)] if isinstance(arg, bytes))
    alone = [value for value in given.values() if isinstance(value, list) and pack_parts(value) not in packed]
    lists = [item for value in alone for item in value]
    if not header.args or header.args[-1][1] != "text...":
        assert lists == []
    else:
        assert list(call.args[-len(lists) :]) == lists


@pytest.mark.parametrize("name", scripts.names())
def test_scripts_that_change_something_say_so(name: str) -> None:
    """A call is marked as a write if, and only if, its script may change more than the expiry."""
    _, call, _ = built(name)
    changing = ("HSET", "HDEL", "HINCRBY", "XADD", "XDEL", "XTRIM", "ZADD", "ZREM", "UNLINK", "RPUSH", "RENAME")
    slides = "slide_after_read" in scripts.expanded(name)
    changes = any(f"'{command}'" in scripts.expanded(name) for command in changing)
    assert call.writes == (changes and not slides)


END = "-- REPLY x\n-- ERRORS -\n-- EMITS -\n"


@pytest.mark.parametrize(
    "source, defect",
    [
        (f"-- other.name: text\n--\n-- KEYS\n-- ARGV\n{END}", "must open with"),
        (f"-- a.b: text\n--\n-- ARGV\n-- KEYS\n{END}", "sections are ARGV, KEYS"),
        (f"-- a.b: text\n--\n-- KEYS\n--   k hash\n-- ARGV\n--   k text\n{END}", "declared twice"),
        (f"-- a.b: text\n--\n-- KEYS\n-- ARGV\n--   n float\n{END}", "unknown type 'float'"),
        (f"-- a.b: text\n--\n-- KEYS\n-- ARGV\n--   r text...\n--   n text\n{END}", "only the last argument"),
        ("return 1\n", "must open with"),
    ],
)
def test_defects_are_found(source: str, defect: str) -> None:
    """A header that breaks the grammar is refused with the reason."""
    with pytest.raises(ScriptDefect, match=defect):
        parse_header("a.b", source)


def test_key_parameters_are_keys() -> None:
    """What a stub takes as a key is typed Key, so that a bare string is a type error."""
    for name, found in scripts.stubs().items():
        module, function = found[0]
        hints = typing.get_type_hints(getattr(module, function))
        keys = [key for key in Script(name).header.keys if key in KEYS and key in hints]
        assert [hints[key] for key in keys] == [Key for _ in keys], name
