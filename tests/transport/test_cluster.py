"""A cluster whose slots move while calls are under way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.exceptions import ResponseError

from sessioncache import AsyncSessionCache, BackendUnavailable, SessionCache
from sessioncache.embedded import EmbeddedCluster, EmbeddedServer
from sessioncache.embedded.waiting import wait_for
from sessioncache.errors import SessionCacheError
from sessioncache.transport.cluster_async import AsyncClusterTransport
from sessioncache.transport.node_async import AsyncNode
from sessioncache.transport.slots import SLOTS, SlotMap, slot_of
from sessioncache.wire.call import Call
from sessioncache.wire.keys import Key
from tests.engines import Engine
from tests.engines.caches import make_async_cache, make_sync_cache
from tests.transport.ledger import Ledger

pytestmark = [pytest.mark.engines("cluster"), pytest.mark.usefixtures("transport")]

PATIENT: dict[str, Any] = {"call_timeout_ms": 50_000, "retry_wait_max_ms": 50}


def cluster_of(engine: Engine) -> EmbeddedCluster:
    """The engine's cluster."""
    assert engine.cluster is not None
    return engine.cluster


def settled(cluster: EmbeddedCluster) -> EmbeddedCluster:
    """Wait until all nodes know the newest epoch.

    A slot that moves on before that has a new owner with an older epoch; the nodes then take it back, and two of them
    go on naming each other.
    """

    def agree() -> bool:
        told = [node.command("CLUSTER", "INFO") for node in cluster.nodes]
        return (
            len({re.findall(rb"cluster_current_epoch:(\d+)", info)[0] for info in told if isinstance(info, bytes)}) == 1
        )

    wait_for(agree, "one epoch on every node", timeout_s=30)
    cluster.wait_until_ok()
    return cluster


def other_than(cluster: EmbeddedCluster, owner: EmbeddedServer) -> EmbeddedServer:
    """A primary that is not the owner."""
    return next(node for node in cluster.primaries() if node is not owner)


def slot_of_chat(cache: AsyncSessionCache | SessionCache) -> int:
    """The slot of the session `chat`."""
    return slot_of(cache.keys.session("chat").record)


async def test_a_moved_slot_is_followed(engine: Engine, cache: AsyncSessionCache) -> None:
    """After MOVED the call goes to the new owner, and so do those after it."""
    cluster = cluster_of(engine)
    await cache.transcripts.append("chat", {"n": 0})
    slot = slot_of_chat(cache)
    for number in range(1, 4):
        target = other_than(cluster, cluster.owner_of(slot))
        await asyncio.to_thread(settled(cluster).migrate_slot, slot, target)
        appended = await cache.transcripts.append("chat", {"n": number})
        assert (appended.last_seq, appended.repeated) == (number + 1, False)
    assert len(await cache.sessions.list()) == 1


async def test_a_slot_on_its_way_answers_ask(engine: Engine, cache: AsyncSessionCache) -> None:
    """What has moved already is read at the importing node, by ASK, before the move is over."""
    cluster = cluster_of(engine)
    await cache.transcripts.append("chat", {"n": 0})
    await cache.retention.update("chat", keep_messages=7)
    slot = slot_of_chat(cache)
    migration = settled(cluster).begin_migration(slot, other_than(cluster, cluster.owner_of(slot)))
    while migration.move_keys():
        continue
    (counters,) = await cache.upkeep.counters(["chat"])
    assert counters == (1, 7, *[0] * 10)
    migration.finish()
    assert (await cache.retention.get_own("chat")).keep_messages == 7


async def test_a_new_session_waits_until_its_slot_has_moved(engine: Engine, cache: AsyncSessionCache) -> None:
    """A call with several keys cannot run in a slot on its way; it waits, and happens once when the move is over."""
    cluster = cluster_of(engine)
    await cache.open()
    slot = slot_of_chat(cache)
    migration = settled(cluster).begin_migration(slot, other_than(cluster, cluster.owner_of(slot)))
    writer = asyncio.create_task(cache.transcripts.append("chat", {"n": 0}))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not writer.done()
    while migration.move_keys():
        continue
    migration.finish()
    appended = await writer
    assert (appended.last_seq, appended.repeated) == (1, False)


async def test_a_half_moved_session_waits_and_is_written_once(engine: Engine, cache: AsyncSessionCache) -> None:
    """While a session's keys lie on two nodes calls wait (TRYAGAIN); when the move is over they go through, once."""
    cluster = cluster_of(engine)
    await cache.transcripts.append("chat", {"n": 0})
    slot = slot_of_chat(cache)
    migration = settled(cluster).begin_migration(slot, other_than(cluster, cluster.owner_of(slot)))
    assert migration.move_keys(1) == 1
    writers = [asyncio.create_task(cache.transcripts.append("chat", {"n": number})) for number in (1, 2)]
    reader = asyncio.create_task(cache.transcripts.list("chat", last=1))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not any(task.done() for task in (*writers, reader))
    while migration.move_keys():
        continue
    migration.finish()
    assert sorted(appended.last_seq for appended in await asyncio.gather(*writers)) == [2, 3]
    assert (await reader).count >= 1
    assert await cache.transcripts.count("chat") == 3


async def test_slots_that_move_under_load(engine: Engine, namespace: str) -> None:
    """Writers go on while their slots move to and fro: nothing is lost, nothing is there twice, order is kept."""
    cluster = cluster_of(engine)
    async with make_async_cache(engine, namespace, **PATIENT) as cache:
        sessions = ["a", "b", "c", "d"]
        ledger = Ledger(cache, sessions=sessions, writers=8)
        slots = sorted({slot_of(cache.keys.session(session).record) for session in sessions})

        def reshard() -> None:
            for slot in [*slots, *slots]:
                owner = cluster.owner_of(slot)
                migration = settled(cluster).begin_migration(slot, other_than(cluster, owner))
                while migration.move_keys(2):
                    continue
                migration.finish()

        await ledger.during(lambda: asyncio.to_thread(reshard))
        assert ledger.unknown == set()
        await ledger.check()


