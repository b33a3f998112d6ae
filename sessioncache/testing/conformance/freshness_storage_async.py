"""What every store of contract 000 has to do with freshness."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sessioncache.errors import InvalidArgument
from sessioncache.freshness.models import Block, FreshnessStatus, Function, SourceReference, SymbolId, WholeFile
from sessioncache.stores.freshness_async import AsyncFreshnessStorageProtocol

__all__ = ["AsyncFreshnessStorageConformance"]

CAPTURED = datetime(2026, 1, 1, tzinfo=UTC)


def _whole(entry_id: str, path: str = "a.py", content: bytes = b"one") -> SourceReference:
    return SourceReference(entry_id, path, content, CAPTURED, WholeFile())


def _function(entry_id: str, name: str, path: str = "a.py", ast: bytes = b"ast") -> SourceReference:
    return SourceReference(entry_id, path, b"one", CAPTURED, Function(name, ast, "function", ("os",)))


class AsyncFreshnessStorageConformance:
    """Contract 000: the 9 methods of its freshness."""

    async def test_an_unknown_entry_is_unknown(self, store: AsyncFreshnessStorageProtocol) -> None:
        """Nothing registered: UNKNOWN, with an empty path and stored hash, and the hash that was asked about."""
        found = await store.check_freshness("nobody", b"one")
        assert (found.entry_id, found.file_path, found.status) == ("nobody", "", FreshnessStatus.UNKNOWN)
        assert (found.stored_hash, found.current_hash) == (b"", b"one")

    async def test_the_hash_decides(self, store: AsyncFreshnessStorageProtocol) -> None:
        """The same hash is FRESH, another one STALE; both hashes are answered."""
        await store.register_source(uuid4(), _whole("e"))
        assert (await store.check_freshness("e", b"one")).status is FreshnessStatus.FRESH
        found = await store.check_freshness("e", b"two")
        assert (found.status, found.file_path) == (FreshnessStatus.STALE, "a.py")
        assert (found.stored_hash, found.current_hash) == (b"one", b"two")

    async def test_references_come_back(self, store: AsyncFreshnessStorageProtocol) -> None:
        """Whole files, functions and blocks are answered by their file as they were registered, others are not."""
        session = uuid4()
        references = [
            _whole("e1"),
            _function("e2", "run"),
            SourceReference("e3", "a.py", b"one", CAPTURED, Block(3, 9, b"block")),
        ]
        for reference in (*references, _whole("e4", "b.py")):
            await store.register_source(session, reference)
        assert await store.get_entries_by_source("a.py") == references
        assert await store.get_entries_by_source("a") == []

    async def test_registering_again_replaces(self, store: AsyncFreshnessStorageProtocol) -> None:
        """One entry has one source: the one that was registered last, whichever session did it."""
        await store.register_source(uuid4(), _whole("e", "a.py", b"one"))
        await store.register_source(uuid4(), _whole("e", "b.py", b"two"))
        found = await store.check_freshness("e", b"two")
        assert (found.status, found.file_path) == (FreshnessStatus.FRESH, "b.py")

    async def test_the_syntax_tree_decides_where_both_have_one(self, store: AsyncFreshnessStorageProtocol) -> None:
        """Two AST hashes are compared instead of the file's; with one only, the file's hash decides."""
        session = uuid4()
        await store.register_source(session, _function("f", "run"))
        await store.register_source(session, _whole("w"))
        assert (await store.check_freshness_semantic("f", b"two", b"ast", "run")).status is FreshnessStatus.FRESH
        assert (await store.check_freshness_semantic("f", b"one", b"new", "run")).status is FreshnessStatus.STALE
        assert (await store.check_freshness_semantic("f", b"two", None, "run")).status is FreshnessStatus.STALE
        assert (await store.check_freshness_semantic("w", b"one", b"ast", None)).status is FreshnessStatus.FRESH

    async def test_batches_keep_their_order(self, store: AsyncFreshnessStorageProtocol) -> None:
        """One answer for each question, in the order of the questions, doubles among them; none for none."""
        await store.register_source(uuid4(), _whole("e1"))
        await store.register_source(uuid4(), _whole("e2"))
        found = await store.check_freshness_batch(
            [
                ("e2", b"two", None, None),
                ("x", b"one", None, None),
                ("e1", b"one", None, None),
                ("e2", b"one", None, None),
            ]
        )
        assert [(entry.entry_id, entry.status.name) for entry in found] == [
            ("e2", "STALE"),
            ("x", "UNKNOWN"),
            ("e1", "FRESH"),
            ("e2", "FRESH"),
        ]
        assert await store.check_freshness_batch([]) == []

    async def test_batches_look_at_syntax_trees(self, store: AsyncFreshnessStorageProtocol) -> None:
        """In a batch, too, two AST hashes decide where there are two."""
        await store.register_source(uuid4(), _function("f", "run"))
        found = await store.check_freshness_batch(
            [("f", b"two", b"ast", "run"), ("f", b"one", b"new", "run"), ("f", b"two", None, "run")]
        )
        assert [entry.status.name for entry in found] == ["FRESH", "STALE", "STALE"]

    async def test_an_invalidated_source_is_stale_until_it_is_registered(
        self, store: AsyncFreshnessStorageProtocol
    ) -> None:
        """Invalidating marks the file's entries STALE whatever the hash; registering one again says FRESH."""
        session = uuid4()
        for reference in (_whole("e1"), _whole("e2"), _whole("e3", "b.py")):
            await store.register_source(session, reference)
        assert await store.invalidate_source("a.py") == 2
        assert await store.invalidate_source("unknown.py") == 0
        assert (await store.check_freshness("e1", b"one")).status is FreshnessStatus.STALE
        assert (await store.check_freshness("e3", b"one")).status is FreshnessStatus.FRESH
        await store.register_source(session, _whole("e1"))
        assert (await store.check_freshness("e1", b"one")).status is FreshnessStatus.FRESH

    async def test_a_deleted_symbol_is_listed_as_stale(self, store: AsyncFreshnessStorageProtocol) -> None:
        """What was not registered again after its file was invalidated is listed with symbol and type."""
        session = uuid4()
        await store.register_source(session, _function("kept", "run"))
        await store.register_source(session, _function("deleted", "stop"))
        assert await store.get_stale_entries_by_source("a.py") == []
        await store.invalidate_source("a.py")
        await store.register_source(session, _function("kept", "run"))
        (stale,) = await store.get_stale_entries_by_source("a.py")
        assert (stale.entry_id, stale.symbol_name, stale.symbol_type) == ("deleted", "stop", "function")

    @pytest.mark.parametrize("depth, cascaded", [(0, 0), (1, 1), (2, 2), (None, 3)])
    async def test_invalidation_cascades(
        self, store: AsyncFreshnessStorageProtocol, depth: int | None, cascaded: int
    ) -> None:
        """max_depth 0 is the symbol alone, n follows n levels of dependents, None all; a cycle ends."""
        session = uuid4()
        names = ["a", "b", "c", "d"]
        symbols = [SymbolId(f"{name}.py", name, "function") for name in names]
        for name in names:
            await store.register_source(session, _function(f"e-{name}", name, f"{name}.py"))
        for user, used in zip(symbols[1:], symbols[:-1], strict=True):
            assert await store.register_symbol_dependencies(user, [used]) == 1
        await store.register_symbol_dependencies(symbols[0], [symbols[3]])
        report = await store.cascade_invalidate(symbols[0], b"new", depth)
        assert (report.direct_invalidations, report.cascade_invalidations) == (1, cascaded)
        assert [symbol.symbol_name for symbol in report.invalidated_symbols] == names[: cascaded + 1]
        found = await store.check_freshness_batch([(f"e-{name}", b"one", b"ast", name) for name in names])
        assert [entry.status is FreshnessStatus.STALE for entry in found] == [at <= cascaded for at in range(4)]

    async def test_dependencies_are_counted_as_given(self, store: AsyncFreshnessStorageProtocol) -> None:
        """The count is of what was given, doubles among it; saying it again changes nothing; names alone match."""
        user, used = SymbolId("u.py", "user", "function"), SymbolId("", "used", "function")
        assert await store.register_symbol_dependencies(user, [used, used]) == 2
        assert await store.register_symbol_dependencies(user, [used]) == 1
        await store.register_source(uuid4(), _function("e", "user", "u.py"))
        report = await store.cascade_invalidate(SymbolId("any.py", "used", "function"), None, None)
        assert (report.direct_invalidations, report.cascade_invalidations) == (0, 1)

    async def test_sources_belong_to_sessions_with_uuids(self, store: AsyncFreshnessStorageProtocol) -> None:
        """A session id that is no UUID is refused."""
        with pytest.raises(InvalidArgument):
            await store.register_source("chat", _whole("e"))
