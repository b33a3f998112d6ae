"""transcripts.append: numbering, batches, limits, repeats, bases."""

from __future__ import annotations

import json

import pytest

from sessioncache import (
    AsyncSessionCache,
    Base,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    SessionGone,
    VersionConflict,
)
from sessioncache.types import JSONObject

OPENAI: JSONObject = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}}],
}
ANTHROPIC: JSONObject = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "naïve 🙂 \u2028"}]}],
}
LANGCHAIN: JSONObject = {
    "type": "ai",
    "data": {"content": "", "additional_kwargs": {}, "response_metadata": {"n": 12345678901234567890123}, "id": None},
}


@pytest.mark.parametrize("message", [OPENAI, ANTHROPIC, LANGCHAIN, {}, {"lone": "\ud800"}, {"zero": 0.0, "neg": -0.0}])
async def test_messages_of_any_shape_come_back_unchanged(cache: AsyncSessionCache, message: JSONObject) -> None:
    """A JSON object is the same object after it was stored and read."""
    await cache.transcripts.append("s", message)
    page = await cache.transcripts.list("s", last=1)

    assert json.dumps(page.messages[0]) == json.dumps(message)


async def test_bytes_are_stored_as_they_are(cache: AsyncSessionCache) -> None:
    """A message given as bytes is stored byte for byte, odd spacing and key order included."""
    payload = b'{ "b" : 1,\n  "a":"\\u00e9" }'
    await cache.transcripts.append("s", payload)
    page = await cache.transcripts.list("s")

    assert page.items[0].payload == payload


async def test_numbers_grow_by_one_from_one(cache: AsyncSessionCache) -> None:
    """Sequence numbers are 1, 2, 3 … over single messages and batches."""
    first = await cache.transcripts.append("s", {"n": 1})
    then = await cache.transcripts.append("s", [{"n": 2}, {"n": 3}])

    assert (first.first_seq, first.last_seq, first.count, first.created) == (1, 1, 1, True)
    assert (then.first_seq, then.last_seq, then.count, then.created) == (2, 3, 3, False)
    assert first.gen == then.gen
    assert then.revision == first.revision + 1


async def test_the_same_operation_happens_once(cache: AsyncSessionCache) -> None:
    """An operation id that was seen before answers its first reply and appends nothing."""
    first = await cache.transcripts.append("s", {"n": 1}, operation_id="op-1")
    await cache.transcripts.append("s", {"n": 2})
    again = await cache.transcripts.append("s", {"n": 1}, operation_id="op-1")

    assert (again.first_seq, again.revision, again.count) == (first.first_seq, first.revision, first.count)
    assert (first.repeated, again.repeated) == (False, True)
    assert await cache.transcripts.count("s") == 2


async def test_sixteen_operations_are_remembered(cache: AsyncSessionCache) -> None:
    """A repeat is known after 15 later writes of the session."""
    await cache.transcripts.append("s", {"n": 0}, operation_id="op")
    for number in range(15):
        await cache.transcripts.append("s", {"n": number})
    again = await cache.transcripts.append("s", {"n": 0}, operation_id="op")

    assert again.repeated
    assert await cache.transcripts.count("s") == 16


async def test_a_late_repeat_does_not_bring_a_deleted_session_back(cache: AsyncSessionCache) -> None:
    """A repeat of an append that arrives after the session was deleted answers the first reply and creates nothing."""
    await cache.transcripts.append("s", {"n": 1}, operation_id="op")
    await cache.sessions.delete("s")
    again = await cache.transcripts.append("s", {"n": 1}, operation_id="op")

    assert again.repeated
    assert not await cache.sessions.exists("s")


async def test_one_operation_id_serves_different_calls(cache: AsyncSessionCache) -> None:
    """The same id given to two kinds of calls means two operations."""
    await cache.transcripts.append("s", {"n": 1}, operation_id="turn-7")
    updated = await cache.sessions.update("s", title="seven", operation_id="turn-7")

    assert (updated.changed, updated.repeated) == (True, False)


async def test_a_base_revision_must_be_the_current_one(cache: AsyncSessionCache) -> None:
    """A write based on an older revision is VersionConflict with both revisions, and writes nothing."""
    first = await cache.transcripts.append("s", {"n": 1})
    await cache.transcripts.append("s", {"n": 2})
    with pytest.raises(VersionConflict) as caught:
        await cache.transcripts.append("s", {"n": 3}, base=Base(revision=first.revision))

    assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert await cache.transcripts.count("s") == 2


