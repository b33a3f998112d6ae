"""Workspaces: what they say, who is in them, and what goes away with a session."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sessioncache import AsyncSessionCache, Base, DecodeError, InvalidArgument, SessionCache, SessionGone, SessionTorn
from sessioncache.wire.keys import escape
from sessioncache.wire.values import pack_fields
from sessioncache.workspaces import Member, SessionRole, Workspace
from tests.engines import Engine
from tests.engines.raw import client_for

ODD = "a:{b}*c/ü%"


async def roles(cache: AsyncSessionCache, workspace_id: str) -> dict[str, str]:
    """The members' roles."""
    return {member.session_id: member.role.value for member in await cache.workspaces.members(workspace_id)}


def links(engine: Engine, cache: AsyncSessionCache) -> list[bytes]:
    """Every row of the links of all shards."""
    rows: list[bytes] = []
    for shard in cache.keys:
        with client_for(engine, shard.links) as client:
            rows += client.execute_command("ZRANGE", shard.links, 0, -1)
    return rows


async def listed(cache: AsyncSessionCache) -> dict[str, Workspace]:
    """All workspaces by id."""
    return {workspace.id: workspace for workspace in await cache.workspaces.list()}


async def test_a_workspace_is_what_was_saved(cache: AsyncSessionCache) -> None:
    """Name, description and members come back; the members are Primary, and in the order in which they came."""
    await cache.workspaces.save("w", name="Wörk", description="of all", session_ids=["b", "a", "b"])

    found = await cache.workspaces.get("w")
    assert found is not None
    assert (found.id, found.name, found.description) == ("w", "Wörk", "of all")
    assert {(member.session_id, member.role) for member in found.members} == {
        ("a", SessionRole.PRIMARY),
        ("b", SessionRole.PRIMARY),
    }
    assert await cache.workspaces.list() == [found]


async def test_unknown_ids_are_answered_not_raised(cache: AsyncSessionCache) -> None:
    """An unknown workspace is None, has no members, and is not deleted; removing a stranger answers None."""
    assert await cache.workspaces.get("w") is None
    assert await cache.workspaces.members("w") == []
    assert await cache.workspaces.delete("w") is False
    assert await cache.workspaces.remove("w", "s") is None
    assert await cache.workspaces.of_session("s") == []
    assert await cache.workspaces.list() == []
    assert await cache.sessions.exists("s") is False


async def test_saving_again_keeps_roles_members_and_creation_time(cache: AsyncSessionCache) -> None:
    """A save adds whom it names, changes no role, removes nobody, and leaves created_at."""
    cache.keys.now_override_ms = 4_000_000_000_000
    await cache.workspaces.save("w", name="one", session_ids=["a", "b"])
    await cache.workspaces.add("w", "a", SessionRole.DEPENDENCY)
    first = await cache.workspaces.get("w")
    cache.keys.now_override_ms = 4_000_000_100_000
    await cache.workspaces.save("w", name="two", session_ids=["a", "c"])

    second = await cache.workspaces.get("w")
    assert first is not None
    assert second is not None
    assert second.created_at == first.created_at
    assert (second.name, second.description) == ("two", "")
    assert await roles(cache, "w") == {"a": "Dependency", "b": "Primary", "c": "Primary"}


async def test_workspaces_are_counted(cache: AsyncSessionCache) -> None:
    """A workspace counts once, however many members it has, and no more after it was deleted."""
    assert await cache.workspaces.count() == 0
    for name in ("a", "b"):
        await cache.workspaces.save(name, name=name, session_ids=["s", "t"])
    await cache.workspaces.add("never saved", "s")
    assert await cache.workspaces.count() == 2
    assert await cache.workspaces.delete("a")
    assert await cache.workspaces.count() == 1


async def test_adding_again_changes_the_role(cache: AsyncSessionCache) -> None:
    """The role becomes the new one, and the member stays one member; the same role again writes nothing."""
    first = await cache.workspaces.add("w", "s", "Related")
    second = await cache.workspaces.add("w", "s", "Shared")
    third = await cache.workspaces.add("w", "s", "Shared")

    assert (first.created, first.added, first.role) == (True, True, SessionRole.RELATED)
    assert (second.created, second.added, second.role) == (False, False, SessionRole.SHARED)
    assert second.revision == first.revision + 1
    assert third.revision == second.revision
    assert await roles(cache, "w") == {"s": "Shared"}


async def test_a_kept_role_stays(cache: AsyncSessionCache) -> None:
    """With keep_role, a member keeps its role, and the answer says which."""
    await cache.workspaces.add("w", "s", "Shared")

    kept = await cache.workspaces.add("w", "s", "Primary", keep_role=True)
    assert (kept.added, kept.role) == (False, SessionRole.SHARED)


