"""Contract 001 over a cache, in both colours on every engine, and what the contract itself does not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest

from sessioncache import AsyncSessionCache, SessionCache
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.stores import (
    AsyncAssetStore,
    AsyncContextStorage,
    AsyncTranscriptStore,
    ListOptions,
    TranscriptMessage,
    TranscriptStore,
)
from sessioncache.testing import AsyncRecordingTransport
from sessioncache.testing.conformance import AsyncTranscriptStoreConformance, TranscriptStoreConformance
from tests.engines.caches import lowest_transport, make_sync_cache
from tests.engines.engine import Engine


class TestAsync(AsyncTranscriptStoreConformance):
    """The async store."""

    @pytest.fixture
    async def store(self, cache: AsyncSessionCache) -> AsyncTranscriptStore:
        return AsyncTranscriptStore(cache)

    @pytest.fixture
    async def other_store(self, other_cache: AsyncSessionCache) -> AsyncTranscriptStore:
        return AsyncTranscriptStore(other_cache)


class TestSync(TranscriptStoreConformance):
    """The sync store."""

    @pytest.fixture
    def store(self, sync_cache: SessionCache) -> TranscriptStore:
        return TranscriptStore(sync_cache)

    @pytest.fixture
    def other_store(self, engine: Engine, namespace: str) -> Iterator[TranscriptStore]:
        with make_sync_cache(engine, namespace) as opened:
            yield TranscriptStore(opened)


@pytest.fixture
async def recorded(engine: Engine, namespace: str) -> AsyncIterator[tuple[AsyncSessionCache, AsyncRecordingTransport]]:
    """A cache, and what it sent."""
    lowest, settings = lowest_transport(engine, namespace)
    recording = AsyncRecordingTransport(lowest)
    async with AsyncSessionCache(recording, settings) as opened:
        yield opened, recording


@pytest.mark.engines("valkey", "fakeredis")
async def test_a_small_page_reads_only_its_own_length(
    recorded: tuple[AsyncSessionCache, AsyncRecordingTransport],
) -> None:
    """The first page of a long list is one look at each shard, for its share of the page."""
    cache, recording = recorded
    store = AsyncTranscriptStore(cache)
    for number in range(60):
        await store.save(f"chat-{number}", [])
    recording.calls.clear()
    assert len(await store.list_paginated(ListOptions(limit=4))) == 4
    listed = [call for call in recording.calls if call.name == "sessions.list"]
    assert len(listed) == len(list(cache.keys))
    assert max(int(call.args[5]) for call in listed) <= 8


async def test_a_message_that_cannot_be_read_is_an_error(cache: AsyncSessionCache) -> None:
    """A stored message without a role is a DecodeError that names it, not a shorter transcript."""
    await cache.transcripts.append("chat", [{"role": "user", "content": "hi"}, {"text": "nobody"}])
    with pytest.raises(DecodeError, match="message 2") as caught:
        await AsyncTranscriptStore(cache).load("chat")
    assert caught.value.seq == 2


async def test_messages_of_other_writers_can_be_loaded(cache: AsyncSessionCache) -> None:
    """A message with a role and fields that the contract does not know is loaded and saved again as it was."""
    message = {"role": "developer", "content": None, "tool_calls": [{"id": "t"}]}
    await cache.transcripts.append("chat", message)
    store = AsyncTranscriptStore(cache)
    loaded = await store.load("chat")
    assert loaded is not None
    assert loaded[0].role == "developer"
    await store.save("chat", [*loaded, TranscriptMessage(role="user", content="go on")])
    again = await cache.transcripts.list("chat")
    assert again.messages[0] == message


async def test_a_save_keeps_what_is_no_message(cache: AsyncSessionCache) -> None:
    """Replacing a transcript leaves title, metadata and documents of the session as they are."""
    await cache.transcripts.append("chat", {"role": "user", "content": "hi"})
    await cache.sessions.update("chat", title="Flight", metadata={"a": 1})
    await cache.documents.save("chat", {"state": {"b": 2}})
    await AsyncTranscriptStore(cache).save("chat", [])
    session = await cache.sessions.get("chat")
    assert session is not None
    assert (session.title, session.metadata, session.messages) == ("Flight", {"a": 1}, 0)
    assert (await cache.documents.get("chat")).values == {"state": {"b": 2}}


@pytest.mark.engines("valkey")
async def test_a_page_deep_in_a_long_list_does_not_walk_there(
    recorded: tuple[AsyncSessionCache, AsyncRecordingTransport],
) -> None:
    """Behind 1,200 sessions, two are read, not 1,202."""
    cache, recording = recorded
    store = AsyncTranscriptStore(cache)
    for number in range(1_210):
        await store.save(f"chat-{number:04}", [])
    whole = await store.list()
    recording.calls.clear()
    assert await store.list_paginated(ListOptions(offset=1_200, limit=2)) == whole[1_200:1_202]
    listed = [call for call in recording.calls if call.name == "sessions.list"]
    assert sum(int(call.args[5]) for call in listed) <= 100


@pytest.mark.engines("valkey", "fakeredis")
async def test_long_lists_are_whole(cache: AsyncSessionCache) -> None:
    """More sessions than one page are all listed, once each, by every contract that lists."""
    ids = [str(UUID(int=number)) for number in range(1_100)]
    for at in range(0, len(ids), 100):
        await asyncio.gather(*(AsyncTranscriptStore(cache).save(session_id, []) for session_id in ids[at : at + 100]))
    assert sorted(record.id for record in await AsyncTranscriptStore(cache).list()) == ids
    assert sorted(meta.id for meta in await AsyncAssetStore(cache).list()) == ids
    assert [str(session_id) for session_id in await AsyncContextStorage(cache).list_sessions()] == ids
    part = await AsyncTranscriptStore(cache).list_paginated(ListOptions(offset=50, limit=1_020))
    assert len({record.id for record in part}) == 1_020


@pytest.mark.engines("fakeredis")
@pytest.mark.parametrize("options", [5, 0, {"limit": 5}, "5"])
async def test_a_page_is_asked_for_by_options(cache: AsyncSessionCache, options: object) -> None:
    """Anything else in the place of options is refused, and said so; None are the default ones."""
    store = AsyncTranscriptStore(cache)
    with pytest.raises(InvalidArgument, match="options must be ListOptions, not"):
        await store.list_paginated(options)  # type: ignore[arg-type]  # that it is refused is the fact
    assert await store.list_paginated(None) == await store.list()
