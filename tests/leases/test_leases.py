"""Leases on sessions: one holder at a time, and nobody who comes back late writes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from sessioncache import (
    NO_BASE,
    AsyncSessionCache,
    Base,
    InvalidArgument,
    LeaseLost,
    LeaseNotAcquired,
    LimitExceeded,
    Session,
    SessionCache,
    SessionLease,
)
from tests.engines import Engine, list_keys

NOW_MS = 4_000_000_000_000
TTL_MS = 10_000

Cache: TypeAlias = AsyncSessionCache
LateWrite: TypeAlias = Callable[[Cache, Base], Awaitable[object]]

WRITES: dict[str, LateWrite] = {
    "append": lambda cache, base: cache.transcripts.append("s", {"n": 9}, base=base),
    "replace": lambda cache, base: cache.transcripts.save("s", [{"n": 9}], base=base),
    "pop": lambda cache, base: cache.transcripts.pop("s", base=base),
    "save": lambda cache, base: cache.sessions.save(Session(id="s", title="late"), base=base),
    "update": lambda cache, base: cache.sessions.update("s", title="late", base=base),
    "delete": lambda cache, base: cache.sessions.delete("s", base=base),
    "documents": lambda cache, base: cache.documents.save("s", {"state": 9}, base=base),
    "room": lambda cache, base: cache.checkpoints.save("s", "c9", {"n": 9}, base=base),
    "room delete": lambda cache, base: cache.checkpoints.delete("s", "c1", base=base),
    "retention": lambda cache, base: cache.retention.update("s", keep_messages=1, base=base),
}


def set_clocks(now_ms: int | None, *caches: AsyncSessionCache) -> None:
    """Make it this time for these clients."""
    for cache in caches:
        cache.keys.now_override_ms = now_ms


async def fill(cache: AsyncSessionCache) -> None:
    """A session with something of everything."""
    await cache.transcripts.append("s", [{"n": 1}, {"n": 2}])
    await cache.documents.save("s", {"state": 1})
    await cache.checkpoints.save("s", "c1", {"n": 1})


@pytest.mark.engines("fakeredis", "valkey", "redis", "cluster", "acl")
@pytest.mark.parametrize("name", WRITES)
async def test_a_late_writer_is_refused(cache: Cache, other_cache: Cache, name: str) -> None:
    """Once the lease ran out and somebody else has taken it, nothing that its holder writes is done."""
    set_clocks(NOW_MS, cache, other_cache)
    await fill(cache)
    late = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    with pytest.raises(LeaseNotAcquired):
        await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    set_clocks(NOW_MS + TTL_MS, cache, other_cache)
    newer = await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    assert newer.token > late.token
    before = await cache.sessions.get("s")
    with pytest.raises(LeaseLost):
        await WRITES[name](cache, late.base)
    assert await cache.sessions.get("s") == before
    await WRITES[name](other_cache, newer.base)
    assert await cache.sessions.get("s") != before


@pytest.mark.parametrize("name", WRITES)
async def test_the_holder_writes(cache: Cache, name: str) -> None:
    """Every write goes through under the lease, and without a base, too."""
    await fill(cache)
    lease = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    await WRITES[name](cache, lease.base)
    await fill(cache)
    await WRITES[name](cache, NO_BASE)


async def test_a_lease_that_ran_out_is_good_until_somebody_takes_it(cache: Cache) -> None:
    """Late, but nobody was there meanwhile: the write goes through, and the lease can be renewed."""
    set_clocks(NOW_MS, cache)
    lease = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    set_clocks(NOW_MS + 5 * TTL_MS, cache)
    await cache.transcripts.append("s", {"n": 1}, base=lease.base)
    renewed = await cache.leases.renew(lease, ttl_ms=TTL_MS)
    assert (renewed.token, renewed.until_ms) == (lease.token, NOW_MS + 6 * TTL_MS)


async def test_renewing_extends(cache: Cache, other_cache: Cache) -> None:
    """A lease that is renewed does not run out when it would have."""
    set_clocks(NOW_MS, cache, other_cache)
    lease = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    set_clocks(NOW_MS + TTL_MS - 1, cache, other_cache)
    await cache.leases.renew(lease, ttl_ms=TTL_MS)
    set_clocks(NOW_MS + TTL_MS + 1, cache, other_cache)
    with pytest.raises(LeaseNotAcquired):
        await other_cache.leases.acquire("s", ttl_ms=TTL_MS)


async def test_a_lease_from_a_clock_that_ran_ahead_is_taken_over(cache: Cache, other_cache: Cache) -> None:
    """A lease that ends later than any can is free; whoever takes it has a newer token, and its holder is refused."""
    set_clocks(NOW_MS + 400 * 86_400_000, cache, other_cache)
    await fill(cache)
    late = await cache.leases.acquire("s", ttl_ms=86_400_000)
    set_clocks(NOW_MS, cache, other_cache)
    newer = await other_cache.leases.acquire("s", ttl_ms=86_400_000)
    assert newer.token > late.token
    with pytest.raises(LeaseLost):
        await cache.leases.renew(late, ttl_ms=TTL_MS)
    with pytest.raises(LeaseNotAcquired):
        await cache.leases.acquire("s", ttl_ms=TTL_MS)


async def test_a_clock_that_is_set_back_a_little_frees_no_lease(cache: Cache, other_cache: Cache) -> None:
    """The longest lease is held, also where the server's clock is set back by seconds right behind it."""
    set_clocks(NOW_MS, cache, other_cache)
    await cache.leases.acquire("s", ttl_ms=86_400_000)
    set_clocks(NOW_MS - 60_000, cache, other_cache)
    with pytest.raises(LeaseNotAcquired):
        await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    set_clocks(NOW_MS - 60_001, cache, other_cache)
    await other_cache.leases.acquire("s", ttl_ms=TTL_MS)