async def test_an_old_map_is_corrected_for_calls_sent_together(engine: Engine, cache: AsyncSessionCache) -> None:
    """Calls sent together, some to a node that has their slot no more, are all answered in their places."""
    cluster = cluster_of(engine)
    for number in range(12):
        await cache.transcripts.append(f"chat {number}", {"n": number})
    for keys in cache.keys:
        slot = slot_of(keys.totals)
        await asyncio.to_thread(settled(cluster).migrate_slot, slot, other_than(cluster, cluster.owner_of(slot)))
    assert sum(shard.sessions for shard in await cache.stats.shards()) == 12
    assert len(await cache.sessions.list()) == 12


def test_the_sync_side_follows_moved_slots(engine: Engine, namespace: str) -> None:
    """The generated twin follows MOVED, alone and in a batch."""
    cluster = cluster_of(engine)
    with make_sync_cache(engine, namespace) as cache:
        cache.transcripts.append("chat", {"n": 0})
        slot = slot_of_chat(cache)
        settled(cluster).migrate_slot(slot, other_than(cluster, cluster.owner_of(slot)))
        assert cache.transcripts.append("chat", {"n": 1}).last_seq == 2
        settled(cluster).migrate_slot(slot, other_than(cluster, cluster.owner_of(slot)))
        assert sum(shard.messages for shard in cache.stats.shards()) == 2


async def test_any_node_is_a_seed(engine: Engine, namespace: str) -> None:
    """One node's address is enough, and dead ones among the seeds do no harm."""
    cluster = cluster_of(engine)
    for node in cluster.nodes:
        url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{node.port}"
        async with AsyncSessionCache.from_url(url, namespace=namespace, shards=4) as cache:
            await cache.transcripts.append("chat", {"port": node.port})
    async with make_async_cache(engine, namespace) as cache:
        assert await cache.transcripts.count("chat") == len(cluster.nodes)


async def test_a_server_that_is_no_cluster_is_named(namespace: str) -> None:
    """A cluster URL for a server that is none fails with what the server said."""
    with EmbeddedServer(appendonly=False) as server:
        url = f"redis+cluster://127.0.0.1:{server.port}"
        cache = AsyncSessionCache.from_url(url, namespace=namespace, call_timeout_ms=30, retry_wait_max_ms=5)
        with pytest.raises(SessionCacheError, match="cluster support disabled"):
            await cache.sessions.exists("chat")
        await cache.aclose()


def test_a_slot_that_nobody_serves_is_unavailable() -> None:
    """A map with a hole says which slot is missing."""
    slots = SlotMap([[0, 99, [b"10.0.0.1", 7000]], [200, SLOTS - 1, [b"", 7001]]], asked=("10.0.0.9", 1))
    assert (slots.owner(5), slots.owner(200)) == (("10.0.0.1", 7000), ("10.0.0.9", 7001))
    with pytest.raises(BackendUnavailable, match="serves slot 150"):
        slots.owner(150)
    slots.move(150, ("10.0.0.1", 7000))
    assert slots.owner(150) == ("10.0.0.1", 7000)


class _Told:
    """A node that tells one map, and has every call refused."""

    def __init__(self, reply: list[Any], outcome: object) -> None:
        self._reply = reply
        self._outcome = outcome
        self.told = 0

    async def run(self, calls: Sequence[Call[Any]]) -> list[Any]:
        self.told += calls[0].name == "cluster.slots"
        return [self._reply if call.name == "cluster.slots" else self._outcome for call in calls]

    async def run_one(self, call: Call[Any]) -> object:
        (outcome,) = await self.run((call,))
        return outcome


PING: Call[Any] = Call("server.ping", "PING", (), (), decode=bytes, routed_by=Key("key"))


async def test_a_map_with_a_hole_is_asked_for_again() -> None:
    """A slot that nobody served when the map was made is found once somebody does."""
    reply: list[Any] = [[0, 0, [b"a", 1]]]
    node = _Told(reply, b"PONG")
    cluster = AsyncClusterTransport(lambda _address: cast("AsyncNode", node), [("a", 1)])
    with pytest.raises(BackendUnavailable, match="serves slot"):
        await cluster.call(PING)
    reply[0][1] = SLOTS - 1
    assert await cluster.call(PING) == b"PONG"
    assert node.told == 2


async def test_a_node_that_was_cut_off_is_not_believed_twice_running() -> None:
    """Where the map of one node leads to a node that does not answer, another node is asked."""
    nodes = {
        ("old", 1): _Told([[0, SLOTS - 1, [b"old", 1]]], ResponseError("CLUSTERDOWN The cluster is down")),
        ("new", 2): _Told([[0, SLOTS - 1, [b"new", 2]]], b"PONG"),
    }
    cluster = AsyncClusterTransport(lambda address: cast("AsyncNode", nodes[address]), list(nodes))
    with pytest.raises(BackendUnavailable):
        await cluster.call(PING)
    assert await cluster.call(PING) == b"PONG"


def test_keys_of_a_shard_share_a_slot(engine: Engine) -> None:
    """Our slot of a key is the server's."""
    cluster = cluster_of(engine)
    for name in ("sc:{acme:3}:s:chat", "sc:{acme:3}:totals", "sc:{acme}:config", "plain"):
        assert slot_of(Key(name)) == cluster.slot_of(name)
