"""Contract 003: sessions as assets, saved and loaded as a whole."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import BackendUnavailable, Conflict, InvalidArgument, NotFound
from sessioncache.sessions.models import Session
from sessioncache.stores.asset_mapping import (
    LABELS,
    NAME_LABEL,
    PATH_LABEL,
    asset_from,
    created_at,
    documents_of,
    labels_of,
    time_of,
    turn_as_loaded,
    turns_of,
)
from sessioncache.stores.asset_models import ASSET_VERSION, ConversationHistory, ProjectContext, SessionAsset
from sessioncache.stores.reading_async import read_session
from sessioncache.stores.saving_async import AsyncMessageSaver
from sessioncache.stores.sync_models import SessionMeta, SyncMode, SyncState, SyncStatus
from sessioncache.types import check_session_id, datetime_from_ms

__all__ = ["AsyncAssetStore", "AsyncAssetStoreProtocol"]

Metas: TypeAlias = list[SessionMeta]

PAGE = 1_000

CONFLICTS_MAX = 1_000
"""Sessions in conflict that a store remembers, so that a long life does not fill its memory."""


class AsyncAssetStoreProtocol(Protocol):
    """What users of contract 003 rely on."""

    async def save(self, asset: SessionAsset) -> None:
        """Save the asset under its id."""

    async def load(self, session_id: str) -> SessionAsset:
        """The asset; NotFound for an unknown one."""

    async def list(self) -> Metas:
        """Every session, the one that was updated last first."""

    async def delete(self, session_id: str) -> None:
        """Remove the session; NotFound for an unknown one."""

    async def exists(self, session_id: str) -> bool:
        """Whether there is such a session."""

    def sync_status(self) -> SyncStatus:
        """How the connection stands; sends nothing and cannot fail."""


class AsyncAssetStore:
    """Contract 003 over a cache."""

    def __init__(self, cache: AsyncSessionCache) -> None:
        self._cache = cache
        self._conflicts: dict[str, None] = {}

    async def save(self, asset: SessionAsset) -> None:
        """Save the asset: everything but its turns is overwritten, turns are a log.

        Turns that are new since the asset was loaded or saved are appended, and those that others appended stay; if the
        asset changed or lost turns that it had, the transcript is swapped, those of others kept. `updated_at_ms` is the
        caller's, and orders lists; there, a time that is in the future counts as now. An asset that was not loaded
        adds the turns that the transcript does not have.

        Unknown session: it is created. Atomic, one round trip for up to 500 new turns; more follow 500 at a time.
        Slides the expiry.

        Raises:
            SessionGone: the session that the asset was loaded from was deleted, or has expired.
            InvalidArgument, LimitExceeded: a bad id or value, or one that is too large; nothing is written.
            Conflict: others wrote each time that the transcript was to be swapped.
        """
        for part, value, kind in (
            ("asset", asset, SessionAsset),
            ("history", getattr(asset, "history", None), ConversationHistory),
            ("project_context", getattr(asset, "project_context", None), ProjectContext),
        ):
            if not isinstance(value, kind):
                raise InvalidArgument(f"{part} must be a {kind.__name__}, not {type(value).__name__}")
        if asset.version != ASSET_VERSION:
            raise InvalidArgument(f"the asset has version {asset.version!r}; this release writes {ASSET_VERSION}")
        stored = Session(id=check_session_id(asset.id), labels=labels_of(asset))
        saver = AsyncMessageSaver(
            self._cache,
            asset,
            stored,
            turns_of(asset),
            documents_of(asset),
            turn_as_loaded,
            time_of(asset.updated_at_ms, what="updated_at_ms"),
            keep_runtime=True,
        )
        try:
            await saver.save()
        except Conflict:
            self._conflicts[asset.id] = None
            if len(self._conflicts) > CONFLICTS_MAX:
                del self._conflicts[next(iter(self._conflicts))]
            raise
        self._conflicts.pop(asset.id, None)

    async def load(self, session_id: str) -> SessionAsset:
        """The asset as it stands at one moment; one that another contract made, with its messages as turns.

        Three round trips, and one more for every 10,000 turns; again where somebody writes in between.

        Raises:
            NotFound: there is no such session.
            SchemaTooNew: a newer release wrote the asset.
            DataError: its checksum is another one, or a part of the session cannot be read.
        """
        found = await read_session(self._cache, session_id)
        if found is None:
            raise NotFound(f"there is no session {session_id!r}")
        asset = asset_from(found)
        self._conflicts.pop(session_id, None)
        return asset

    async def list(self) -> Metas:
        """Every session, the one that was updated last first; the id breaks ties. Both times are the caller's.

        Reads no asset: one round trip for every 1,000 sessions.

        Raises:
            DecodeError: the record of a session, or what it shows of its asset, is damaged.
        """
        found: dict[str, SessionMeta] = {}
        async for session in self._cache.sessions.each(batch=PAGE, labels=LABELS):
            state = SyncState.CONFLICT if session.id in self._conflicts else SyncState.SYNCED
            found[session.id] = SessionMeta(
                id=session.id,
                name=session.labels.get(NAME_LABEL),
                created_at=created_at(session),
                updated_at=session.updated_at,
                project_path=session.labels.get(PATH_LABEL),
                turn_count=session.messages,
                sync_state=state,
            )
        # A session that changed while the list was walked comes at its end: put it where it belongs.
        return sorted(found.values(), key=lambda meta: meta.updated_at, reverse=True)

    async def delete(self, session_id: str) -> None:
        """Remove everything of the session, and of its other views. Atomic, one round trip.

        Raises:
            NotFound: there is no such session.
        """
        if not await self._cache.sessions.delete(session_id):
            raise NotFound(f"there is no session {session_id!r}")
        self._conflicts.pop(session_id, None)

    async def exists(self, session_id: str) -> bool:
        """Whether there is such a session; an id that cannot be one: False. One round trip."""
        try:
            check_session_id(session_id)
        except InvalidArgument:
            return False
        return await self._cache.sessions.exists(session_id)

    def sync_status(self) -> SyncStatus:
        """How the connection stands, by the calls that the cache made. Sends nothing and cannot fail."""
        state = self._cache.connection
        if state.reads + state.writes > 0:
            mode = SyncMode.SYNCING
        elif isinstance(state.error, BackendUnavailable):
            mode = SyncMode.OFFLINE
        elif state.error is not None:
            mode = SyncMode.ERROR
        else:
            mode = SyncMode.OFFLINE if state.succeeded_ms is None else SyncMode.ONLINE
        last_sync = None if state.succeeded_ms is None else datetime_from_ms(state.succeeded_ms)
        return SyncStatus(mode, last_sync, state.writes, state.reads, tuple(self._conflicts))