async def test_a_lease_that_was_taken_over_is_not_renewed(cache: Cache, other_cache: Cache) -> None:
    """Who lost it is told, by renewing and by releasing, and the new holder keeps it."""
    set_clocks(NOW_MS, cache, other_cache)
    late = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    set_clocks(NOW_MS + TTL_MS, cache, other_cache)
    newer = await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    with pytest.raises(LeaseLost):
        await cache.leases.renew(late, ttl_ms=TTL_MS)
    assert await cache.leases.release(late) is False
    await other_cache.leases.renew(newer, ttl_ms=TTL_MS)


async def test_releasing_frees_at_once(cache: Cache, other_cache: Cache) -> None:
    """What was given back is there for the next, who has a newer token."""
    first = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    assert await cache.leases.release(first) is True
    assert await cache.leases.release(first) is False
    second = await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        await cache.leases.renew(first, ttl_ms=TTL_MS)


async def test_the_same_holder_takes_it_again(cache: Cache) -> None:
    """A holder that forgot its lease takes it again at once; what it began under the first is fenced off."""
    first = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    second = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    assert (second.holder, second.session_id) == ("me", "s")
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        await cache.transcripts.append("s", {"n": 1}, base=first.base)


async def test_tokens_grow_with_a_clock_that_goes_back(cache: Cache) -> None:
    """A clock that was set back by a year gives no lower token, whether or not the lease was used."""
    set_clocks(NOW_MS, cache)
    first = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    assert first.token == NOW_MS
    set_clocks(NOW_MS - 31_536_000_000, cache)
    second = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    assert second.token == NOW_MS + 1
    await cache.transcripts.append("s", {"n": 1}, base=second.base)
    await cache.sessions.delete("s")
    third = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="you")
    assert third.token == NOW_MS + 2


async def test_tokens_grow_across_deletion(cache: Cache) -> None:
    """Deleting a session takes its lease away, and later leases still have higher tokens, delete upon delete."""
    set_clocks(NOW_MS, cache)
    tokens: list[int] = []
    for number in range(40):
        await cache.transcripts.append("s", {"n": number})
        lease = await cache.leases.acquire("s", ttl_ms=TTL_MS)
        tokens.append(lease.token)
        assert await cache.sessions.delete("s", base=lease.base) is True
        with pytest.raises(LeaseLost):
            await cache.leases.renew(lease, ttl_ms=TTL_MS)
    assert tokens == list(range(NOW_MS, NOW_MS + 40))


