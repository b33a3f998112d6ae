"""Lists on a Redis become entries and traces of a user's sessions; the Redis stays as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from sessioncache import AsyncSessionCache, testing
from sessioncache.importers.formats import Format
from sessioncache.importers.report import Report
from sessioncache.importers.run import ImportStopped, OnError
from sessioncache.importers.sources.cognee import CogneeSource
from sessioncache.stores.qa_async import AsyncQAStore
from sessioncache.transport.base import AsyncTransport
from sessioncache.wire.call import Call
from tests.engines import Engine
from tests.engines.caches import lowest_transport
from tests.engines.raw import client_for
from tests.importers.made import imported

pytestmark = [pytest.mark.engines("fakeredis", "valkey", "redis"), pytest.mark.foreign_keys]

T = TypeVar("T")
ANN, BOB = "6a1f0a0e-0000-4000-8000-000000000001", "6a1f0a0e-0000-4000-8000-000000000002"


def entry(number: int, **more: Any) -> dict[str, Any]:
    """An entry as cognee writes it; its time has no zone."""
    return {
        "time": f"2026-02-03T04:{number // 60 % 60:02}:{number % 60:02}.5",
        "question": f"q{number} é",
        "context": "",
        "answer": f"a{number}",
        "qa_id": f"00000000-0000-4000-8000-{number:012}",
        "feedback_text": None,
        "feedback_score": None,
    } | more


def step(number: int) -> dict[str, Any]:
    """A step of a trace."""
    return {"trace_id": f"t{number}", "origin_function": "f", "status": "success", "method_params": {"n": number}}


def fill(engine: Engine, lists: Mapping[str, list[Any]], strings: Mapping[str, str] | None = None) -> None:
    """Write lists of JSON (a text stands for itself) and strings."""
    with client_for(engine, "x") as client:
        for key, items in lists.items():
            for start in range(0, len(items), 500):
                texts = [one if isinstance(one, str) else json.dumps(one) for one in items[start : start + 500]]
                client.rpush(key, *texts)
        for key, value in (strings or {}).items():
            client.set(key, value)


def dump(engine: Engine) -> dict[bytes, Any]:
    """Every foreign key with its value and the time it has left."""
    with client_for(engine, "x") as client:
        names = [name for name in client.scan_iter() if not name.startswith(b"sc:")]
        return {
            name: (client.lrange(name, 0, -1) if client.type(name) == b"list" else client.get(name), client.ttl(name))
            for name in sorted(names)
        }


async def take(engine: Engine, namespace: str, cache: AsyncSessionCache, **options: Any) -> Report:
    """One import of everything that is on the engine."""
    return await imported(cache, Format.cognee, None, server=(source(engine, namespace), "redis://there"), **options)


def source(engine: Engine, namespace: str) -> AsyncTransport:
    """A transport to the engine, on which nothing is written."""
    return lowest_transport(engine, namespace)[0]


async def test_everything_comes_over(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """Both SDKs' keys of a session become one session of its user, found through the contract by the same names."""
    fill(
        engine,
        {
            f"agent_sessions:{ANN}:chat:1": [
                entry(1),
                entry(2, context="c", feedback_score=5, used_graph_element_ids={"node_ids": ["n"]}, x_later=7),
                entry(3, memify_metadata={"done": True, "detail": {"applied": ["n"]}}),
            ],
            f"agent_traces:{ANN}:chat:1": [step(1), step(2)],
            f"cognee:trace:{ANN}:chat:1": [step(3)],
            f"session_context:{ANN}:chat:1": [{"id": "c1", "kind": "context", "content": "likes tea"}],
            f"agent_sessions:{BOB}:chat:1": [entry(9)],
            "agent_sessions:default:default_session": [entry(8)],
            f"usage_logs:{ANN}": [{"endpoint": "x"}],
            "agent_sessions:nobody": [entry(1)],
            "unrelated": ["1"],
        },
        {f"graph_knowledge:{ANN}:chat:1": "graph é", f"graph_knowledge:{BOB}:only-graph": "g"},
    )
    before = dump(engine)
    report = await take(engine, namespace, cache)
    assert (report.whole, report.verified) == (True, 4)
    assert {kind: line["imported"] for kind, line in report.tally.items()} == {
        "sessions": 4,
        "entries": 5,
        "traces": 3,
        "context": 1,
        "graph": 2,
    }
    told = "\n".join(report.notes)
    assert "1 keys begin as cognee's do" in told
    assert "the usage logs of 1 users" in told
    store = AsyncQAStore(cache)
    first, second, third = await store.get_all_qa_entries("chat:1", ANN)
    assert (first.id, first.question, first.context) == (entry(1)["qa_id"], "q1 é", None)
    assert first.created_at == datetime(2026, 2, 3, 4, 0, 1, 500_000, UTC)
    assert (second.context, second.feedback_score, (second.model_extra or {})["x_later"]) == ("c", 5, 7)
    assert second.used_graph_element_ids is not None
    assert second.used_graph_element_ids.node_ids == ["n"]
    assert third.memify_metadata == {"done": True}
    assert (third.model_extra or {})["memify_details"] == {"detail": {"applied": ["n"]}}
    assert [one.trace_id for one in await store.read_trace_steps(ANN, "chat:1")] == ["t1", "t2", "t3"]
    assert await store.get_graph_context("chat:1", ANN) == "graph é"
    assert await store.get_graph_context("only-graph", BOB) == "g"
    assert [one.answer for one in await store.get_all_qa_entries("chat:1", BOB)] == ["a9"]
    assert [one.answer for one in await store.get_all_qa_entries("default_session", None)] == ["a8"]
    assert {session.user async for session in cache.sessions.each()} == {ANN, BOB, "default"}
    again = await take(engine, namespace, cache)
    assert (again.tally["sessions"]["already_there"], again.whole) == (4, True)
    assert dump(engine) == before