async def test_neither_workspace_nor_session_has_to_exist(cache: AsyncSessionCache) -> None:
    """Adding creates the session; a list shows the member once the workspace is saved, and not before."""
    await cache.workspaces.add("later", "s")

    assert await cache.sessions.exists("s")
    assert await cache.workspaces.list() == []
    await cache.workspaces.save("later", name="now")
    assert [member.session_id for member in (await listed(cache))["later"].members] == ["s"]


async def test_removing_answers_the_role(cache: AsyncSessionCache) -> None:
    """The role that the member had, then None; the session stays."""
    await cache.workspaces.add("w", "s", "Dependency")

    assert await cache.workspaces.remove("w", "s") is SessionRole.DEPENDENCY
    assert await cache.workspaces.remove("w", "s") is None
    assert await roles(cache, "w") == {}
    assert await cache.sessions.exists("s")


async def test_a_deleted_workspace_leaves_its_sessions(cache: AsyncSessionCache, engine: Engine) -> None:
    """Workspace and memberships are gone, the sessions and their other memberships stay."""
    await cache.workspaces.save("w", name="w", session_ids=["a", "b"])
    await cache.workspaces.save("v", name="v", session_ids=["a"])

    assert await cache.workspaces.delete("w") is True
    assert list(await listed(cache)) == ["v"]
    assert await cache.workspaces.members("w") == []
    assert [member.workspace_id for member in await cache.workspaces.of_session("a")] == ["v"]
    assert await cache.sessions.count() == 2
    assert links(engine, cache) == [b"w\0v\0a"]


async def test_a_deleted_session_is_in_no_workspace(cache: AsyncSessionCache, engine: Engine) -> None:
    """Deleting a session ends its memberships; no row stays in any list."""
    await cache.workspaces.save(ODD, name="odd", session_ids=[ODD, "other"])
    await cache.workspaces.add("two", ODD)

    await cache.sessions.delete(ODD)
    assert await roles(cache, ODD) == {"other": "Primary"}
    assert links(engine, cache) == [f"w\0{escape(ODD)}\0other".encode()]


async def test_ids_that_resemble_one_another_stay_apart(cache: AsyncSessionCache) -> None:
    """A workspace whose id begins like another's has its own members."""
    for name in ("w", "w2", "w:", ODD):
        await cache.workspaces.add(name, f"of {name}")

    assert [await roles(cache, name) for name in ("w", "w2", "w:", ODD)] == [
        {f"of {name}": "Primary"} for name in ("w", "w2", "w:", ODD)
    ]


async def test_members_past_their_deadline_are_invisible(cache: AsyncSessionCache) -> None:
    """A session past its deadline is no member any more, swept or not."""
    await cache.workspaces.save("w", name="w", session_ids=["gone", "stays"])
    await cache.retention.update("gone", ttl_ms=60_000)
    session = await cache.sessions.get("gone")
    assert session is not None
    assert session.deadline_at is not None
    after = session.deadline_at + timedelta(milliseconds=1)
    cache.keys.now_override_ms = int(after.timestamp() * 1000)

    assert await roles(cache, "w") == {"stays": "Primary"}
    assert [len(workspace.members) for workspace in await cache.workspaces.list()] == [1]
    assert await cache.workspaces.of_session("gone") == []
    assert await cache.workspaces.remove("w", "gone") is None


async def test_rows_of_vanished_sessions_go_with_the_workspace(cache: AsyncSessionCache, engine: Engine) -> None:
    """A row that a session left behind, which the server expired by itself, is removed with its workspace."""
    await cache.workspaces.save("w", name="w", session_ids=["s"])
    keys = cache.keys.session("s")
    with client_for(engine, keys.record) as client:
        client.unlink(keys.record, keys.operations, *keys.room("workspaces"))

    assert await cache.workspaces.members("w") == []
    assert await cache.workspaces.delete("w") is True
    assert links(engine, cache) == []


