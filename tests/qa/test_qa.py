"""Questions and answers: fields, times, pages, edits, and the graph context beside them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from sessioncache import AsyncSessionCache, Base, DecodeError, InvalidArgument, LimitExceeded, VersionConflict
from sessioncache.qa import GraphElementIds, QAEntry, format_history, history_messages
from tests.engines import Engine
from tests.engines.raw import client_for

NOW = 1_800_000_000_000


async def test_an_entry_comes_back(cache: AsyncSessionCache) -> None:
    """Every field is read as it was given; the id is a text of 36 characters."""
    entry_id = await cache.qa.append(
        "s",
        "why?",
        "because",
        context="c",
        feedback_text="good",
        feedback_score=5,
        used_graph_element_ids={"node_ids": ["n"]},
        memify_metadata={"a": True, "b": False},
        used_session_context_ids=["x"],
        user="ada",
    )
    entry = await cache.qa.get("s", entry_id)
    assert entry is not None
    assert len(entry_id) == 36
    assert entry.created_at is not None
    assert entry == QAEntry(
        id=entry_id,
        question="why?",
        answer="because",
        context="c",
        created_at=entry.created_at,
        feedback_text="good",
        feedback_score=5,
        used_graph_element_ids=GraphElementIds(node_ids=["n"]),
        memify_metadata={"a": True, "b": False},
        used_session_context_ids=["x"],
    )
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.user == "ada"


async def test_the_server_says_when(cache: AsyncSessionCache) -> None:
    """An entry has the server's time, unless it brings one of its own; an update changes neither."""
    own = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    cache.keys.now_override_ms = NOW
    try:
        first = await cache.qa.append("s", "q1", "a")
        second = await cache.qa.append("s", "q2", "a", created_at=own)
    finally:
        cache.keys.now_override_ms = None
    for entry_id in (first, second):
        await cache.qa.update("s", entry_id, answer="b")
    times = [entry.created_at for entry in await cache.qa.list("s")]
    assert times == [datetime.fromtimestamp(NOW / 1_000, tz=UTC), own]


async def test_a_batch_keeps_its_order(cache: AsyncSessionCache) -> None:
    """Entries of one call stand in the order given; one whose id is known is replaced in its place."""
    entries = [QAEntry(id=name, question=name, answer="a") for name in ("x", "y")]
    saved = await cache.qa.save("s", entries)
    await cache.qa.save(
        "s", [{"id": "z", "question": "z", "answer": "a"}, {"id": "x", "question": "new", "answer": ""}]
    )
    assert saved.ids == ("x", "y")
    assert [entry.question for entry in await cache.qa.list("s")] == ["new", "y", "z"]


async def test_pages(cache: AsyncSessionCache) -> None:
    """The newest n come oldest first; pages from the start lead on to the end."""
    await cache.qa.save("s", [{"question": str(number), "answer": "a"} for number in range(7)])
    first = await cache.qa.list("s", limit=3)
    second = await cache.qa.list("s", limit=3, cursor=first.cursor)
    third = await cache.qa.list("s", limit=3, cursor=second.cursor)
    assert [[entry.question for entry in page] for page in (first, second, third)] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
        ["6"],
    ]
    assert (first.count, third.cursor) == (7, None)
    assert [entry.question for entry in await cache.qa.list("s", last=2)] == ["5", "6"]
    assert [entry.question for entry in await cache.qa.last("s", 3)] == ["4", "5", "6"]
    assert [entry.question async for entry in cache.qa.each("s", batch=2)] == [str(number) for number in range(7)]
    assert await cache.qa.count("s") == 7


async def test_a_repeat_adds_once(cache: AsyncSessionCache) -> None:
    """The same operation id answers the same entry id and adds nothing."""
    first = await cache.qa.append("s", "q", "a", operation_id="one")
    again = await cache.qa.append("s", "q", "a", operation_id="one")
    assert first == again
    assert await cache.qa.count("s") == 1


async def test_an_update_is_three_valued(cache: AsyncSessionCache) -> None:
    """UNSET leaves, None clears, a value sets, for fields of the model and for the caller's own."""
    (entry_id,) = (await cache.qa.save("s", {"question": "q", "answer": "a", "own": 1, "other": [2]})).ids
    done = await cache.qa.update("s", entry_id, context="c", extra={"own": None, "third": {"x": 3}})
    entry = await cache.qa.get("s", entry_id)
    assert (done.found, done.changed) == (True, True)
    assert entry is not None
    assert (entry.context, entry.model_extra) == ("c", {"other": [2], "third": {"x": 3}})
    same = await cache.qa.update("s", entry_id, context="c")
    assert (same.found, same.changed, same.revision) == (True, False, done.revision)
    assert not (await cache.qa.update("s", "nobody", context="c")).found


