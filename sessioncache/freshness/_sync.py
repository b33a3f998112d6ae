# Generated from sessioncache/freshness/_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""The methods of `cache.freshness`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.freshness import lua
from sessioncache.freshness.encoding import (
    Source,
    check_entry_id,
    check_hash,
    check_path,
    decode_source,
    dependent_of,
    judge,
    names_symbol,
    ranges_of,
    row_of,
    source_args,
    symbol_of,
)
from sessioncache.freshness.lua import RawSource
from sessioncache.freshness.models import (
    CascadeInvalidateReport,
    FreshnessEntry,
    Function,
    Registered,
    SourceReference,
    StaleEntryInfo,
    SymbolId,
)
from sessioncache.transport.base import Transport
from sessioncache.types import NO_BASE, Base, SessionId, check_limit, check_session_id, check_user
from sessioncache.wire.call import Call, Write
from sessioncache.wire.keys import Keyspace, escape
from sessioncache.wire.values import ValueEncoder

__all__ = ["Freshness"]

ROWS_MAX: Final = 500


class Freshness:
    """Which file or symbol an entry comes from, and whether that has changed since."""

    def __init__(self, transport: Transport, keys: Keyspace, values: ValueEncoder) -> None:
        self._transport = transport
        self._keys = keys
        self._values = values

    def register(
        self,
        session_id: SessionId,
        reference: SourceReference,
        *,
        user: str | None = None,
        base: Base = NO_BASE,
        operation_id: str | None = None,
    ) -> Registered:
        """Say where an entry comes from; what was said before is replaced, and the entry is fresh again.

        Ids of entries are global: of two sessions that register one entry, the later one is right. Unknown session: it
        is created. Atomic, one round trip; slides the expiry.

        Args:
            session_id: with which session the source goes away.
            reference: entry, file and scope.
            user: whose session it is, if this call creates it.
            base: what the write is based on; the default always goes through.
            operation_id: the same id again answers the first reply and changes nothing.

        Raises:
            InvalidArgument: a bad id, path, hash or scope; nothing is written.
            LimitExceeded: the session has too many sources; nothing is written.
            SessionGone, VersionConflict, LeaseLost: by the base.
        """
        keys = self._keys.session(check_session_id(session_id))
        if not isinstance(reference, SourceReference):
            raise InvalidArgument(f"reference must be a SourceReference, not {type(reference).__name__}")
        call = lua.register(
            session=keys,
            sources=keys.room("sources")[0],
            write=Write.of(self._keys, "freshness.register", base, operation_id),
            user=check_user(user),
            entry=escape(check_entry_id(reference.entry_id)),
            path=escape(check_path(reference.file_path)),
            given=source_args(self._values, reference),
        )
        return self._transport.call(call)

    def check(self, entry_id: str, file_hash: bytes) -> FreshnessEntry:
        """Whether an entry is fresh: by the hash of its file, unless it was marked stale.

        Unknown entry, or one of a session past its deadline: UNKNOWN. One round trip over the shards; slides nothing.

        Raises:
            DecodeError: what is stored of the entry is damaged.
        """
        return self.check_semantic(entry_id, file_hash)

    def check_semantic(
        self,
        entry_id: str,
        file_hash: bytes,
        ast_hash: bytes | None = None,
        symbol_name: str | None = None,  # noqa: ARG002 - part of the contract
    ) -> FreshnessEntry:
        """As `check`; where both the caller and the entry have an AST hash, that one decides.

        Args:
            entry_id: which entry.
            file_hash: what its file hashes to now.
            ast_hash: what its symbol hashes to now.
            symbol_name: not looked at.

        Raises:
            DecodeError: what is stored of the entry is damaged.
        """
        check_hash("file_hash", file_hash)
        found = (self._latest([check_entry_id(entry_id)]))[entry_id]
        if isinstance(found, DecodeError):
            raise found
        return judge(entry_id, found, file_hash, ast_hash)

    def check_batch(self, items: Sequence[tuple[str, bytes, bytes | None, str | None]]) -> Sequence[FreshnessEntry]:
        """Many checks at once: entry id, file hash, AST hash, symbol name; the answers in the same order.

        An entry whose stored state is damaged is UNKNOWN; a server that fails raises. One round trip over the shards
        for each 500 entries; slides nothing.
        """
        for entry_id, file_hash, _ast_hash, _symbol_name in items:
            check_entry_id(entry_id)
            check_hash("file_hash", file_hash)
        found = self._latest([entry_id for entry_id, *_ in items])
        answers: list[FreshnessEntry] = []
        for entry_id, file_hash, ast_hash, _symbol_name in items:
            source = found[entry_id]
            known = None if isinstance(source, DecodeError) else source
            answers.append(judge(entry_id, known, file_hash, ast_hash))
        return answers

    def invalidate(self, file_path: str) -> int:
        """Mark every entry of a file stale, and answer how many there are. Registering one again makes it fresh.

        Unknown file: 0. One step a session and 500 entries, so after an error the same call may be made again. Slides
        the expiry of the sessions whose entries were fresh.

        Raises:
            DecodeError: what is stored of an entry of the file is damaged; nothing is marked.
        """
        sources = self._sources([check_path(file_path)])
        current = {source.reference.entry_id for source in self._current(sources)}
        return len(self._mark(sources) & current)

    def entries(self, file_path: str) -> Sequence[SourceReference]:
        """The entries that come from a file, by entry id.

        Two round trips over the shards, and more where there are more than 500; slides nothing.

        Raises:
            DecodeError: what is stored of one of them is damaged.
        """
        sources = self._sources([check_path(file_path)])
        return [source.reference for source in self._current(sources)]

    def stale_entries(self, file_path: str) -> Sequence[StaleEntryInfo]:
        """The entries of a file that were marked stale and not registered again since, by entry id.

        What is left after a file was registered anew came from symbols that it has no more. Costs as `entries`.

        Raises:
            DecodeError: what is stored of one of the file's entries is damaged.
        """
        stale: list[StaleEntryInfo] = []
        for source in self._current(self._sources([check_path(file_path)])):
            if source.stale:
                scope = source.reference.scope
                named = (scope.name, scope.symbol_type) if isinstance(scope, Function) else (None, None)
                stale.append(StaleEntryInfo(source.reference.entry_id, *named))
        return stale

    def register_dependencies(self, from_symbol: SymbolId, to_symbols: Sequence[SymbolId]) -> int:
        """Say that a symbol depends on others, and answer how many were given. Saying it again changes nothing.

        A symbol without a file path means all symbols of its name. Dependencies belong to the namespace, to no session.
        One round trip; each 500 are a step of their own.

        Raises:
            InvalidArgument: what is no symbol.
        """
        symbol_of(from_symbol)
        rows: dict[int, list[str]] = defaultdict(list)
        for symbol in to_symbols:
            rows[self._keys.shard_of(symbol.symbol_name)].append(row_of(symbol, from_symbol))
        calls = [
            lua.depend(shard=self._keys.shard(index), rows=given[at : at + ROWS_MAX])
            for index, given in rows.items()
            for at in range(0, len(given), ROWS_MAX)
        ]
        self._transport.call_many(calls)
        return len(to_symbols)

    def cascade_invalidate(
        self,
        changed: SymbolId,
        new_ast_hash: bytes | None = None,  # noqa: ARG002 - part of the contract
        max_depth: int | None = None,
    ) -> CascadeInvalidateReport:
        """Mark the entries of a changed symbol stale, and those of all symbols that depend on it, however far.

        Entries are those that were registered with a Function scope of the symbol's name in its file; a symbol without
        a file has none, but has dependents. One round trip for each level of dependents, then as `invalidate`.

        Args:
            changed: the symbol.
            new_ast_hash: not looked at.
            max_depth: how many levels of dependents to follow; None: all, 0: the changed symbol only.

        Raises:
            InvalidArgument: what is no symbol, or a negative depth.
            DecodeError: what is stored of an entry of one of the files is damaged; nothing is marked.
        """
        symbol_of(changed)
        if max_depth is not None:
            check_limit(max_depth, what="max_depth")
        reached = self._reach(changed, max_depth)
        paths = list(dict.fromkeys(symbol.file_path for symbol in reached if symbol.file_path))
        by_path: dict[str, list[Source]] = defaultdict(list)
        for source in self._sources(paths):
            by_path[source.reference.file_path].append(source)
        named: dict[SymbolId, list[Source]] = {
            symbol: [source for source in by_path[symbol.file_path] if names_symbol(source, symbol)]
            for symbol in reached
        }
        every = [source for sources in named.values() for source in sources]
        current = {source.reference.entry_id for source in self._current(every)}
        marked = self._mark(every) & current
        direct = marked & {source.reference.entry_id for source in named[changed]}
        return CascadeInvalidateReport(len(direct), len(marked - direct), tuple(reached))

    def _reach(self, changed: SymbolId, max_depth: int | None) -> Sequence[SymbolId]:
        """The symbol and its dependents, breadth first; each file and name once, so that cycles end."""
        reached = {(changed.file_path, changed.symbol_name): changed}
        level = [changed]
        depth = 0
        while level and (max_depth is None or depth < max_depth):
            following: list[SymbolId] = []
            for symbol in self._dependents(level):
                place = (symbol.file_path, symbol.symbol_name)
                if place not in reached:
                    reached[place] = symbol
                    following.append(symbol)
            level = following
            depth += 1
        return list(reached.values())

    def _dependents(self, symbols: Sequence[SymbolId]) -> Sequence[SymbolId]:
        """What depends directly on the symbols: their rows lie in the shards of their names."""
        found: list[SymbolId] = []
        ranges = [
            (self._keys.shard_of(symbol.symbol_name), start, stop)
            for symbol in symbols
            for start, stop in ranges_of(symbol)
        ]
        while ranges:
            calls = [
                lua.dependents(shard=self._keys.shard(index), start=start, stop=stop, limit=ROWS_MAX)
                for index, start, stop in ranges
            ]
            left: list[tuple[int, str, str]] = []
            for (index, _start, stop), rows in zip(ranges, self._transport.call_many(calls), strict=True):
                found += map(dependent_of, rows)
                if len(rows) == ROWS_MAX:
                    left.append((index, f"({rows[-1]}", stop))
            ranges = left
        return found

    def _sources(self, paths: Sequence[str]) -> Sequence[Source]:
        """What every session says about entries of the files; rows may outlive what they say, where it was damaged."""
        answers = self._ask([f"p\0{escape(path)}\0" for path in paths])
        found = [(path, self._decode(raw)) for path, raws in zip(paths, answers, strict=True) for raw in raws]
        return [source for path, source in found if source.reference.file_path == path]

    def _current(self, sources: Sequence[Source]) -> Sequence[Source]:
        """Those of the sources that were registered last under their entry's id, by entry id."""
        latest = self._latest([source.reference.entry_id for source in sources])
        current: list[Source] = []
        for source in sorted(sources, key=lambda source: source.reference.entry_id):
            last = latest[source.reference.entry_id]
            if isinstance(last, DecodeError):
                raise last
            if last is not None and last.session_id == source.session_id:
                current.append(source)
        return current

    def _latest(self, entry_ids: Sequence[str]) -> Mapping[str, Source | DecodeError | None]:
        """What was registered last about each entry; an error where that cannot be told."""
        wanted = list(dict.fromkeys(entry_ids))
        answers = self._ask([f"f\0{escape(entry_id)}\0" for entry_id in wanted])
        latest: dict[str, Source | DecodeError | None] = {}
        for entry_id, found in zip(wanted, answers, strict=True):
            try:
                latest[entry_id] = max(map(self._decode, found), key=lambda source: source.age, default=None)
            except DecodeError as error:
                latest[entry_id] = error
        return latest

    def _ask(self, prefixes: Sequence[str]) -> Sequence[Sequence[RawSource]]:
        """What all shards have under each prefix of rows, 500 prefixes or rows a shard and round trip."""
        answers: list[list[RawSource]] = [[] for _ in prefixes]
        places = {shard.index: (0, "") for shard in self._keys} if prefixes else {}
        while places:
            asked = list(places.items())
            calls = [
                lua.entries(
                    shard=self._keys.shard(index),
                    now_override_ms=self._keys.now_override_ms,
                    limit=ROWS_MAX,
                    bounds=_bounds(prefixes[at : at + ROWS_MAX], last),
                )
                for index, (at, last) in asked
            ]
            for (index, (at, _last)), answer in zip(asked, self._transport.call_many(calls), strict=True):
                for question, raw in answer.items:
                    answers[at + question].append(raw)
                places[index] = (at + answer.done, answer.last)
                if at + answer.done == len(prefixes):
                    del places[index]
        return answers

    def _mark(self, sources: Sequence[Source]) -> set[str]:
        """Mark sources stale, a script a session, file and 500 entries; answers the entries that are stale."""
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for source in sources:
            groups[source.session_id, source.reference.file_path].append(escape(source.reference.entry_id))
        calls: list[Call[list[str]]] = []
        for (session_id, path), entries in groups.items():
            keys = self._keys.session(session_id)
            for at in range(0, len(entries), ROWS_MAX):
                write = Write.of(self._keys, "freshness.invalidate", NO_BASE, None)
                calls.append(
                    lua.invalidate(
                        session=keys,
                        sources=keys.room("sources")[0],
                        write=write,
                        path=escape(path),
                        entries=entries[at : at + ROWS_MAX],
                    )
                )
        marked: set[str] = set()
        for at in range(0, len(calls), ROWS_MAX):
            for found in self._transport.call_many(calls[at : at + ROWS_MAX]):
                marked |= set(found)
        return marked

    def _decode(self, raw: RawSource) -> Source:
        return decode_source(self._values, raw.entry_id, raw.session_id, raw.value)


def _bounds(prefixes: Sequence[str], last: str) -> Sequence[str]:
    """Two bounds for each prefix; the first one goes on behind the row that came last."""
    bounds = [bound for prefix in prefixes for bound in (f"[{prefix}", f"({prefix[:-1]}\1")]
    return [f"({last}", *bounds[1:]] if last else bounds
