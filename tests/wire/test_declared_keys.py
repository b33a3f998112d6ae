"""What scripts touch is what they declare, seen from the server's side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.wire.keys import ROOMS, kind_of
from sessioncache.wire.script import Script, load_script
from tests.engines import Engine
from tests.engines.monitor import monitored
from tests.tidy import scripts
from tests.wire import tour

WITHOUT_KEY = {"TIME"}
KEYS_AT: dict[str, slice] = {"UNLINK": slice(1, None), "EXISTS": slice(1, None), "RENAME": slice(1, 3)}
"""Where the keys of a command are among its words; all others have one, in the first place."""


def runs(lines: list[list[str]]) -> Iterator[tuple[Script, list[str], list[list[str]]]]:
    """Every run of a script: which, the keys that its caller declared, and the commands inside."""
    known = {load_script(name).sha: load_script(name) for name in scripts.names()}
    current: tuple[Script, list[str], list[list[str]]] | None = None
    for origin, *words in lines:
        if origin == "lua" and current is not None:
            current[2].append(words)
            continue
        if current is not None:
            yield current
            current = None
        if words[0].upper() == "EVALSHA":
            current = (known[words[1]], words[3 : 3 + int(words[2])], [])
    if current is not None:
        yield current


def rooms_of(declared: list[str]) -> set[str]:
    """The keys of the rooms of a session whose record is declared, and its lease: removing it touches them all."""
    records = [key for key in declared if (kind := kind_of(key)) is not None and kind.name == "record"]
    suffixes = [suffix for room in ROOMS.values() for suffix in room]
    return {f"{record}:{suffix}" for record in records for suffix in [*suffixes, "sealed", "lease"]}


def of_a_session(key: str) -> bool:
    """Whether the key is a session's record or one of its rooms, which scripts that read an index may look at."""
    kind = kind_of(key)
    return kind is not None and kind.name.partition("_")[0] in ("record", *ROOMS)


@pytest.mark.engines("valkey", "redis")
async def test_scripts_touch_no_key_but_those_they_declare(cache: AsyncSessionCache, engine: Engine) -> None:
    """In a walk through the whole API, every key that a script touches was among the keys of its call.

    Records that a list names, and their rooms, are the exception, for their ids come out of an index, and so are the
    rooms of a declared session, which most calls never touch; all of them lie in the slot of the declared keys.
    """
    assert engine.server is not None
    with monitored(engine.server.port) as lines:
        await tour.walk(cache)
    seen: set[str] = set()
    for script, declared, commands in runs(lines):
        seen.add(script.name)
        for command, *words in commands:
            if command.upper() in WITHOUT_KEY:
                continue
            touched = [command, *words][KEYS_AT.get(command.upper(), slice(1, 2))]
            strangers = set(touched) - set(declared)
            strangers -= rooms_of(declared)
            if "record_prefix" in dict(script.header.args):
                strangers = {key for key in strangers if not of_a_session(key)}
            assert strangers == set(), f"{script.name}: {command} {touched}"
    # The namespace was opened before the walk.
    assert set(scripts.names()) - seen == {"namespaces.open"}


@pytest.mark.engines("acl", "cluster", "fakeredis", "tls")
async def test_the_whole_api_runs_everywhere(cache: AsyncSessionCache) -> None:
    """A user with no more rights than documented, a cluster, an encrypted server and fakeredis carry every call."""
    await tour.walk(cache)
