"""Freshness: registering, checking, marking stale, dependents, and what goes away with a session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from sessioncache import (
    AsyncSessionCache,
    Base,
    DecodeError,
    InvalidArgument,
    LimitExceeded,
    RetentionPolicy,
    SessionCache,
    SessionGone,
    SessionTorn,
)
from sessioncache.freshness import (
    Block,
    CascadeInvalidateReport,
    FreshnessEntry,
    FreshnessStatus,
    Function,
    SourceReference,
    SourceScope,
    StaleEntryInfo,
    SymbolId,
    WholeFile,
)
from tests.engines import Engine
from tests.engines.raw import client_for

OLD, NEW = b"\x00\xff:1:old", b"\x00\xff:1:new"
ODD = "a:{b}*c/ü%"
CAPTURED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
FRESH, STALE, UNKNOWN = FreshnessStatus.FRESH, FreshnessStatus.STALE, FreshnessStatus.UNKNOWN


def source(entry: str, path: str = "a.py", content: bytes = OLD, scope: SourceScope | None = None) -> SourceReference:
    """Where an entry comes from."""
    return SourceReference(entry, path, content, CAPTURED, scope or WholeFile())


def symbol(name: str, path: str = "a.py") -> SymbolId:
    """A function of a file."""
    return SymbolId(path, name, "function")


async def status(cache: AsyncSessionCache, entry: str, content: bytes = OLD) -> FreshnessStatus:
    """Whether an entry is fresh."""
    return (await cache.freshness.check(entry, content)).status


def links(engine: Engine, cache: AsyncSessionCache) -> list[bytes]:
    """Every row of the links of all shards."""
    rows: list[bytes] = []
    for shard in cache.keys:
        with client_for(engine, shard.links) as client:
            rows += client.execute_command("ZRANGE", shard.links, 0, -1)
    return rows


async def test_a_check_compares_hashes(cache: AsyncSessionCache) -> None:
    """The same hash is FRESH, another one STALE; path and hashes are in the answer."""
    registered = await cache.freshness.register("s", source(ODD, ODD))

    assert (registered.created, registered.count) == (True, 1)
    assert await cache.freshness.check(ODD, OLD) == FreshnessEntry(ODD, ODD, FRESH, OLD, OLD)
    assert await cache.freshness.check(ODD, NEW) == FreshnessEntry(ODD, ODD, STALE, OLD, NEW)


async def test_unknown_entries_are_unknown(cache: AsyncSessionCache) -> None:
    """An entry that nobody registered is UNKNOWN, with empty path and stored hash; other questions find nothing."""
    assert await cache.freshness.check("e", NEW) == FreshnessEntry("e", "", UNKNOWN, b"", NEW)
    assert await cache.freshness.check_batch([]) == []
    assert await cache.freshness.entries("a.py") == []
    assert await cache.freshness.stale_entries("a.py") == []
    assert await cache.freshness.invalidate("a.py") == 0
    assert await cache.freshness.cascade_invalidate(symbol("f")) == CascadeInvalidateReport(0, 0, (symbol("f"),))


@pytest.mark.parametrize(
    "scope",
    [
        WholeFile(),
        WholeFile(whole_file=False),
        Function("f", b"\x00ast", "method", ("os", "sys")),
        Block(3, 9, b"\xfe"),
    ],
    ids=["file", "part", "function", "block"],
)
async def test_scopes_come_back(cache: AsyncSessionCache, scope: SourceScope) -> None:
    """Every scope reads back as it was registered."""
    reference = source("e", scope=scope)
    await cache.freshness.register("s", reference)

    assert await cache.freshness.entries("a.py") == [reference]


@pytest.mark.parametrize(
    "stored, given, expected",
    [(b"ast", b"ast", FRESH), (b"ast", b"other", STALE), (b"", b"other", STALE), (b"ast", None, STALE)],
)
async def test_two_ast_hashes_decide(
    cache: AsyncSessionCache, stored: bytes, given: bytes | None, expected: FreshnessStatus
) -> None:
    """Where both sides have an AST hash, it decides over the file's hash; otherwise the file's does."""
    await cache.freshness.register("s", source("e", scope=Function("f", stored)))

    assert (await cache.freshness.check_semantic("e", NEW, given, "ignored")).status is expected


async def test_a_batch_answers_in_order(cache: AsyncSessionCache) -> None:
    """One answer for each question, in their order, also for one that is asked twice."""
    for number in range(5):
        await cache.freshness.register(f"s{number}", source(f"e{number}"))

    asked = [("e4", OLD), ("none", OLD), ("e0", NEW), ("e4", NEW), ("e2", OLD)]
    answers = await cache.freshness.check_batch([(entry, content, None, None) for entry, content in asked])
    assert [(answer.entry_id, answer.status) for answer in answers] == [
        ("e4", FRESH),
        ("none", UNKNOWN),
        ("e0", STALE),
        ("e4", STALE),
        ("e2", FRESH),
    ]


@pytest.mark.parametrize("damage", [b"", b"junk", b"99:a.py", b"4:a.pyjunk"])
async def test_registering_again_mends_a_damaged_entry(cache: AsyncSessionCache, engine: Engine, damage: bytes) -> None:
    """What is registered anew replaces what cannot be read, and is found by its new file alone."""
    await cache.freshness.register("s", source("bad"))
    (room,) = cache.keys.session("s").room("sources")
    with client_for(engine, room) as client:
        client.execute_command("HSET", room, "bad", damage)
    await cache.freshness.register("s", source("bad", "b.py"))

    assert [found.entry_id for found in await cache.freshness.entries("b.py")] == ["bad"]
    assert [found.entry_id for found in await cache.freshness.entries("a.py")] == []


async def test_damage_of_one_is_unknown_in_a_batch_and_an_error_alone(cache: AsyncSessionCache, engine: Engine) -> None:
    """A damaged entry is UNKNOWN among others; asked for alone, or found by its file, it raises."""
    await cache.freshness.register("s", source("bad"))
    await cache.freshness.register("s", source("good"))
    (room,) = cache.keys.session("s").room("sources")
    with client_for(engine, room) as client:
        stored = client.execute_command("HGET", room, "bad")
        for damage in (b"junk", stored[:-1], b"4:a.py", stored.replace(b'"file"', b'"none"'), b"99:a.py"):
            client.execute_command("HSET", room, "bad", damage)
            answers = await cache.freshness.check_batch([("bad", OLD, None, None), ("good", OLD, None, None)])
            assert [answer.status for answer in answers] == [UNKNOWN, FRESH]
            with pytest.raises(DecodeError):
                await cache.freshness.check("bad", OLD)
            with pytest.raises(DecodeError):
                await cache.freshness.entries("a.py")
            with pytest.raises(DecodeError):
                await cache.freshness.invalidate("a.py")
        client.execute_command("HSET", room, "bad", stored)
    assert await status(cache, "good") is FRESH


async def test_a_lost_room_is_a_torn_session(cache: AsyncSessionCache, engine: Engine) -> None:
    """A write to a session whose sources were removed by something else is refused."""
    await cache.freshness.register("s", source("e"))
    (room,) = cache.keys.session("s").room("sources")
    with client_for(engine, room) as client:
        client.execute_command("UNLINK", room)

    with pytest.raises(SessionTorn):
        await cache.freshness.register("s", source("f"))


async def test_invalidated_entries_are_stale_until_registered_again(cache: AsyncSessionCache) -> None:
    """All entries of exactly that file become STALE, in every session; registered anew, they are FRESH."""
    for number in range(6):
        await cache.freshness.register(f"s{number}", source(f"e{number}"))
    await cache.freshness.register("s1", source("f1", scope=Function("g", b"x", "method")))
    await cache.freshness.register("s0", source("other", "a.py2"))

    assert await cache.freshness.invalidate("a.py") == 7
    assert await cache.freshness.invalidate("a.py") == 7
    assert {await status(cache, f"e{number}") for number in range(6)} == {STALE}
    assert await status(cache, "other") is FRESH
    for number in range(6):
        await cache.freshness.register(f"s{number}", source(f"e{number}", content=NEW))
    assert {await status(cache, f"e{number}", NEW) for number in range(6)} == {FRESH}
    assert await cache.freshness.stale_entries("a.py") == [StaleEntryInfo("f1", "g", "method")]


async def test_an_entry_moves_with_its_last_registration(cache: AsyncSessionCache, engine: Engine) -> None:
    """Registered again with another file, an entry belongs to that one only."""
    await cache.freshness.register("s", source("e", "a.py"))
    await cache.freshness.register("s", source("e", "b.py"))

    assert await cache.freshness.entries("a.py") == []
    assert [found.entry_id for found in await cache.freshness.entries("b.py")] == ["e"]
    assert sorted(links(engine, cache)) == [b"f\0e\0s", b"p\0b.py\0e\0s"]


async def test_of_two_sessions_the_later_one_is_right(cache: AsyncSessionCache) -> None:
    """An entry of two sessions is what the later one says; when that one goes, the earlier one counts again."""
    base = 4_000_000_000_000
    for number, (session, path, content) in enumerate(
        [("s1", "a.py", OLD), ("s2", "b.py", NEW), ("s3", "a.py", OLD), ("s2", "b.py", NEW)]
    ):
        cache.keys.now_override_ms = base + number
        await cache.freshness.register(session, source("e", path, content))

    assert await cache.freshness.check("e", NEW) == FreshnessEntry("e", "b.py", FRESH, NEW, NEW)
    assert await cache.freshness.entries("a.py") == []
    assert await cache.freshness.invalidate("a.py") == 0
    assert await status(cache, "e", NEW) is FRESH
    await cache.sessions.delete("s2")
    assert await cache.freshness.check("e", OLD) == FreshnessEntry("e", "a.py", STALE, OLD, OLD)
    assert len(await cache.freshness.entries("a.py")) == 1


async def test_a_deleted_session_takes_its_sources(cache: AsyncSessionCache, engine: Engine) -> None:
    """No row stays in the links; entries of the session are UNKNOWN, others stay."""
    for number in range(3):
        await cache.freshness.register(ODD, source(f"e{number}{ODD}", ODD))
    await cache.freshness.register("other", source("stays", ODD))
    await cache.sessions.delete(ODD)

    assert await status(cache, f"e0{ODD}") is UNKNOWN
    assert [found.entry_id for found in await cache.freshness.entries(ODD)] == ["stays"]
    assert all(row.endswith(b"\0other") for row in links(engine, cache))
    await cache.sessions.delete("other")
    assert links(engine, cache) == []


async def test_sources_of_expired_sessions_are_invisible(cache: AsyncSessionCache) -> None:
    """Past its deadline a session has no sources, swept or not; the same entry can be registered again."""
    await cache.freshness.register("s", source("e"))
    session = await cache.sessions.get("s")
    assert session is not None
    assert session.deadline_at is not None
    cache.keys.now_override_ms = int(session.deadline_at.timestamp() * 1000) + 1

    assert await status(cache, "e") is UNKNOWN
    assert await cache.freshness.entries("a.py") == []
    assert await cache.freshness.invalidate("a.py") == 0
    assert (await cache.freshness.register("s", source("e"))).created is True
    assert await status(cache, "e") is FRESH


async def test_a_repeated_registration_changes_nothing(cache: AsyncSessionCache) -> None:
    """The same operation id again answers the first reply, and does not make an invalidated entry fresh."""
    first = await cache.freshness.register("s", source("e"), operation_id="1")
    await cache.freshness.invalidate("a.py")
    again = await cache.freshness.register("s", source("e"), operation_id="1")

    assert (again.repeated, again.created, again.revision) == (True, True, first.revision)
    assert await status(cache, "e") is STALE


async def test_bases_and_quotas_are_held(cache: AsyncSessionCache) -> None:
    """A registration that is based on another incarnation, or beyond the quota, is refused."""
    await cache.retention.save(RetentionPolicy(quota_entries=1))
    await cache.freshness.register("s", source("e"))
    await cache.freshness.register("s", source("e"))
    with pytest.raises(LimitExceeded):
        await cache.freshness.register("s", source("f"))
    with pytest.raises(SessionGone):
        await cache.freshness.register("s", source("e"), base=Base(gen="another"))
    assert await status(cache, "f") is UNKNOWN


async def test_two_clients_register_and_invalidate_at_once(
    cache: AsyncSessionCache, other_cache: AsyncSessionCache
) -> None:
    """Concurrent registrations all stand; an invalidation after them reaches every one."""
    await asyncio.gather(
        *(
            (cache, other_cache)[number % 2].freshness.register(f"s{number % 5}", source(f"e{number}"))
            for number in range(60)
        )
    )

    counts = await asyncio.gather(cache.freshness.invalidate("a.py"), other_cache.freshness.invalidate("a.py"))
    assert list(counts) == [60, 60]
    assert len(await cache.freshness.stale_entries("a.py")) == 60


@pytest.mark.engines("valkey", "cluster")
async def test_more_entries_than_a_page(cache: AsyncSessionCache) -> None:
    """More entries of a file than one script looks at are found, checked and marked in pages."""
    for at in range(0, 1_200, 100):
        await asyncio.gather(*(cache.freshness.register("s", source(f"e{at + each}")) for each in range(100)))
    await cache.freshness.register("t", source("e7"))

    assert len(await cache.freshness.entries("a.py")) == 1_200
    answers = await cache.freshness.check_batch([(f"e{number}", OLD, None, None) for number in range(1_201)])
    assert [answer.status for answer in answers] == [*[FRESH] * 1_200, UNKNOWN]
    assert await cache.freshness.invalidate("a.py") == 1_200
    assert await cache.sessions.delete("s")
    assert await status(cache, "e7") is STALE


async def functions(cache: AsyncSessionCache, *names: str) -> None:
    """Register an entry for each function, in sessions of their own."""
    for name in names:
        await cache.freshness.register(f"of {name}", source(f"entry {name}", scope=Function(name, b"ast", "function")))


async def stale_symbols(cache: AsyncSessionCache, path: str = "a.py") -> list[str | None]:
    """The symbols whose entries are stale."""
    return [entry.symbol_name for entry in await cache.freshness.stale_entries(path)]


@pytest.mark.parametrize(
    "depth, reached", [(0, ["a"]), (1, ["a", "b"]), (2, ["a", "b", "c"]), (None, ["a", "b", "c", "d"])]
)
async def test_a_change_reaches_as_far_as_asked(
    cache: AsyncSessionCache, depth: int | None, reached: list[str]
) -> None:
    """Depth 0 is the symbol alone, each level follows its dependents, None follows all of them."""
    await functions(cache, "a", "b", "c", "d", "z")
    for begin, end in (("b", "a"), ("c", "b"), ("d", "c")):
        await cache.freshness.register_dependencies(symbol(begin), [symbol(end)])

    report = await cache.freshness.cascade_invalidate(symbol("a"), b"ignored", depth)
    assert report == CascadeInvalidateReport(1, len(reached) - 1, tuple(map(symbol, reached)))
    assert await stale_symbols(cache) == reached
    assert await status(cache, "entry z") is FRESH


async def test_cycles_end(cache: AsyncSessionCache) -> None:
    """Symbols that depend on one another, and on themselves, are each reached once."""
    await functions(cache, "a", "b", "c")
    for begin, end in (("a", "a"), ("b", "a"), ("c", "b"), ("a", "c")):
        await cache.freshness.register_dependencies(symbol(begin), [symbol(end)])

    report = await cache.freshness.cascade_invalidate(symbol("b"))
    assert (report.direct_invalidations, report.cascade_invalidations) == (1, 2)
    assert report.invalidated_symbols == (symbol("b"), symbol("c"), symbol("a"))


async def test_a_dependency_on_a_mere_name_meets_every_file(cache: AsyncSessionCache) -> None:
    """A target without a file is met by a change in any file; one with a file by changes there or of the name."""
    await functions(cache, "by_name", "by_file", "elsewhere")
    await cache.freshness.register_dependencies(symbol("by_name"), [symbol("f", "")])
    await cache.freshness.register_dependencies(symbol("by_file"), [symbol("f", "x.py"), symbol("ff", "x.py")])
    await cache.freshness.register_dependencies(symbol("elsewhere"), [symbol("f", "y.py")])

    exact = await cache.freshness.cascade_invalidate(symbol("f", "x.py"))
    assert {found.symbol_name for found in exact.invalidated_symbols} == {"f", "by_file", "by_name"}
    mere = await cache.freshness.cascade_invalidate(symbol("f", ""))
    assert {found.symbol_name for found in mere.invalidated_symbols} == {"f", "by_file", "by_name", "elsewhere"}
    assert (mere.direct_invalidations, mere.cascade_invalidations) == (0, 3)


async def test_dependencies_are_counted_as_given(cache: AsyncSessionCache, engine: Engine) -> None:
    """The answer is the number of targets, twice the same among them; saying it again adds no row."""
    targets = [symbol("a"), symbol("a"), symbol(ODD, ODD), symbol("a", "")]
    for _ in range(2):
        assert await cache.freshness.register_dependencies(symbol("b"), targets) == 4

    rows = 0
    for shard in cache.keys:
        with client_for(engine, shard.dependents) as client:
            rows += client.execute_command("ZCARD", shard.dependents)
    assert rows == 3
    assert await cache.freshness.register_dependencies(symbol("b"), []) == 0
    report = await cache.freshness.cascade_invalidate(symbol(ODD, ODD))
    assert report.invalidated_symbols == (symbol(ODD, ODD), symbol("b"))


async def test_more_dependents_than_a_page(cache: AsyncSessionCache) -> None:
    """More dependents of one symbol than one script answers are all reached."""
    targets = [symbol("hub")]
    for at in range(0, 1_100, 100):
        await asyncio.gather(
            *(cache.freshness.register_dependencies(symbol(f"d{at + each}"), targets) for each in range(100))
        )
    assert await cache.freshness.register_dependencies(symbol("many"), [symbol(f"t{n}") for n in range(1_200)]) == 1_200

    assert len((await cache.freshness.cascade_invalidate(symbol("hub"))).invalidated_symbols) == 1_101
    assert (await cache.freshness.cascade_invalidate(symbol("t1199"))).invalidated_symbols[1] == symbol("many")


async def test_bad_arguments_are_refused(cache: AsyncSessionCache) -> None:
    """What is no id, path, hash, symbol or depth is InvalidArgument, before anything is sent."""
    for bad in (source(""), source("e\0"), source("e", ""), source("e", "x" * 4_097), source("e", "p\n")):
        with pytest.raises(InvalidArgument):
            await cache.freshness.register("s", bad)
    with pytest.raises(InvalidArgument, match="bytes"):
        await cache.freshness.check("e", "text")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(InvalidArgument, match="name of a symbol"):
        await cache.freshness.register_dependencies(symbol("a"), [symbol("")])
    with pytest.raises(InvalidArgument, match="max_depth"):
        await cache.freshness.cascade_invalidate(symbol("a"), max_depth=-1)
    assert await cache.sessions.exists("s") is False


def test_the_sync_twin_does_the_same(sync_cache: SessionCache) -> None:
    """The generated class registers, checks and cascades as the async one does."""
    sync_cache.freshness.register("s", source("e", scope=Function("f", b"ast")))
    sync_cache.freshness.register_dependencies(symbol("f"), [symbol("g")])

    assert sync_cache.freshness.check("e", OLD).status is FRESH
    assert sync_cache.freshness.cascade_invalidate(symbol("g")) == CascadeInvalidateReport(
        0, 1, (symbol("g"), symbol("f"))
    )
    assert sync_cache.freshness.check("e", OLD).status is STALE