async def test_deleting_keeps_operation_ids_and_is_bounded(cache: Cache, engine: Engine) -> None:
    """The token in the tombstone drives no operation id out, and the tombstone does not grow."""
    for number in range(20):
        await cache.transcripts.append("s", {"n": number}, operation_id=f"append {number}")
        await cache.leases.acquire("s", ttl_ms=TTL_MS)
        await cache.sessions.delete("s", operation_id=f"delete {number}")
    repeated = await cache.transcripts.append("s", {"n": 19}, operation_id="append 19")
    assert repeated.repeated
    assert await cache.sessions.exists("s") is False
    names = [key.name for key in list_keys(engine) if key.name.endswith(("lease", "tombstone"))]
    assert [name.rpartition(":")[2] for name in names] == ["tombstone"]


async def test_a_late_writer_does_not_bring_a_deleted_session_back(cache: Cache, other_cache: Cache) -> None:
    """The lease went with the session; its older token is refused, though a newer session has no lease at all."""
    late = await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    newer = await other_cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me")
    await other_cache.transcripts.append("s", {"n": 1}, base=newer.base)
    await other_cache.sessions.delete("s", base=newer.base)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            await cache.transcripts.append("s", {"n": 2}, base=late.base)
        await other_cache.documents.save("s", {"state": 1})


async def test_a_lease_outlives_expiry(cache: Cache, other_cache: Cache) -> None:
    """A session that expires under a lease is still held: others are refused, the holder begins it anew."""
    set_clocks(NOW_MS, cache, other_cache)
    await cache.transcripts.append("s", {"n": 1})
    await cache.retention.update("s", ttl_ms=60_000)
    lease = await cache.leases.acquire("s", ttl_ms=80_000_000)
    set_clocks(NOW_MS + 70_000_000, cache, other_cache)
    await cache.upkeep.expire(cache.keys.shard_of("s"), ["s"])
    assert await cache.sessions.exists("s") is False
    with pytest.raises(LeaseNotAcquired):
        await other_cache.leases.acquire("s", ttl_ms=TTL_MS)
    await cache.transcripts.append("s", {"n": 1}, base=lease.base)
    set_clocks(NOW_MS + 80_000_000, cache, other_cache)
    assert (await other_cache.leases.acquire("s", ttl_ms=TTL_MS)).token > lease.token
    with pytest.raises(LeaseLost):
        await cache.transcripts.append("s", {"n": 1}, base=lease.base)


async def test_a_lease_creates_nothing(cache: Cache) -> None:
    """The lease on an unknown session is given, and the session stays unknown."""
    lease = await cache.leases.acquire("nobody", ttl_ms=TTL_MS)
    assert await cache.sessions.get("nobody") is None
    assert await cache.sessions.count() == 0
    assert (await cache.stats.get()).changes == 0
    await cache.transcripts.append("nobody", {"n": 1}, base=lease.base)
    assert await cache.transcripts.count("nobody") == 1