async def test_flags_of_two_clients_both_hold(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Flags are merged one by one at the server; None clears them all."""
    entry_id = await cache.qa.append("s", "q", "a")
    await asyncio.gather(
        *(
            (cache, other_cache)[number % 2].qa.update("s", entry_id, memify_metadata={str(number): True})
            for number in range(10)
        )
    )
    entry = await cache.qa.get("s", entry_id)
    assert entry is not None
    assert entry.memify_metadata == {str(number): True for number in range(10)}
    await cache.qa.update("s", entry_id, memify_metadata=None)
    cleared = await cache.qa.get("s", entry_id)
    assert cleared is not None
    assert cleared.memify_metadata is None


@pytest.mark.parametrize(
    "changes",
    [
        {"question": None},
        {"answer": 5},
        {"feedback_score": 0},
        {"feedback_score": True},
        {"used_graph_element_ids": {"nodes": []}},
        {"memify_metadata": {"a\x1fb": True}},
        {"memify_metadata": {"a": "maybe"}},
        {"extra": {"created_at": 5}},
        {"extra": {"created_ms": None}},
        {"extra": {"question": "q"}},
        {"extra": {"": 1}},
        {"extra": {"a": object()}},
    ],
)
async def test_bad_changes_are_refused(cache: AsyncSessionCache, changes: dict[str, Any]) -> None:
    """A wrong value, a reserved name or a cleared question is InvalidArgument, and nothing changes."""
    entry_id = await cache.qa.append("s", "q", "a")
    before = await cache.qa.list("s")
    with pytest.raises(InvalidArgument):
        await cache.qa.update("s", entry_id, **changes)
    assert await cache.qa.list("s") == before


@pytest.mark.parametrize(
    "entry",
    [
        {"question": "q"},
        {"question": "q", "answer": None},
        {"question": "q", "answer": "a", "feedback_score": 6},
        {"question": "q", "answer": "a", "id": ""},
        {"question": "q", "answer": "a", "id": "a\n"},
        {"question": "q", "answer": "a", "created_at": datetime(2020, 1, 1)},  # noqa: DTZ001 - without a zone on purpose
        {"question": "q", "answer": "a", "created_ms": 5},
        {"question": "q", "answer": "a", "own\x1f": 5},
    ],
)
async def test_bad_entries_are_refused(cache: AsyncSessionCache, entry: dict[str, Any]) -> None:
    """An entry without an answer, or with a wrong value or name, is refused, and nothing of the call is written."""
    with pytest.raises(InvalidArgument):
        await cache.qa.save("s", [{"question": "good", "answer": "a"}, entry])
    assert not await cache.sessions.exists("s")


async def test_limits_and_bases(cache: AsyncSessionCache) -> None:
    """Too many entries are LimitExceeded; a write that is based on an old revision is refused."""
    with pytest.raises(LimitExceeded):
        await cache.qa.save("s", [{"question": "q", "answer": "a"}] * 501)
    entry_id = await cache.qa.append("s", "q", "a")
    await cache.qa.append("s", "q", "a")
    with pytest.raises(VersionConflict):
        await cache.qa.update("s", entry_id, answer="b", base=Base(revision=1))
    with pytest.raises(VersionConflict):
        await cache.qa.delete("s", entry_id, base=Base(revision=1))


async def test_the_graph_context_is_a_document(cache: AsyncSessionCache) -> None:
    """It is the document `graph`: any JSON value, replaced as a whole, removed by None."""
    assert await cache.qa.get_graph_context("s") is None
    await cache.qa.set_graph_context("s", {"nodes": [1]})
    assert await cache.qa.get_graph_context("s") == {"nodes": [1]}
    assert (await cache.documents.get("s")).values == {"graph": {"nodes": [1]}}
    await cache.qa.set_graph_context("s", None)
    assert await cache.qa.get_graph_context("s") is None
    assert await cache.sessions.exists("s")


async def test_a_stored_score_out_of_range_is_damage(cache: AsyncSessionCache, engine: Engine) -> None:
    """What no release would have stored is a DecodeError that names the entry and the field."""
    await cache.qa.save("s", {"id": "one", "question": "q", "answer": "a"})
    items, _ = cache.keys.session("s").room("qa")
    with client_for(engine, cache.keys.session("s").record) as raw:
        raw.hset(items, "one", '8:question3:"q"6:answer3:"a"14:feedback_score1:9')
    with pytest.raises(DecodeError, match="entry 'one' cannot be decoded: feedback_score"):
        await cache.qa.get("s", "one")


def test_history() -> None:
    """Entries become messages by turns, and one text with their times."""
    entries = [QAEntry(question="q", answer="a", created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
    assert history_messages(entries) == [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert format_history(entries) == "Previous conversation:\n\n[2026-01-02 03:04:05]\nQUESTION: q\nANSWER: a\n"
    assert format_history([]) == ""
