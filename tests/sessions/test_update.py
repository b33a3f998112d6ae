"""sessions.update: the authoritative edit, and narrow edits of the other groups."""

from __future__ import annotations

import asyncio

import pytest

from sessioncache import (
    AsyncSessionCache,
    Base,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    Session,
    SessionCache,
    VersionConflict,
)


async def test_a_title_bumps_both_versions_and_a_pin_one(cache: AsyncSessionCache) -> None:
    """A changed title bumps title_version and metadata_version, a changed pin metadata_version alone."""
    await cache.sessions.save(Session(id="s"))
    titled = await cache.sessions.update("s", title="One")
    pinned = await cache.sessions.update("s", pinned=True)
    extra = await cache.sessions.update("s", authoritative={"gold_config": {"x": 1}})

    assert (titled.title_version, titled.metadata_version) == (1, 1)
    assert (pinned.title_version, pinned.metadata_version) == (1, 2)
    assert (extra.title_version, extra.metadata_version) == (1, 3)


async def test_an_edit_that_changes_nothing_does_nothing(cache: AsyncSessionCache) -> None:
    """The same values again bump nothing, write nothing and are not in the feed."""
    await cache.sessions.save(Session(id="s", metadata={"k": [1]}))
    await cache.sessions.update("s", title="One", pinned=True, authoritative={"g": 1}, host={"h": 1})
    before = await cache.sessions.get("s")
    async with cache.feed.subscribe("s") as changes:
        updated = await cache.sessions.update(
            "s", title="One", pinned=True, authoritative={"g": 1, "none": None}, host={"h": 1}, metadata={"k": [1]}
        )
        seen = await changes.read(wait_ms=0)

    assert not updated.changed
    assert seen == []
    assert await cache.sessions.get("s") == before


async def test_unset_leaves_none_clears_a_value_sets(cache: AsyncSessionCache) -> None:
    """Every field takes all three, names in a group one by one."""
    session = Session(
        id="s", title="t", status="running", parent="p", metadata={"a": 1, "b": 2}, authoritative={"g": 1}
    )
    await cache.sessions.save(session)
    await cache.sessions.update("s", title=None, status=None, metadata={"a": None, "c": 3}, authoritative={"g": None})
    after = await cache.sessions.get("s")

    assert after is not None
    assert (after.title, after.status, after.parent) == (None, None, "p")
    assert (after.metadata, after.authoritative) == ({"b": 2, "c": 3}, {})
    assert (after.title_version, after.metadata_version) == (1, 1)


async def test_runtime_and_host_edits_bump_no_version(cache: AsyncSessionCache) -> None:
    """A narrow edit of other groups writes a revision, but no version that a merge looks at."""
    await cache.sessions.save(Session(id="s"))
    updated = await cache.sessions.update("s", status="done", metadata={"a": 1}, host={"b": 2})

    assert updated.changed
    assert (updated.title_version, updated.metadata_version) == (0, 0)


async def test_an_unknown_session_is_not_created(cache: AsyncSessionCache) -> None:
    """Editing what is not there is NotFound."""
    with pytest.raises(NotFound):
        await cache.sessions.update("s", title="x")

    assert not await cache.sessions.exists("s")


async def test_an_edit_can_be_based_on_a_revision(cache: AsyncSessionCache) -> None:
    """An edit based on an older revision is refused and changes nothing."""
    await cache.sessions.save(Session(id="s"))
    await cache.sessions.update("s", title="One")
    with pytest.raises(VersionConflict):
        await cache.sessions.update("s", title="Two", base=Base(revision=1))
    session = await cache.sessions.get("s")

    assert session is not None
    assert session.title == "One"


async def test_versions_stay_where_they_can_no_longer_be_counted(cache: AsyncSessionCache) -> None:
    """Versions saturate at 2**53 - 1 and are never rounded."""
    top = 2**53 - 1
    await cache.sessions.save(Session(id="s", title_version=top, metadata_version=top - 1))
    updated = await cache.sessions.update("s", title="x")

    assert (updated.title_version, updated.metadata_version) == (top, top)


async def test_concurrent_titles_get_versions_one_after_another(cache: AsyncSessionCache) -> None:
    """Two renames at once are versions 1 and 2, and the feed tells them in that order."""
    await cache.sessions.save(Session(id="s"))
    async with cache.feed.subscribe("s") as changes:
        updates = await asyncio.gather(*(cache.sessions.update("s", title=f"t{n}") for n in range(2)))
        told = await changes.read()

    assert {update.title_version for update in updates} == {1, 2}
    assert [change.details["title_version"] for change in told] == ["1", "2"]


async def test_an_owner_can_change(cache: AsyncSessionCache) -> None:
    """A session that changes hands is listed under its new owner only."""
    await cache.sessions.save(Session(id="s", user="ada"))
    await cache.sessions.update("s", user="bob")

    assert [session.id for session in await cache.sessions.list(user="bob")] == ["s"]
    assert [session.id for session in await cache.sessions.list(user="ada")] == []


@pytest.mark.engines("valkey")
async def test_values_that_are_no_json_are_refused(cache: AsyncSessionCache) -> None:
    """A metadata value without JSON form is InvalidArgument that names the field."""
    await cache.sessions.save(Session(id="s"))
    with pytest.raises(InvalidArgument, match="meta:a"):
        await cache.sessions.update("s", metadata={"a": {1, 2}})
    with pytest.raises(InvalidArgument, match="field name"):
        await cache.sessions.update("s", metadata={"": 1})


async def test_a_group_of_fields_is_bounded_over_many_edits(cache: AsyncSessionCache) -> None:
    """Edits cannot pile up more fields than a save would take; room that is cleared in the same edit counts."""
    await cache.sessions.save(Session(id="s", metadata={f"a{n}": n for n in range(200)}))
    with pytest.raises(LimitExceeded, match="meta would have 257 fields"):
        await cache.sessions.update("s", metadata={f"b{n}": n for n in range(57)})
    await cache.sessions.update("s", metadata={f"b{n}": n for n in range(57)} | {"a0": None})
    session = await cache.sessions.get("s")

    assert session is not None
    assert len(session.metadata) == 256
    await cache.sessions.save(session)


def test_the_sync_twin_does_the_same(sync_cache: SessionCache) -> None:
    """Save, edit, list and delete work without an event loop."""
    session = Session(id="s", metadata={"a": 1})
    sync_cache.sessions.save(session, messages=[{"n": 1}])
    sync_cache.session("s").update(title="One")
    sync_cache.session("s").transcript.append([{"n": 2}, {"n": 3}])

    assert sync_cache.sessions.count() == 1
    assert [entry.seq for entry in sync_cache.session("s").transcript.each(batch=2)] == [1, 2, 3]
    assert [one.title for one in sync_cache.sessions.each()] == ["One"]
    assert sync_cache.session("s").transcript.pop() is not None
    assert sync_cache.session("s").delete()
    assert not sync_cache.session("s").exists()