async def test_base_revision_zero_means_only_if_new(cache: AsyncSessionCache) -> None:
    """A base of revision 0 creates a session, and conflicts with one that is there."""
    created = await cache.transcripts.append("s", {"n": 1}, base=Base(revision=0))
    with pytest.raises(VersionConflict):
        await cache.transcripts.append("s", {"n": 2}, base=Base(revision=0))

    assert created.created


async def test_a_base_of_a_former_incarnation_is_refused(cache: AsyncSessionCache) -> None:
    """A write based on a deleted session is SessionGone, whether or not the id is in use again."""
    first = await cache.transcripts.append("s", {"n": 1})
    await cache.sessions.delete("s")
    with pytest.raises(SessionGone):
        await cache.transcripts.append("s", {"n": 2}, base=Base(gen=first.gen))
    await cache.transcripts.append("s", {"n": 3})
    with pytest.raises(SessionGone):
        await cache.transcripts.append("s", {"n": 4}, base=Base(gen=first.gen))

    assert (await cache.transcripts.list("s")).messages == [{"n": 3}]


@pytest.mark.parametrize(
    "messages,text",
    [
        ([], "no message"),
        ("text", "not str"),
        ([{"ok": 1}, "text"], "message 1 is a str"),
        (b"[1]", "JSON array"),
        (b"{broken", "not JSON"),
        (b'{"n": NaN}', "NaN"),
        ({"n": float("nan")}, "JSON"),
        ({"o": object()}, "JSON"),
        (7, "not int"),
    ],
)
@pytest.mark.engines("valkey")
async def test_what_is_no_message_is_refused(cache: AsyncSessionCache, messages: object, text: str) -> None:
    """Anything but JSON objects is InvalidArgument that says which one and why; nothing is written."""
    with pytest.raises(InvalidArgument, match=text):
        await cache.transcripts.append("s", messages)  # type: ignore[arg-type] # the point of the test

    assert not await cache.sessions.exists("s")


@pytest.mark.engines("valkey")
@pytest.mark.parametrize(
    "session_id,text",
    [("", "empty"), ("x" * 513, "513"), ("é" * 257, "514"), ("a\nb", "control"), ("a\x00", "control"), (7, "int")],
)
async def test_a_bad_session_id_is_refused(cache: AsyncSessionCache, session_id: str, text: str) -> None:
    """Empty, too long, with control characters, or no text: InvalidArgument that says so."""
    with pytest.raises(InvalidArgument, match=text):
        await cache.transcripts.append(session_id, {"n": 1})


@pytest.mark.parametrize("session_id", ["a:b", "{x}", "*", "a b", "é🙂", "%", "s:transcript", "[a-z]", "x" * 512])
async def test_any_other_text_is_a_session_id(cache: AsyncSessionCache, session_id: str) -> None:
    """Ids with characters that mean something in keys or patterns are ids like any other."""
    await cache.transcripts.append(session_id, {"id": session_id})
    await cache.transcripts.append("other", {"id": "other"})

    assert (await cache.transcripts.list(session_id)).messages == [{"id": session_id}]
    assert {session.id for session in await cache.sessions.list()} == {session_id, "other"}


async def test_entry_and_batch_limits(cache: AsyncSessionCache) -> None:
    """A message over the size limit, or more than 500 in one call, is LimitExceeded; nothing is written."""
    with pytest.raises(LimitExceeded, match="1048576"):
        await cache.transcripts.append("s", {"text": "x" * 1_048_577})
    with pytest.raises(LimitExceeded, match="limit is 500"):
        await cache.transcripts.append("s", [{"n": n} for n in range(501)])

    assert not await cache.sessions.exists("s")


async def test_quotas_of_the_session(cache: AsyncSessionCache) -> None:
    """A write that would take the session over its quota of messages or bytes is refused as a whole."""
    await cache.retention.save(RetentionPolicy(quota_messages=3, quota_bytes=60))
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    with pytest.raises(LimitExceeded, match="4 messages"):
        await cache.transcripts.append("s", [{"n": 3}, {"n": 4}])
    with pytest.raises(LimitExceeded, match="bytes"):
        await cache.transcripts.append("s", {"n": "x" * 60})
    await cache.transcripts.append("s", {"n": 3})

    assert (await cache.transcripts.list("s")).messages == [{"n": 1}, {"n": 2}, {"n": 3}]


async def test_the_caller_may_be_named_at_creation(cache: AsyncSessionCache) -> None:
    """An append that creates the session gives it its owner; later ones do not change it."""
    await cache.transcripts.append("s", {"n": 1}, user="ada")
    await cache.transcripts.append("s", {"n": 2}, user="bob")
    session = await cache.sessions.get("s")

    assert session is not None
    assert session.user == "ada"
