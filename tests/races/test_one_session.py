"""Many hands on one session: nothing is lost, nothing happens twice, versions add up, the feed is in commit order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sessioncache import AsyncSessionCache, Base, Change, RetentionPolicy, Session, VersionConflict
from sessioncache.upkeep import Trimmed

WRITERS = 16
APPENDS = 20
EDITS = 25
SAVES = 25


@dataclass
class Ledger:
    """What every hand was told that it did."""

    appended: dict[int, str] = field(default_factory=dict)
    """Tag of each acknowledged message, by sequence number."""
    summarised: set[str] = field(default_factory=set)
    """Tags of the messages that went into an acknowledged summary."""
    trimmed: int = 0
    running: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, seq: int, tag: str) -> None:
        """One message was acknowledged; no number is given out twice."""
        assert seq not in self.appended
        self.appended[seq] = tag


async def _write(cache: AsyncSessionCache, ledger: Ledger, writer: int) -> None:
    for number in range(APPENDS):
        tag = f"w{writer}-{number}"
        appended = await cache.transcripts.append("s", {"tag": tag})
        ledger.note(appended.first_seq, tag)


async def _save(cache: AsyncSessionCache, ledger: Ledger) -> None:
    runner = Session(id="s", title="stale")
    for number in range(SAVES):
        tag = f"r-{number}"
        runner.title, runner.pinned, runner.metadata_version = "stale", False, 0
        saved = await cache.sessions.save(runner, messages=[{"tag": tag}])
        assert saved.first_seq is not None
        ledger.note(saved.first_seq, tag)


async def _edit(cache: AsyncSessionCache) -> None:
    for number in range(EDITS):
        await cache.sessions.update("s", title=f"title {number}")
        await cache.sessions.update("s", pinned=number % 2 == 0)


async def _summarise(cache: AsyncSessionCache, ledger: Ledger) -> None:
    """Replace what was read by a summary of it, if nobody wrote in between; those who did stay."""
    while not ledger.done.is_set():
        page = await cache.transcripts.list("s")
        tags = {tag for entry in page for tag in entry.message.get("summary", [entry.message.get("tag")])}
        if len(page) < 2:
            await asyncio.sleep(0)
            continue
        try:
            await cache.transcripts.save(
                "s", [{"summary": sorted(tags)}], through=page.items[-1].seq, base=Base(revision=page.revision)
            )
        except VersionConflict:
            continue
        ledger.summarised |= tags


async def _prune(cache: AsyncSessionCache, ledger: Ledger, policy: RetentionPolicy) -> None:
    shard = cache.keys.shard_of("s")
    while not ledger.done.is_set():
        (trimmed,) = await cache.upkeep.trim(shard, ["s"], policy)
        assert isinstance(trimmed, Trimmed)
        ledger.trimmed += trimmed.messages


async def test_everybody_at_once(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """16 writers, a runtime saver, an editor, a summariser and a pruner share a session, over two clients."""
    await cache.retention.save(RetentionPolicy(keep_pinned=False))
    await cache.sessions.save(Session(id="s"))
    ledger = Ledger()
    async with cache.feed.subscribe("s") as changes:
        background = [
            asyncio.create_task(_summarise(other_cache, ledger)),
            asyncio.create_task(_prune(cache, ledger, RetentionPolicy(keep_messages=60))),
        ]
        await asyncio.gather(
            *(_write((cache, other_cache)[writer % 2], ledger, writer) for writer in range(WRITERS)),
            _save(other_cache, ledger),
            _edit(cache),
        )
        ledger.done.set()
        await asyncio.gather(*background)
        session = await cache.sessions.get("s")
        assert session is not None
        told: list[Change] = []
        while not told or told[-1].revision < session.revision:
            told += await changes.read()

    entries = [entry async for entry in cache.transcripts.each("s")]
    present = {entry.seq: entry.message["tag"] for entry in entries if "tag" in entry.message}
    summarised = {tag for entry in entries for tag in entry.message.get("summary", [])}

    assert len(ledger.appended) == WRITERS * APPENDS + SAVES
    assert all(ledger.appended[seq] == tag for seq, tag in present.items())
    assert summarised <= ledger.summarised
    assert not summarised & set(present.values())
    gone = set(ledger.appended.values()) - set(present.values()) - ledger.summarised
    assert len(gone) <= ledger.trimmed
    assert session.messages == len(entries) == await cache.transcripts.count("s")
    assert (await cache.stats.get()).messages == len(entries)
    assert (session.title, session.title_version) == (f"title {EDITS - 1}", EDITS)
    assert session.metadata_version == EDITS + EDITS
    assert [change.revision for change in told] == list(range(told[0].revision, session.revision + 1))
    versions = [int(change.details["metadata_version"]) for change in told if change.kind == "session.updated"]
    assert versions == list(range(1, 2 * EDITS + 1))


async def test_without_trimming_nothing_is_gone(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Writers and a summariser: every acknowledged message is there, or in exactly the summary that took it."""
    await cache.sessions.save(Session(id="s"))
    ledger = Ledger()
    summariser = asyncio.create_task(_summarise(other_cache, ledger))
    await asyncio.gather(*(_write((cache, other_cache)[writer % 2], ledger, writer) for writer in range(WRITERS)))
    ledger.done.set()
    await summariser
    entries = [entry async for entry in cache.transcripts.each("s")]
    present = [entry.message["tag"] for entry in entries if "tag" in entry.message]
    summarised = [tag for entry in entries for tag in entry.message.get("summary", [])]

    assert sorted(present + summarised) == sorted(ledger.appended.values())


async def test_only_one_of_two_creators_creates(cache: AsyncSessionCache, other_cache: AsyncSessionCache) -> None:
    """Of many first writes to one id, one creates the session, and all of them are in it."""
    appended = await asyncio.gather(
        *((cache, other_cache)[number % 2].transcripts.append("s", {"n": number}) for number in range(20))
    )

    assert sum(one.created for one in appended) == 1
    assert len({one.gen for one in appended}) == 1
    assert sorted(one.first_seq for one in appended) == list(range(1, 21))


async def test_deletes_and_writes_never_mix_incarnations(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """Whoever appends while others delete is in a session that begins at 1 and holds one incarnation's messages."""

    async def delete() -> None:
        for _ in range(15):
            await other_cache.sessions.delete("s")

    async def write(writer: int) -> None:
        for number in range(15):
            appended = await cache.transcripts.append("s", {"tag": f"{writer}-{number}"})
            assert appended.created == (appended.first_seq == 1)

    await asyncio.gather(delete(), *(write(writer) for writer in range(4)))
    page = await cache.transcripts.list("s")
    stats = await cache.stats.get()

    assert [entry.seq for entry in page] == list(range(1, len(page) + 1))
    assert stats.messages == len(page)
    assert stats.sessions == int(page.exists)
