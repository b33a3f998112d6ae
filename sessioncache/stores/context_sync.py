# Generated from sessioncache/stores/context_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""Contract 000: sessions of structured context, with updates, checkpoints, workspaces and freshness."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias
from uuid import UUID

from sessioncache.checkpoints.models import Checkpoint
from sessioncache.client._sync import SessionCache
from sessioncache.context.models import ContextEntry
from sessioncache.errors import (
    BackendError,
    Conflict,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    SessionCacheError,
    SessionGone,
)
from sessioncache.sessions.models import Session
from sessioncache.stores.context_mapping import (
    GRAPH,
    SavePlan,
    as_uuid,
    is_uuid_text,
    plan_save,
    session_from,
    update_from,
    update_pairs,
    uuid_text,
)
from sessioncache.stores.context_models import ActiveSession, CompactReport, SessionCheckpoint, StoredWorkspace
from sessioncache.stores.context_parts import ContextUpdate
from sessioncache.stores.freshness_sync import FreshnessStorage, FreshnessStorageProtocol
from sessioncache.stores.stored_model import dumped, given, read_back
from sessioncache.types import Base
from sessioncache.upkeep.models import Expired
from sessioncache.wire.call import new_operation_id
from sessioncache.workspaces.models import SessionRole

__all__ = ["ContextStorage", "ContextStorageProtocol"]

Id: TypeAlias = UUID | str
"""A UUID, or the text of one."""

AT_ONCE = 5_000
"""Updates that one atomic save takes."""

BATCH = 500
TRIES = 20


class ContextStorageProtocol(FreshnessStorageProtocol, Protocol):
    """What users of contract 000 rely on."""

    def save_session(self, session: ActiveSession) -> None:
        """Save a session with its updates."""

    def load_session(self, session_id: Id) -> ActiveSession:
        """The session; NotFound where there is none."""

    def delete_session(self, session_id: Id) -> None:
        """Remove a session with all that belongs to it; nothing happens if there is none."""

    def clear_session_entities(self, session_id: Id) -> None:
        """Remove a session's entities and relationships."""

    def list_sessions(self) -> list[UUID]:
        """The ids of all sessions, in their order."""

    def session_exists(self, session_id: Id) -> bool:
        """Whether there is such a session."""

    def batch_save_updates(self, session_id: Id, updates: Sequence[ContextUpdate]) -> None:
        """Add updates; one of a known id is replaced in its place."""

    def load_session_updates(self, session_id: Id) -> list[ContextUpdate]:
        """All updates of a session in the order they came; none for an unknown session."""

    def save_session_with_updates(
        self, session: ActiveSession, session_id: Id, updates: Sequence[ContextUpdate]
    ) -> None:
        """Save a session and further updates in one atomic write."""

    def save_checkpoint(self, checkpoint: SessionCheckpoint) -> None:
        """Keep a checkpoint under its id; one of that id is replaced."""

    def load_checkpoint(self, checkpoint_id: Id) -> SessionCheckpoint:
        """The checkpoint of an id; NotFound where there is none."""

    def list_checkpoints(self) -> list[SessionCheckpoint]:
        """All checkpoints of all sessions."""

    def save_workspace_metadata(self, workspace_id: Id, name: str, description: str, session_ids: Sequence[Id]) -> None:
        """Set a workspace's name and description, and add the sessions that are no members yet."""

    def delete_workspace(self, workspace_id: Id) -> None:
        """Remove a workspace and its memberships; nothing happens if there is none."""

    def list_workspaces(self) -> list[StoredWorkspace]:
        """All workspaces with their members."""

    def add_session_to_workspace(self, workspace_id: Id, session_id: Id, role: SessionRole) -> None:
        """Make a session a member; a member's role changes."""

    def remove_session_from_workspace(self, workspace_id: Id, session_id: Id) -> None:
        """End a membership; nothing happens if there is none."""

    def compact(self) -> CompactReport:
        """Free the storage of what nobody can see any more."""

    def get_key_count(self) -> int:
        """How many entries are stored."""

    def get_stats(self) -> str:
        """What is stored, as JSON for people to read."""


