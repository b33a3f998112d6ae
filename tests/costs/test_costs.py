"""Calls cost what they carry or answer, not what there is: the same at 100 entries, sessions or links as at 10,000.

Counted in round trips, commands, words and elements (see `measure.py`); time is not looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import log2
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, Session
from sessioncache.transcripts import lua as transcripts_lua
from sessioncache.wire.call import Write
from tests.costs.measure import Cost, Meter, metered
from tests.engines import Engine

pytestmark = [pytest.mark.engines("valkey", "redis"), pytest.mark.timeout(180)]

SMALL, LARGE = 100, 10_000
BATCH = 500
TRIM_WORDS = 3
"""`MAXLEN ~ n`, which every 16th change of a shard says to its feed."""

Do = Callable[[AsyncSessionCache], Awaitable[object]]
Fill = Callable[[AsyncSessionCache, int], Awaitable[object]]


async def compare(engine: Engine, namespace: str, fill: Fill, rows: dict[str, Do], *, slack: float = 0) -> None:
    """Each call costs the same on a small and on a large structure, but for `slack` commands, words and elements.

    Both begin with a full list of operations, lest one call drops an old operation and the other does not.
    """
    found: dict[int, dict[str, Cost]] = {}
    for size in (SMALL, LARGE):
        async with metered(engine, f"{namespace}-{size}") as meter:
            await fill(meter.cache, size)
            await _settle(meter.cache)
            found[size] = {name: await meter.cost(do) for name, do in rows.items()}
    for name in rows:
        small, large = found[SMALL][name], found[LARGE][name]
        assert (small.round_trips, small.calls) == (large.round_trips, large.calls), name
        for what in ("commands", "words", "elements"):
            room = slack + (TRIM_WORDS if what == "words" else 0)
            assert getattr(large, what) <= getattr(small, what) + room, f"{name}: {what} of {small} and {large}"
            assert getattr(large, what) >= getattr(small, what) - room, f"{name}: {what} of {small} and {large}"


async def _settle(cache: AsyncSessionCache) -> None:
    """A full list of operations for the session that the calls are about."""
    for number in range(20):
        await cache.sessions.update("s", metadata={"settled": number})


async def in_batches(size: int, append: Callable[[range], Awaitable[object]]) -> None:
    """Fill something with numbers, 500 a call."""
    for first in range(0, size, BATCH):
        await append(range(first, min(first + BATCH, size)))


async def messages(cache: AsyncSessionCache, size: int) -> None:
    """A long transcript."""
    await in_batches(size, lambda part: cache.transcripts.append("s", [{"n": n} for n in part]))


async def whole_save(cache: AsyncSessionCache) -> None:
    """A runtime save with one new message."""
    await cache.sessions.save(Session(id="s", status="busy"), messages=[{"n": -1}])


async def replace_tail(cache: AsyncSessionCache) -> None:
    """A replacement by sequence numbers costs what it leaves and what it brings."""
    last = (await cache.transcripts.list("s", last=1)).items[0].seq
    await cache.transcripts.list("s", start=last - 10, stop=last)


async def test_transcripts(engine: Engine, namespace: str) -> None:
    """Appends, saves, reads of the end or of a range, edits and pops cost the same on 10,000 messages."""
    rows: dict[str, Do] = {
        "append": lambda cache: cache.transcripts.append("s", [{"n": 1}] * 3),
        "last": lambda cache: cache.transcripts.list("s", last=20),
        "range": lambda cache: cache.transcripts.list("s", start=40, stop=60),
        "count": lambda cache: cache.transcripts.count("s"),
        "read the end by number": replace_tail,
        "save with one new message": whole_save,
        "get": lambda cache: cache.sessions.get("s"),
        "exists": lambda cache: cache.sessions.exists("s"),
        "update": lambda cache: cache.sessions.update("s", title="new", pinned=False),
        "pop": lambda cache: cache.transcripts.pop("s"),
        "delete": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, messages, rows)


async def test_one_round_trip(engine: Engine, namespace: str) -> None:
    """Each of these calls is one round trip; lists, counts and totals are one for all shards."""
    rows: dict[str, Do] = {
        "append": lambda cache: cache.transcripts.append("s", [{"n": 1}] * 3),
        "last": lambda cache: cache.transcripts.list("s", last=20),
        "save": whole_save,
        "get": lambda cache: cache.sessions.get("s"),
        "update": lambda cache: cache.sessions.update("s", title="new"),
        "ask": lambda cache: cache.qa.append("s", "q", "a"),
        "questions": lambda cache: cache.qa.list("s", last=5),
        "trace": lambda cache: cache.traces.append("s", {"n": 1}),
        "use": lambda cache: cache.usage.append("s", {"input_tokens": 1}),
        "sums": lambda cache: cache.usage.totals("s"),
        "documents": lambda cache: cache.documents.save("s", {"a": 1}),
        "checkpoint": lambda cache: cache.checkpoints.save("s", "c", {"n": 1}),
        "find": lambda cache: cache.checkpoints.find("c"),
        "join": lambda cache: cache.workspaces.add("w", "s"),
        "members": lambda cache: cache.workspaces.members("w"),
        "list": lambda cache: cache.sessions.list(limit=20),
        "count": lambda cache: cache.sessions.count(),
        "stats": lambda cache: cache.stats.get(),
        "delete": lambda cache: cache.sessions.delete("s"),
    }
    async with metered(engine, namespace) as meter:
        for name, do in rows.items():
            cost = await meter.cost(do)
            assert cost.round_trips == 1, name


def ask(number: int) -> dict[str, Any]:
    """A question with a known id."""
    return {"id": f"{number:032x}", "question": "q", "answer": "a"}


async def questions(cache: AsyncSessionCache, size: int) -> None:
    """Many questions and answers."""
    await in_batches(size, lambda part: cache.qa.save("s", [ask(n) for n in part]))


async def test_questions(engine: Engine, namespace: str) -> None:
    """The latest questions, and adding, editing and removing one, cost the same among 10,000."""
    entry = ask(50)["id"]
    rows: dict[str, Do] = {
        "append": lambda cache: cache.qa.append("s", "q", "a"),
        "last": lambda cache: cache.qa.list("s", last=10),
        "get": lambda cache: cache.qa.get("s", entry),
        "count": lambda cache: cache.qa.count("s"),
        "update": lambda cache: cache.qa.update("s", entry, feedback_score=3, memify_metadata={"done": True}),
        "delete": lambda cache: cache.qa.delete("s", entry),
        "delete the session": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, questions, rows)


async def updates(cache: AsyncSessionCache, size: int) -> None:
    """Many context updates."""
    await in_batches(size, lambda part: cache.context.save("s", {f"u{n}": {"n": n} for n in part}))


async def test_context_updates(engine: Engine, namespace: str) -> None:
    """Saving and reading context updates costs the same among 10,000."""
    rows: dict[str, Do] = {
        "save": lambda cache: cache.context.save("s", {"new": {"n": 1}, "u7": {"n": 2}}),
        "save with the session": lambda cache: cache.sessions.save(Session(id="s"), updates={"newer": 1, "u8": 2}),
        "last": lambda cache: cache.context.list("s", last=10),
        "get": lambda cache: cache.context.get("s", "u9"),
        "delete": lambda cache: cache.context.delete("s", ["u7", "u8"]),
        "delete the session": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, updates, rows)


async def logs(cache: AsyncSessionCache, size: int) -> None:
    """A long trace and a long usage log."""
    await in_batches(size, lambda part: cache.traces.append("s", [{"n": n} for n in part]))
    await in_batches(size, lambda part: cache.usage.append("s", [{"model": "m", "input_tokens": n} for n in part]))


async def test_logs(engine: Engine, namespace: str) -> None:
    """Traces and usage logs are appended to and read from the end at the same cost, and summed without reading."""
    rows: dict[str, Do] = {
        "trace": lambda cache: cache.traces.append("s", [{"n": 1}] * 2),
        "last steps": lambda cache: cache.traces.list("s", last=10),
        "use": lambda cache: cache.usage.append("s", [{"model": "m", "input_tokens": 1}] * 2),
        "last lines": lambda cache: cache.usage.list("s", last=10),
        "sums": lambda cache: cache.usage.totals("s"),
        "delete the session": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, logs, rows)


async def sessions(cache: AsyncSessionCache, size: int) -> None:
    """Many sessions with a message each, in order, and one that the calls are about."""
    keys, marks, payloads = cache.keys, "m", [b'{"n":1}']
    for first in range(0, size, BATCH):
        calls = [
            transcripts_lua.append(
                session=keys.session(f"session {n:05}"),
                write=Write.of(keys, "transcripts.append", Session(id="x").base, None),
                user="ann" if n < 10 else "",
                marks=marks,
                payloads=payloads,
            )
            for n in range(first, min(first + BATCH, size))
        ]
        await cache._transport.call_many(calls)
    await cache.transcripts.append("s", {"n": 1})


async def second_page(cache: AsyncSessionCache) -> None:
    """A page behind a cursor."""
    cursor = (await cache.sessions.list(limit=20)).cursor
    await cache.sessions.list(limit=20, cursor=cursor)


async def test_sessions(engine: Engine, namespace: str) -> None:
    """Lists, counts and totals cost the same in a namespace of 10,000 sessions; cursors find their place by halves."""
    rows: dict[str, Do] = {
        "newest": lambda cache: cache.sessions.list(limit=20),
        "oldest": lambda cache: cache.sessions.list(limit=20, order="oldest"),
        "second page": second_page,
        "of a user": lambda cache: cache.sessions.list(user="ann"),
        "count": lambda cache: cache.sessions.count(),
        "count of a user": lambda cache: cache.sessions.count(user="ann"),
        "stats": lambda cache: cache.stats.get(),
        "append": lambda cache: cache.transcripts.append("s", {"n": 1}),
        "create": lambda cache: cache.transcripts.append("new", {"n": 1}),
        "delete": lambda cache: cache.sessions.delete("s"),
    }
    # A search by halves in each of four shards asks three words more each time that the shard doubles.
    await compare(engine, namespace, sessions, rows, slack=4 * 5 * log2(LARGE / SMALL))


async def at_once(cache: AsyncSessionCache, size: int) -> None:
    """Many sessions that were all updated in the same millisecond."""
    cache.keys.now_override_ms = 2_300_000_000_000
    await sessions(cache, size)


async def test_sessions_of_one_moment(engine: Engine, namespace: str) -> None:
    """Where 10,000 sessions have the same time, a cursor finds its place by halves, too."""
    rows: dict[str, Do] = {
        "second page": second_page,
        "newest": lambda cache: cache.sessions.list(limit=20),
        "delete": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, at_once, rows, slack=4 * 5 * log2(LARGE / SMALL))


async def memberships(cache: AsyncSessionCache, size: int) -> None:
    """Many links in the shards: sessions that are members of workspaces of their own, and one of `w`."""
    await in_batches(size, lambda part: cache.workspaces.save("big", name="big", session_ids=[f"m{n}" for n in part]))
    await cache.workspaces.save("w", name="small", session_ids=["s", "t"])


async def test_links(engine: Engine, namespace: str) -> None:
    """A small workspace, a checkpoint and a member are found at the same cost among 10,000 links."""
    rows: dict[str, Do] = {
        "members": lambda cache: cache.workspaces.members("w"),
        "workspace": lambda cache: cache.workspaces.get("w"),
        "join": lambda cache: cache.workspaces.add("w", "u"),
        "leave": lambda cache: cache.workspaces.remove("w", "t"),
        "of a session": lambda cache: cache.workspaces.of_session("s"),
        "checkpoint": lambda cache: cache.checkpoints.save("s", "c", {"n": 1}),
        "find": lambda cache: cache.checkpoints.find("c"),
        "delete": lambda cache: cache.sessions.delete("s"),
    }
    await compare(engine, namespace, memberships, rows)


async def test_nothing_of_it_hides_in_an_argument(engine: Engine, namespace: str) -> None:
    """The count is of use: a call that does read everything costs more where there is more."""
    async with metered(engine, namespace) as meter:
        costs = []
        for size in (SMALL, LARGE - SMALL):
            await messages(meter.cache, size)
            costs.append(await _read_all(meter))

        assert costs[1].elements > 50 * costs[0].elements


async def _read_all(meter: Meter) -> Cost:
    return await meter.cost(lambda cache: cache.transcripts.list("s", limit=10_000))
