"""sessions.list: ids are ordered byte by byte, and a list by user shows what is that user's now."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sessioncache import AsyncSessionCache
from sessioncache.types import Order
from sessioncache.wire.script import load_script
from tests.engines import Engine
from tests.engines.raw import client_for

NOW = 1_800_000_000_000
IDS = [f"{first}{second}" for first in "aBcD" for second in "_-.xYzé"]
TEXTS = sorted(text.encode() for text in ["", "A", "AB", "Ab", "B", "_", "a", "a-", "a.", "aB", "ab", "b", "\x7f", "é"])


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_ties_of_mixed_ids_are_paged_once(cache: AsyncSessionCache, order: Order) -> None:
    """Capitals, signs and other alphabets in ids of one millisecond neither skip nor repeat a session."""
    cache.keys.now_override_ms = NOW
    for session_id in IDS:
        await cache.transcripts.append(session_id, {"n": 1})

    found: list[str] = []
    cursor = None
    while True:
        page = await cache.sessions.list(order=order, limit=3, cursor=cursor)
        found += [session.id for session in page]
        cursor = page.cursor
        if cursor is None:
            break

    assert sorted(found) == sorted(IDS)


@pytest.mark.engines("valkey")
def test_text_is_compared_byte_by_byte(engine: Engine) -> None:
    """Scripts compare text by its bytes, not by `<`, which follows the locale that the server was started in."""
    text = load_script("sessions.list").text
    fragment = text[text.index("local function sorts_before") : text.index("local function rank_after")]
    rank = text[text.index("local function rank_after") :]
    script = f"{fragment}\nreturn sorts_before(ARGV[1], ARGV[2]) and 1 or 0"

    with client_for(engine, "any") as client:
        for one, other in pairwise(TEXTS):
            assert client.execute_command("EVAL", script, 0, one, other) == 1
            assert client.execute_command("EVAL", script, 0, other, one) == 0
            assert client.execute_command("EVAL", script, 0, one, one) == 0
    assert "found < member" not in rank


async def test_an_entry_that_outlived_its_record_shows_nobody_elses_session(
    cache: AsyncSessionCache, engine: Engine
) -> None:
    """A record that the server expired by itself leaves an entry by user; the id's next owner does not appear there."""
    await cache.transcripts.append("s", {"n": 1}, user="ada")
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.delete(keys.record, keys.transcript, keys.operations)
    await cache.transcripts.append("s", {"n": 1}, user="bob")

    assert [session.id for session in await cache.sessions.list(user="ada")] == []
    assert await cache.sessions.count(user="ada") == 0
    assert [session.id for session in await cache.sessions.list(user="bob")] == ["s"]