class ContextStorage(FreshnessStorage):
    """Contract 000 over a cache. Ids of sessions, updates, checkpoints and workspaces are UUIDs, or texts of them."""

    def __init__(self, cache: SessionCache) -> None:
        super().__init__(cache)
        self._cache = cache

    def save_session(self, session: ActiveSession) -> None:
        """Save what its owner changed of a session since it was loaded or saved; all or nothing.

        Updates and parts that others saved meanwhile stay, and a name that others gave wins over one that was not
        changed here. Of one part that both changed, the later save wins. An object that was never loaded or saved
        overwrites name and parts of a stored session, and adds its updates. The object takes the merged name and the
        server's times. Unknown session: it is created. One round trip, and one before it for an object that was never
        loaded or saved. More than 5,000 new updates: the others are sent first, oldest first. Slides the expiry.
        A save whose outcome is not known, after a BackendError, is made sure by the object's next one.

        Raises:
            SessionGone: the session that the object was loaded from was deleted, or has expired.
            LimitExceeded: an update, a part or the quota is too large; nothing is written.
            InvalidArgument: not an ActiveSession.
        """
        self._save(session, ())

    def load_session(self, session_id: Id) -> ActiveSession:
        """The session with all its updates, as it stood at one moment.

        Three round trips, and one more for each 500 updates; again where somebody writes in between. Does not slide the
        expiry, unless the policy says so.

        Raises:
            NotFound: there is no such session.
            InvalidArgument: no UUID.
            DecodeError: a part or an update cannot be read.
            SessionTorn: parts of the session were lost.
            Conflict: somebody wrote each time it was read.
        """
        name = uuid_text(session_id)
        for _ in range(TRIES):
            record = self._cache.sessions.get(name)
            if record is None:
                raise NotFound(f"there is no session {name}")
            moment = (record.gen, record.revision)
            documents = self._cache.documents.get(name)
            entries = self._updates(name, moment) if (documents.gen, documents.revision) == moment else None
            if entries is not None:
                return session_from(record, documents.values, entries)
        raise Conflict(f"session {name} changed each of the {TRIES} times it was read; try again")

    def _updates(self, name: str, moment: tuple[str | None, int]) -> list[ContextEntry] | None:
        """All updates as they stood at a moment; None where it has passed."""
        entries: list[ContextEntry] = []
        cursor: str | None = None
        while True:
            page = self._cache.context.list(name, limit=BATCH, cursor=cursor)
            if (page.gen, page.revision) != moment:
                return None
            entries += page.items
            cursor = page.cursor
            if cursor is None:
                return entries

    def delete_session(self, session_id: Id) -> None:
        """Remove everything of the session: updates, checkpoints, entities, memberships, sources, messages.

        Unknown session: nothing happens. Atomic, one round trip.

        Raises:
            InvalidArgument: no UUID.
        """
        self._cache.sessions.delete(uuid_text(session_id))

    def clear_session_entities(self, session_id: Id) -> None:
        """Remove the entities and relationships of a session: those saved with it, and those of `cache.entities`.

        Unknown session: nothing happens. Two or three round trips, each a step of its own.

        Raises:
            InvalidArgument: no UUID.
        """
        name = uuid_text(session_id)
        documents = self._cache.documents.get(name, GRAPH)
        if not documents.exists:
            return
        base = Base(gen=documents.gen)
        try:
            if GRAPH in documents.values:
                self._cache.documents.save(name, {GRAPH: None}, base=base)
            self._cache.entities.clear(name, base=base)
        except SessionGone:
            return

    def list_sessions(self) -> list[UUID]:
        """The ids of all sessions, in their order. Sessions of other contracts whose ids are no UUIDs are left out.

        One round trip for every 500 sessions.

        Raises:
            DecodeError: the record of a session is damaged.
        """
        names = [session.id for session in self._cache.sessions.each() if is_uuid_text(session.id)]
        return [UUID(name) for name in sorted(names)]

    def session_exists(self, session_id: Id) -> bool:
        """Whether the session is there and its deadline has not passed. One round trip.

        Raises:
            InvalidArgument: no UUID.
        """
        return self._cache.sessions.exists(uuid_text(session_id))

    def batch_save_updates(self, session_id: Id, updates: Sequence[ContextUpdate]) -> None:
        """Add updates in the order given; one of a known id is replaced in its place. Safe to repeat.

        No updates: nothing happens. Unknown session: it is created. Up to 5,000 in one atomic round trip; more in
        several, oldest first. Slides the expiry.

        Raises:
            LimitExceeded: an update or the quota is too large; nothing of its round trip is written.
            InvalidArgument: no UUID, or something that is no update.
        """
        name = uuid_text(session_id)
        pairs = list(update_pairs(_checked(updates)).items())
        for update_id, fields in pairs:
            given(ContextUpdate, fields, what=f"update {update_id}")
        for at in range(0, len(pairs), AT_ONCE):
            part = dict(pairs[at : at + AT_ONCE])
            self._cache.sessions.save(Session(id=name), updates=part, keep_runtime=True)

    def load_session_updates(self, session_id: Id) -> list[ContextUpdate]:
        """All updates in the order they came. Unknown session: none. One round trip for each 500.

        Raises:
            InvalidArgument: no UUID.
            DecodeError: an update cannot be read.
            SessionTorn: updates were lost.
        """
        name = uuid_text(session_id)
        return [update_from(name, entry) for entry in self._cache.context.each(name)]

    def save_session_with_updates(
        self, session: ActiveSession, session_id: Id, updates: Sequence[ContextUpdate]
    ) -> None:
        """Save a session as `save_session` does, with further updates in the same atomic write.

        Readers see all of it or nothing. Together with the session's own new updates, up to 5,000 are atomic; of more,
        the oldest are sent first, 500 at a time.

        Raises:
            InvalidArgument: the id is not the session's, or something is no update; nothing is written.
            SessionGone, LimitExceeded: as `save_session`.
        """
        if as_uuid(session_id, what="session id") != given(ActiveSession, session, what="session").id:
            raise InvalidArgument(f"the session is {session.id}, and the updates are given for {session_id}")
        self._save(session, updates)

    def _save(self, session: ActiveSession, updates: Sequence[ContextUpdate]) -> None:
        session = given(ActiveSession, session, what="session")
        further, name = _checked(updates), str(session.id)
        unanswered = session.unanswered()
        if isinstance(unanswered, SavePlan):
            self._send(session, unanswered)
        stored = None if session.remembered() is not None else self._cache.sessions.get(name)
        plan = plan_save(session, stored, further)
        sent = list(plan.updates.items())
        first = max(len(sent) - AT_ONCE, 0)
        base = plan.base
        if first:
            base = self._send_ahead(name, sent[:first], base)
            if session.remembered() is None:
                plan = plan_save(session, self._cache.sessions.get(name), further)
        self._send(session, replace(plan, updates=dict(sent[first:]), base=base, operation_id=new_operation_id()))

    def _send(self, session: ActiveSession, plan: SavePlan) -> None:
        """Make the one atomic write, or make it sure; the object moves only with the answer."""
        name = plan.record.title
        try:
            self._cache.sessions.save(
                plan.record,
                documents=plan.documents,
                updates=plan.updates,
                keep_runtime=True,
                base=plan.base,
                operation_id=plan.operation_id,
            )
        except BaseException as error:
            # After OutcomeUnknown a repeat is never answered: the next save writes all of it, each update under its id.
            known = not isinstance(error, BackendError) or isinstance(error, OutcomeUnknown)
            session.doubt(None if known and isinstance(error, SessionCacheError) else plan)
            raise
        if session.name == name:
            session.name = plan.record.title
        session.last_updated = plan.record.updated_at or session.last_updated
        session.created_at = plan.created_at or plan.record.created_at or session.created_at
        session.remember(plan.done())

    def _send_ahead(self, name: str, updates: Sequence[tuple[str, object]], base: Base) -> Base:
        """Send what does not fit into the atomic save; the session is the one that it was then."""
        for at in range(0, len(updates), BATCH):
            part = updates[at : at + BATCH]
            saved = [(update, value) for update, value in part if value is not None]
            gone = [update for update, value in part if value is None]
            if saved:
                base = Base(gen=(self._cache.context.save(name, saved, base=base)).gen)
            if gone:
                self._cache.context.delete(name, gone, base=base)
        return base

    def save_checkpoint(self, checkpoint: SessionCheckpoint) -> None:
        """Keep a checkpoint under its id, with the session that it names; one of that id is replaced.

        Unknown session: it is created. Checkpoints go with their session. Atomic, one round trip; slides the expiry.

        Raises:
            LimitExceeded: the checkpoint is larger than an entry may be, or the quota; nothing is written.
        """
        checked = given(SessionCheckpoint, checkpoint, what="checkpoint")
        fields = dumped(checked)
        given(SessionCheckpoint, fields, what="checkpoint")
        self._cache.checkpoints.save(str(checked.session_id), str(checked.id), fields)

    def load_checkpoint(self, checkpoint_id: Id) -> SessionCheckpoint:
        """The checkpoint of an id, whichever session has it; of several, the one saved last.

        One round trip over the shards.

        Raises:
            NotFound: there is none.
            InvalidArgument: no UUID.
            DecodeError: it cannot be read.
        """
        name = uuid_text(checkpoint_id, what="checkpoint id")
        found = self._cache.checkpoints.find(name)
        if found is None:
            raise NotFound(f"there is no checkpoint {name}")
        return _checkpoint(found)

    def list_checkpoints(self) -> list[SessionCheckpoint]:
        """All checkpoints of all sessions, by id. Those whose ids are no UUIDs are left out.

        Two round trips over the shards for each 50.

        Raises:
            DecodeError: one cannot be read.
        """
        return [
            _checkpoint(found)
            for found in self._cache.checkpoints.each_all()
            if is_uuid_text(found.id) and is_uuid_text(found.session_id)
        ]

    def save_workspace_metadata(
        self, workspace_id: Id, name: str, description: str, session_ids: Sequence[Id] = ()
    ) -> None:
        """Set a workspace's name and description, and make sessions members that are none yet, as Primary.

        Its time of creation and the roles of members stay; nobody is removed. Unknown sessions: they are created.

        Raises:
            InvalidArgument: no UUID; nothing is written.
        """
        members = [uuid_text(session_id) for session_id in session_ids]
        workspace = uuid_text(workspace_id, what="workspace id")
        self._cache.workspaces.save(workspace, name=name, description=description, session_ids=members)

    def delete_workspace(self, workspace_id: Id) -> None:
        """Remove a workspace and its memberships; the sessions stay. Unknown: nothing happens.

        Raises:
            InvalidArgument: no UUID.
        """
        self._cache.workspaces.delete(uuid_text(workspace_id, what="workspace id"))

    def list_workspaces(self) -> list[StoredWorkspace]:
        """All workspaces with their members, by id. Ids that are no UUIDs are left out.

        Raises:
            DecodeError: a workspace or a membership is damaged.
        """
        return [
            StoredWorkspace(
                id=UUID(found.id),
                name=found.name,
                description=found.description,
                sessions=tuple(
                    (UUID(member.session_id), member.role)
                    for member in found.members
                    if is_uuid_text(member.session_id)
                ),
                created_at=int(found.created_at.timestamp()),
            )
            for found in self._cache.workspaces.list()
            if is_uuid_text(found.id)
        ]

    def add_session_to_workspace(
        self, workspace_id: Id, session_id: Id, role: SessionRole = SessionRole.PRIMARY
    ) -> None:
        """Make a session a member; a member's role changes. Neither needs to exist: the session is created.

        Raises:
            InvalidArgument: no UUID, or an unknown role.
        """
        self._cache.workspaces.add(uuid_text(workspace_id, what="workspace id"), uuid_text(session_id), role)

    def remove_session_from_workspace(self, workspace_id: Id, session_id: Id) -> None:
        """End a membership; nothing happens if there is none.

        Raises:
            InvalidArgument: no UUID.
        """
        self._cache.workspaces.remove(uuid_text(workspace_id, what="workspace id"), uuid_text(session_id))

    def compact(self) -> CompactReport:
        """Free the memory of sessions past their deadline, which nobody sees any more. Loses nothing that is visible.

        It compresses nothing: that is what the workers' job of this name does (`maintain run compact`).

        Two round trips for each 500 such sessions of a shard, and one for each shard. Workers do the same by
        themselves; both at once do no harm.

        Raises:
            DataError: such a session cannot be removed; `doctor` says more.
        """
        sessions = 0
        before = self._entries()
        for shard in range(self._cache.settings.shards):
            while True:
                due = [name for name, _late_ms in self._cache.upkeep.due(shard, limit=BATCH)]
                swept = self._cache.upkeep.expire(shard, due) if due else []
                removed = sum(1 for one in swept if isinstance(one, Expired) and one.outcome != "kept")
                sessions += removed
                for failed in swept if not removed else ():
                    if isinstance(failed, SessionCacheError):
                        raise failed
                if not removed:
                    break
        after = self._entries()
        return CompactReport(sessions, max(before - after, 0), self.get_key_count())

    def _entries(self) -> int:
        stats = self._cache.stats.get()
        return stats.messages + stats.entries

    def get_key_count(self) -> int:
        """How many sessions, messages and entries of rooms there are. One round trip over the shards."""
        stats = self._cache.stats.get()
        return stats.sessions + stats.messages + stats.entries

    def get_stats(self) -> str:
        """How many sessions, workspaces, messages and entries of each room there are, as indented JSON.

        Two round trips, whatever is stored. `workspaces` are those that were saved, `workspace_memberships` the
        sessions in any. `embeddings` is always 0: this storage holds none.
        """
        stats = self._cache.stats.get()
        found = {
            "sessions": stats.sessions,
            "workspaces": self._cache.workspaces.count(),
            "embeddings": 0,
            "messages": stats.messages,
            "bytes": stats.bytes,
            "overdue": stats.overdue,
        }
        names = {"workspaces": "workspace_memberships"}
        found |= {names.get(room, room): count for room, count in stats.rooms.items()}
        return json.dumps(found, indent=2)


def _checked(updates: Sequence[ContextUpdate]) -> list[ContextUpdate]:
    return [given(ContextUpdate, update, what=f"update {at}") for at, update in enumerate(updates)]


def _checkpoint(found: Checkpoint) -> SessionCheckpoint:
    what = f"checkpoint {found.id!r} of session {found.session_id!r}"
    snapshot = found.snapshot if isinstance(found.snapshot, dict) else {"structured_context": found.snapshot}
    return read_back(SessionCheckpoint, snapshot | {"id": found.id, "session_id": found.session_id}, what=what)
