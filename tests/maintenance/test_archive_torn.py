"""Archiving sessions that have lost a part of what they hold, and using what comes back."""

from __future__ import annotations

from pathlib import Path

from sessioncache.entities import EntityMention
from sessioncache.maintenance import archive, expire, reconcile
from sessioncache.wire.keys import ROOMS
from tests.engines import Engine
from tests.maintenance.conftest import Surgeon
from tests.maintenance.test_archive import WEEK_MS, archiving, bring_back, everything, furnish, later


async def test_rooms_that_lost_a_part_can_be_used_when_they_are_back(
    engine: Engine, namespace: str, tmp_path: Path, surgeon: Surgeon
) -> None:
    """What says in which order a room's entries stand, or what they sum up to, is made to fit what is left of them."""
    suffixes = [suffix for suffixes in ROOMS.values() for suffix in suffixes]
    async with archiving(engine, namespace, tmp_path) as cache:
        for number, suffix in enumerate(suffixes):
            await furnish(cache, f"s{number}", messages=1)
            await cache.context.save(f"s{number}", {"third": {"n": 3}})
            keys = cache.keys.session(f"s{number}")
            [key] = [key for room in ROOMS for key in keys.room(room) if key.endswith(f":{suffix}")]
            with surgeon.at(key) as client:
                assert client.delete(key) == 1
        key = cache.keys.session("s0").room("updates")[1]
        with surgeon.at(key) as client:
            assert client.zrem(key, "second") == 1
        later(cache, 2 * WEEK_MS)
        report = await archive.run(cache, 0, limit=100)
        # Rows that join entities, and sums, are counted nowhere.
        assert report.details == {"archived": len(suffixes), "torn": len(suffixes) - 2}
        assert (await expire.run(cache, 0, limit=100)).details["expired"] == len(suffixes)
        cache.keys.now_override_ms = None
        told = await bring_back(cache, tmp_path)
        assert (told.whole, told.tally["sessions"]["imported"]) == (True, len(suffixes))
        assert any("session 's0': updates:order was not whole, and was made to fit" in note for note in told.notes)
        assert "torn" not in (await reconcile.run(cache, 0, limit=100)).details
        orders = {}
        for number, suffix in enumerate(suffixes):
            name = f"s{number}"
            orders[suffix] = [found.id for found in await cache.context.list(name)]
            seen = await everything(cache, name)
            assert seen["usage"].all.input_tokens == 3
            await cache.context.save(name, {"last": {"n": 9}})
            assert [found.id for found in await cache.context.list(name)] == [*orders[suffix], "last"]
            await cache.usage.append(name, '{"model":"m","input_tokens":4}')
            assert (await cache.usage.totals(name)).all.input_tokens == 7
            await cache.entities.save(name, entities=[EntityMention(name="new")])
        assert orders["documents"] == ["first", "third", "second"]
        assert (orders["updates"], orders["updates:order"]) == ([], ["first", "second", "third"])