async def test_long_lists(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """More than a thousand entries and steps come over in their order, read and written in parts."""
    fill(
        engine,
        {
            f"agent_sessions:{ANN}:s": [entry(number) for number in range(1_234)],
            f"agent_traces:{ANN}:s": [step(number) for number in range(1_100)],
        },
    )
    report = await take(engine, namespace, cache)
    assert (report.whole, report.verified) == (True, 1)
    store = AsyncQAStore(cache)
    assert [one.answer for one in await store.get_all_qa_entries("s", ANN)] == [f"a{n}" for n in range(1_234)]
    assert [one.trace_id for one in await store.read_trace_steps(ANN, "s")] == [f"t{n}" for n in range(1_100)]


async def test_many_sessions(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """Keys are found in batches, however many others there are, and never with KEYS."""
    fill(engine, {f"agent_sessions:{ANN}:s{number}": [entry(1)] for number in range(300)})
    fill(engine, {}, {f"unrelated:{number}": "x" for number in range(700)})
    recording = testing.AsyncRecordingTransport(source(engine, namespace))
    report = await imported(cache, Format.cognee, None, server=(recording, "there"))
    assert report.tally["sessions"]["imported"] == 300
    assert {call.target for call in recording.calls} == {"SCAN", "TYPE", "LLEN", "LRANGE"}


async def test_entries_without_ids(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """Early versions wrote no ids: each entry gets one, the same in every run, and none is lost."""
    bare = [{name: value for name, value in entry(n).items() if name != "qa_id"} for n in (1, 1, 2)]
    fill(engine, {f"agent_sessions:{ANN}:s": bare})
    await take(engine, namespace, cache)
    store = AsyncQAStore(cache)
    first = [one.id for one in await store.get_all_qa_entries("s", ANN)]
    assert len(set(first)) == 3
    await store.delete_session("s", ANN)
    await take(engine, namespace, cache)
    assert [one.id for one in await store.get_all_qa_entries("s", ANN)] == first


async def test_ids_that_are_there_twice(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """The same entry word for word is taken once; another entry of the same id gets an id of its own."""
    fill(engine, {f"agent_sessions:{ANN}:s": [entry(1), entry(1), entry(1, answer="other")]})
    report = await take(engine, namespace, cache)
    assert report.whole
    assert "1 items were there twice" in report.notes[0]
    assert [one.answer for one in await AsyncQAStore(cache).get_all_qa_entries("s", ANN)] == ["a1", "other"]


@pytest.mark.parametrize(
    "bad,why",
    [
        ("{", "is no JSON"),
        ("[1]", "is no JSON object"),
        (entry(7, question=None), "question is no text"),
        (entry(7, feedback_score=6), "feedback_score is not 1 to 5"),
        (entry(7, time="soon"), "time is no ISO 8601 time"),
    ],
)
async def test_a_bad_entry(
    engine: Engine, namespace: str, cache: AsyncSessionCache, bad: dict[str, Any] | str, why: str
) -> None:
    """It is named by its key; with `skip` the rest of the session comes over, and every run says so again."""
    fill(engine, {f"agent_sessions:{ANN}:s": [entry(1), bad, entry(2)]})
    with pytest.raises(ImportStopped, match=f"agent_sessions:{ANN}:s") as stopped:
        await take(engine, namespace, cache)
    assert why in str(stopped.value)
    for outcome in ("imported", "already_there"):
        report = await take(engine, namespace, cache, on_error=OnError.skip)
        assert (report.tally["entries"]["failed"], report.whole) == (1, False)
        assert {name: count for name, count in report.tally["entries"].items() if count} == {outcome: 2, "failed": 1}
    assert [one.answer for one in await AsyncQAStore(cache).get_all_qa_entries("s", ANN)] == ["a1", "a2"]


async def test_a_key_of_another_type(engine: Engine, namespace: str, cache: AsyncSessionCache) -> None:
    """A string where a list belongs, and the reverse, is named."""
    fill(engine, {f"graph_knowledge:{ANN}:t": ["x"]}, {f"agent_sessions:{ANN}:s": "x"})
    report = await take(engine, namespace, cache, on_error=OnError.skip)
    assert [problem.why for problem in report.problems] == [
        f"agent_sessions:{ANN}:s is no list",
        f"graph_knowledge:{ANN}:t is no string",
    ]


async def test_a_list_that_changes_while_it_is_read(engine: Engine, namespace: str) -> None:
    """It is read again until it holds still; where it never does, the session is named."""
    fill(engine, {f"agent_sessions:{ANN}:s": [entry(1)]})

    class Busy(testing.AsyncFaultyTransport):
        """Has cognee append an entry behind every read."""

        appends = 0

        async def call(self, call: Call[T]) -> T:
            answer = await super().call(call)
            if call.target == "LRANGE" and self.appends:
                self.appends -= 1
                fill(engine, {f"agent_sessions:{ANN}:s": [entry(100 + self.appends)]})
            return answer

    for appends, read in ((2, True), (99, False)):
        busy = Busy(source(engine, namespace))
        busy.appends = appends
        reading = CogneeSource(busy, "there")
        (found,) = [one async for one in reading.sessions()]
        assert hasattr(found, "entries") is read
        await reading.aclose()


async def test_a_session_that_goes_meanwhile(engine: Engine, namespace: str) -> None:
    """One that expires between the scan and its reading is passed over."""
    fill(engine, {f"agent_sessions:{ANN}:s": [entry(1)], f"agent_sessions:{BOB}:s": [entry(1)]})
    reading = CogneeSource(source(engine, namespace), "there")
    assert await reading.count() == 2
    with client_for(engine, "x") as client:
        client.delete(f"agent_sessions:{ANN}:s")
    assert [one.name async for one in reading.sessions()] == [f"session 's' of user {BOB!r}"]
    await reading.aclose()