async def test_one_of_two_gets_it(cache: Cache, other_cache: Cache) -> None:
    """Of many who ask at once, one has it, and it can write."""
    asked = [one.leases.acquire("s", ttl_ms=TTL_MS) for one in (cache, other_cache) for _ in range(10)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    [won] = [result for result in results if not isinstance(result, BaseException)]
    assert [type(result) for result in results if result is not won] == [LeaseNotAcquired] * 19
    await cache.transcripts.append("s", {"n": 1}, base=won.base)


async def test_waiting_ends_when_the_lease_is_given_back(cache: Cache, other_cache: Cache) -> None:
    """Who waits has the lease soon after it is free; who waits in vain is told."""
    lease = await cache.leases.acquire("s", ttl_ms=60_000)
    waiting = asyncio.create_task(other_cache.leases.acquire("s", ttl_ms=TTL_MS, wait_ms=30_000))
    with pytest.raises(LeaseNotAcquired):
        await other_cache.leases.acquire("s", ttl_ms=TTL_MS, wait_ms=20)
    assert not waiting.done()
    await cache.leases.release(lease)
    assert (await waiting).token > lease.token


async def test_holding_releases_however_the_block_ends(cache: Cache) -> None:
    """Behind the block the lease is free: at its end, at an exception, and when the task is cancelled."""
    async with cache.leases.hold("s", ttl_ms=TTL_MS) as lease:
        await cache.transcripts.append("s", {"n": 1}, base=lease.base)
        with pytest.raises(LeaseNotAcquired):
            await cache.leases.acquire("s", ttl_ms=TTL_MS)
    with pytest.raises(ZeroDivisionError):
        async with cache.leases.hold("s", ttl_ms=TTL_MS):
            raise ZeroDivisionError
    inside = asyncio.Event()

    async def work() -> None:
        async with cache.leases.hold("s", ttl_ms=TTL_MS):
            inside.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await inside.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await cache.leases.release(await cache.leases.acquire("s", ttl_ms=TTL_MS))


async def test_holding_passes_on_that_the_lease_was_lost(cache: Cache) -> None:
    """A block whose lease somebody took over ends with what its write raised, and leaves the new lease alone."""

    async def work() -> None:
        async with cache.leases.hold("s", ttl_ms=TTL_MS, holder="me") as lease:
            taken.append(await cache.leases.acquire("s", ttl_ms=TTL_MS, holder="me"))
            await cache.transcripts.append("s", {"n": 1}, base=lease.base)

    taken: list[SessionLease] = []
    with pytest.raises(LeaseLost):
        await work()
    await cache.leases.renew(taken[0], ttl_ms=TTL_MS)


async def test_tokens_of_another_source_count(cache: Cache) -> None:
    """A lease is newer than whatever token has written, and there is an end to tokens."""
    await cache.transcripts.append("s", {"n": 1}, base=Base(fence=2**52))
    lease = await cache.leases.acquire("s", ttl_ms=TTL_MS)
    assert lease.token == 2**52 + 1
    await cache.transcripts.append("s", {"n": 1}, base=Base(fence=2**53 - 1))
    with pytest.raises(LimitExceeded):
        await cache.leases.acquire("s", ttl_ms=TTL_MS, holder=lease.holder)


async def test_bad_arguments_are_refused(cache: Cache) -> None:
    """Ids, holders and times are looked at before anything is sent."""
    lease = await cache.leases.acquire("s", ttl_ms=1)
    refused: list[Callable[[], Awaitable[object]]] = [
        lambda: cache.leases.acquire("", ttl_ms=1),
        lambda: cache.leases.acquire("s", ttl_ms=0),
        lambda: cache.leases.acquire("s", ttl_ms=86_400_001),
        lambda: cache.leases.acquire("s", ttl_ms=1, wait_ms=-1),
        lambda: cache.leases.acquire("s", ttl_ms=1, holder=""),
        lambda: cache.leases.renew(lease, ttl_ms=0),
    ]
    for asked in refused:
        with pytest.raises(InvalidArgument):
            await asked()


def test_the_sync_client_holds_leases_too(sync_cache: SessionCache) -> None:
    """The sync twin acquires, waits in vain, renews and holds."""
    with sync_cache.leases.hold("s", ttl_ms=TTL_MS) as lease:
        sync_cache.transcripts.append("s", {"n": 1}, base=lease.base)
        assert sync_cache.leases.renew(lease, ttl_ms=TTL_MS).token == lease.token
        with pytest.raises(LeaseNotAcquired):
            sync_cache.leases.acquire("s", ttl_ms=TTL_MS, wait_ms=20)
    newer = sync_cache.leases.acquire("s", ttl_ms=TTL_MS)
    assert newer.token > lease.token
    with pytest.raises(LeaseLost):
        sync_cache.transcripts.append("s", {"n": 2}, base=lease.base)