async def test_a_hundred_clients_add_a_hundred_members(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """Concurrent adds to one workspace, from two clients, all count."""
    await cache.workspaces.save("w", name="w")
    await asyncio.gather(*((cache, other_cache)[number % 2].workspaces.add("w", f"s{number}") for number in range(100)))

    assert set(await roles(cache, "w")) == {f"s{number}" for number in range(100)}


async def test_fifty_workspaces_of_five_are_made_at_once(cache: AsyncSessionCache) -> None:
    """Concurrent saves of different workspaces do not meet."""
    await asyncio.gather(
        *(
            cache.workspaces.save(f"w{number}", name="n", session_ids=[f"s{number}-{each}" for each in range(5)])
            for number in range(50)
        )
    )

    assert {name: len(workspace.members) for name, workspace in (await listed(cache)).items()} == {
        f"w{number}": 5 for number in range(50)
    }


@pytest.mark.engines("valkey", "cluster")
async def test_more_members_than_a_page(cache: AsyncSessionCache) -> None:
    """More rows in a shard than one script answers are read and removed in pages."""
    names = [f"s{number}" for number in range(2_300)]
    await cache.workspaces.save("w", name="w", session_ids=names)

    assert set(await roles(cache, "w")) == set(names)
    assert await cache.workspaces.delete("w") is True
    assert await cache.workspaces.members("w") == []


@pytest.mark.engines("valkey", "fakeredis")
async def test_more_workspaces_than_a_page(cache: AsyncSessionCache) -> None:
    """More workspaces than one answer holds are listed once each."""
    names = [f"w{number:04}" for number in range(1_100)]
    for at in range(0, 1_100, 100):
        await asyncio.gather(*(cache.workspaces.save(name, name="n") for name in names[at : at + 100]))

    assert [workspace.id for workspace in await cache.workspaces.list()] == names


async def test_a_repeated_call_answers_its_first_reply(cache: AsyncSessionCache) -> None:
    """The same operation id again changes nothing, also after the session was deleted."""
    added = await cache.workspaces.add("w", "s", "Shared", operation_id="1")
    await cache.workspaces.add("w", "s", "Related")
    again = await cache.workspaces.add("w", "s", "Shared", operation_id="1")
    assert (again.created, again.revision, again.repeated) == (True, added.revision, True)
    assert await roles(cache, "w") == {"s": "Related"}

    removed = await cache.workspaces.remove("w", "s", operation_id="2")
    await cache.workspaces.add("w", "s")
    assert await cache.workspaces.remove("w", "s", operation_id="2") is removed is SessionRole.RELATED
    assert await roles(cache, "w") == {"s": "Primary"}

    await cache.sessions.delete("s")
    assert (await cache.workspaces.add("w", "s", "Shared", operation_id="1")).repeated
    assert await cache.sessions.exists("s") is False


async def test_bases_are_held(cache: AsyncSessionCache) -> None:
    """A write that is based on a deleted session is refused and changes nothing."""
    await cache.workspaces.add("w", "s")
    session = await cache.sessions.get("s")
    assert session is not None
    await cache.sessions.delete("s")

    with pytest.raises(SessionGone):
        await cache.workspaces.add("w", "s", base=Base(gen=session.gen))
    assert await roles(cache, "w") == {}


@pytest.mark.parametrize("bad", ["", "a\nb", "x" * 513, 7])
async def test_bad_ids_are_refused(cache: AsyncSessionCache, bad: str) -> None:
    """What is no id is InvalidArgument, before anything is sent."""
    with pytest.raises(InvalidArgument, match="workspace id"):
        await cache.workspaces.add(bad, "s")


async def test_unknown_roles_are_refused_and_read_as_primary(cache: AsyncSessionCache, engine: Engine) -> None:
    """A role that there is none is refused; one that another release stored reads as Primary."""
    with pytest.raises(InvalidArgument, match="role must be one of Primary"):
        await cache.workspaces.add("w", "s", "Boss")
    await cache.workspaces.add("w", "s", "Shared")
    (room,) = cache.keys.session("s").room("workspaces")
    with client_for(engine, room) as client:
        client.execute_command(
            "HSET", room, "w", pack_fields([("role", b"Boss"), ("added_ms", b"7000"), ("new", b"1")])
        )
    assert await roles(cache, "w") == {"s": "Primary"}

    await cache.workspaces.add("w", "s", "Shared")
    with client_for(engine, room) as client:
        assert client.execute_command("HGET", room, "w") == pack_fields(
            [("role", b"Shared"), ("added_ms", b"7000"), ("new", b"1")]
        )


async def test_damage_is_an_error_not_absence(cache: AsyncSessionCache, engine: Engine) -> None:
    """A membership or workspace that cannot be read raises; a room that was lost is a torn session."""
    await cache.workspaces.save("w", name="w", session_ids=["s"])
    (room,) = cache.keys.session("s").room("workspaces")
    with client_for(engine, room) as client:
        client.execute_command("HSET", room, "w", b"junk")
        with pytest.raises(DecodeError):
            await cache.workspaces.members("w")
        client.hdel(room, "w")
        with pytest.raises(SessionTorn):
            await cache.workspaces.of_session("s")
    with client_for(engine, cache.keys.workspace_list) as client:
        client.execute_command("HSET", cache.keys.workspace_list, "w", b"junk")
        with pytest.raises(DecodeError):
            await cache.workspaces.list()


def test_the_sync_twin_does_the_same(sync_cache: SessionCache) -> None:
    """The generated class saves, lists and removes as the async one does."""
    sync_cache.workspaces.save("w", name="w", session_ids=["s"])
    (workspace,) = sync_cache.workspaces.list()

    (member,) = workspace.members
    assert member == Member("w", "s", SessionRole.PRIMARY, member.added_at)
    assert sync_cache.workspaces.remove("w", "s") is SessionRole.PRIMARY
    assert sync_cache.workspaces.delete("w") is True
