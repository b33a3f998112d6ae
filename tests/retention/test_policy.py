"""retention: the namespace's policy, sessions' own, deadlines and the keys' expiry."""

from __future__ import annotations

import pytest

from sessioncache import UNSET, AsyncSessionCache, InvalidArgument, NotFound, RetentionPolicy, Session, SessionRetention
from sessioncache.errors import DecodeError
from sessioncache.wire.script import load_script
from tests.engines import Engine
from tests.engines.raw import client_for

NOW = 1_800_000_000_000
DAY = 86_400_000


async def _deadline_ms(cache: AsyncSessionCache, session_id: str = "s") -> int | None:
    session = await cache.sessions.get(session_id)
    assert session is not None
    return None if session.deadline_at is None else round(session.deadline_at.timestamp() * 1000)


async def test_defaults_are_the_same_in_python_and_lua(cache: AsyncSessionCache) -> None:
    """A namespace without a saved policy does what a default RetentionPolicy says."""
    cache.keys.now_override_ms = NOW
    await cache.transcripts.append("s", {"n": 1})

    assert await cache.retention.get() == RetentionPolicy()
    assert await _deadline_ms(cache) == NOW + RetentionPolicy().ttl_ms
    for name in ("ttl_ms", "feed_items", "quota_messages", "quota_bytes"):
        assert str(getattr(RetentionPolicy(), name)) in load_script("transcripts.append").text


async def test_a_policy_is_there_for_everybody_at_once(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """A saved policy is what every cache reads and what the next write follows."""
    policy = RetentionPolicy(ttl_ms=60_000, keep_messages=5, quota_messages=9)
    await cache.retention.save(policy)
    other_cache.keys.now_override_ms = NOW
    await other_cache.transcripts.append("s", {"n": 1})

    assert await other_cache.retention.get() == policy
    other_cache.keys.now_override_ms = NOW + 1
    assert await _deadline_ms(other_cache) == NOW + 60_000


async def test_sliding_is_lazy(cache: AsyncSessionCache) -> None:
    """A write moves the deadline only where it would move by more than 5 % of the TTL."""
    await cache.retention.save(RetentionPolicy(ttl_ms=100_000))
    cache.keys.now_override_ms = NOW
    await cache.transcripts.append("s", {"n": 1})
    cache.keys.now_override_ms = NOW + 5_000
    await cache.transcripts.append("s", {"n": 2})
    early = await _deadline_ms(cache)
    cache.keys.now_override_ms = NOW + 5_001
    await cache.transcripts.append("s", {"n": 3})

    assert early == NOW + 100_000
    assert await _deadline_ms(cache) == NOW + 105_001


@pytest.mark.parametrize("slide", [False, True])
async def test_reads_slide_only_if_the_policy_says_so(cache: AsyncSessionCache, *, slide: bool) -> None:
    """Reads leave the deadline alone, unless slide_on_read is set."""
    await cache.retention.save(RetentionPolicy(ttl_ms=100_000, slide_on_read=slide))
    cache.keys.now_override_ms = NOW
    await cache.transcripts.append("s", {"n": 1})
    cache.keys.now_override_ms = NOW + 50_000
    await cache.transcripts.list("s", last=1)

    assert await _deadline_ms(cache) == (NOW + 150_000 if slide else NOW + 100_000)


async def test_zero_means_never(cache: AsyncSessionCache, engine: Engine) -> None:
    """With a TTL of 0 a session has no deadline, is in no list of deadlines, and its keys do not expire."""
    await cache.retention.save(RetentionPolicy(ttl_ms=0))
    await cache.transcripts.append("s", {"n": 1})
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        expiries = [client.execute_command("PTTL", key) for key in (keys.record, keys.transcript, keys.operations)]
        due = client.zcard(keys.shard.deadlines)

    assert await _deadline_ms(cache) is None
    assert expiries == [-1, -1, -1]
    assert due == 0


async def test_all_keys_of_a_session_expire_together_after_the_deadline(
    cache: AsyncSessionCache, engine: Engine
) -> None:
    """Every key of a session has one expiry, between 5 and 15 % of the TTL after the deadline."""
    await cache.retention.save(RetentionPolicy(ttl_ms=DAY))
    await cache.transcripts.append("s", {"n": 1})
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        names = (keys.record, keys.transcript, keys.operations)
        record, *others = [client.execute_command("PTTL", name) for name in names]

    assert all(abs(other - record) < 1_000 for other in others)
    assert DAY * 1.04 < record < DAY * 1.16


async def test_a_pinned_session_does_not_expire(cache: AsyncSessionCache) -> None:
    """Pinning takes the deadline away, unpinning gives it back, at once."""
    cache.keys.now_override_ms = NOW
    await cache.sessions.save(Session(id="s"))
    await cache.sessions.update("s", pinned=True)
    pinned = await _deadline_ms(cache)
    await cache.sessions.update("s", pinned=False)

    assert pinned is None
    assert await _deadline_ms(cache) == NOW + 7 * DAY


async def test_a_session_can_say_for_itself(cache: AsyncSessionCache) -> None:
    """A session's own TTL moves its deadline at once, survives later writes, and can be taken back."""
    cache.keys.now_override_ms = NOW
    await cache.sessions.save(Session(id="s"))
    updated = await cache.retention.update("s", ttl_ms=60_000, keep_messages=4)
    await cache.transcripts.append("s", {"n": 1})
    own = await cache.retention.get_own("s")

    assert updated.deadline_at is not None
    assert await _deadline_ms(cache) == NOW + 60_000
    assert (own.ttl_ms, own.keep_messages, own.keep_bytes) == (60_000, 4, None)
    await cache.retention.update("s", ttl_ms=None)
    assert await _deadline_ms(cache) == NOW + 7 * DAY
    await cache.retention.update("s", ttl_ms=0)
    assert await _deadline_ms(cache) is None


async def test_bad_retention_is_refused(cache: AsyncSessionCache) -> None:
    """Negative numbers, nothing to change, unknown sessions and foreign policies are refused by name."""
    with pytest.raises(NotFound):
        await cache.retention.update("s", ttl_ms=1)
    with pytest.raises(InvalidArgument, match="ttl_ms is -1"):
        await cache.retention.update("s", ttl_ms=-1)
    with pytest.raises(InvalidArgument, match="nothing to change"):
        await cache.retention.update("s", ttl_ms=UNSET)
    with pytest.raises(InvalidArgument, match="RetentionPolicy"):
        await cache.retention.save({"ttl_ms": 1})  # type: ignore[arg-type] # the point of the test

    assert not await cache.sessions.exists("s")


async def test_an_overdue_session_says_nothing_for_itself(cache: AsyncSessionCache) -> None:
    """What a session said for itself is gone with its deadline, swept or not."""
    cache.keys.now_override_ms = NOW
    await cache.sessions.save(Session(id="s"))
    await cache.retention.update("s", ttl_ms=60_000)
    cache.keys.now_override_ms = NOW + 60_000

    assert await cache.retention.get_own("s") == SessionRetention(None, None, None, None)


@pytest.mark.parametrize("value", ["soon", "-5"])
async def test_a_damaged_policy_is_named(cache: AsyncSessionCache, engine: Engine, value: str) -> None:
    """A policy that somebody else wrote wrong is a DecodeError that names its key; saving one anew is the remedy."""
    with client_for(engine, cache.keys.config) as client:
        client.hset(cache.keys.config, "policy:ttl_ms", value)
    with pytest.raises(DecodeError, match="config"):
        await cache.retention.get()

    await cache.retention.save(RetentionPolicy())
    assert await cache.retention.get() == RetentionPolicy()
