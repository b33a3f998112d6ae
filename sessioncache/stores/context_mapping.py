"""How a session of contract 000 lies in the store: title, documents, updates; and what of it a save has to send.

The rule of this module: no I/O. Only what differs from what the object was based on is sent, so a stale object reverts
nothing that others wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from sessioncache.context.models import ContextEntry
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.sessions.models import Session
from sessioncache.stores.context_models import ActiveSession, ContextBase, HotContext
from sessioncache.stores.context_parts import ContextUpdate
from sessioncache.stores.stored_model import dumped, given, read_back
from sessioncache.types import NO_BASE, Base, JSONObject

__all__ = [
    "GRAPH",
    "SavePlan",
    "as_uuid",
    "is_uuid_text",
    "plan_save",
    "session_from",
    "update_from",
    "update_pairs",
    "uuid_text",
]

DETAILS: Final = "context.session"
GRAPH: Final = "context.entity_graph"

PARTS: Final[dict[str, str]] = {
    "state": "current_state",
    "context.warm": "warm_context",
    "context.cold": "cold_context",
    "context.code_references": "code_references",
    "context.change_history": "change_history",
    GRAPH: "entity_graph",
    "context.vectorized": "vectorized_update_ids",
}
"""The documents that hold one field of a session each; a field that is empty has none."""

NOT_DETAILS: Final = frozenset(
    {"id", "name", "created_at", "last_updated", "hot_context", "incremental_updates", *PARTS.values()}
)
"""Fields that are not in the document of the session's details."""


def as_uuid(value: object, *, what: str) -> UUID:
    """A UUID, or the one in a text.

    Raises:
        InvalidArgument: it is neither.
    """
    if isinstance(value, UUID):
        return value
    try:
        if isinstance(value, str):
            return UUID(value)
    except ValueError:
        pass
    raise InvalidArgument(f"{what} must be a UUID, not {str(value)[:60]!r}")


def uuid_text(value: object, *, what: str = "session id") -> str:
    """How a UUID is written in keys and indexes: lower case, with hyphens."""
    return str(as_uuid(value, what=what))


def is_uuid_text(text: str) -> bool:
    """Whether an id is one that this contract writes; sessions of other contracts may have any."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class SavePlan:
    """What one save sends, and what the object remembers once it is acknowledged."""

    record: Session
    """Takes the merged values when it is saved."""
    documents: dict[str, Any]
    """Parts that differ from what is stored; None removes one."""
    updates: dict[str, Any]
    """Updates that are new or were changed, in their order; None removes one."""
    base: Base
    operation_id: str | None = None
    created_at: datetime | None = None
    """When the session was created, where its owner says so."""
    digests: Mapping[str, bytes] = field(default_factory=dict)
    """Of all parts."""
    known: Mapping[str, bytes] = field(default_factory=dict)
    """Of all updates in the object's list, by id."""

    def done(self) -> ContextBase:
        """What is stored now."""
        record = self.record
        return ContextBase(
            gen=record.gen,
            title=record.title,
            title_version=record.title_version,
            metadata_version=record.metadata_version,
            pinned=record.pinned,
            authoritative=dict(record.authoritative),
            created_at=self.created_at,
            documents=self.digests,
            updates=self.known,
        )


def plan_save(session: ActiveSession, stored: Session | None, further: Iterable[ContextUpdate] = ()) -> SavePlan:
    """What saving a session sends.

    Args:
        session: the session as its owner has it.
        stored: the record that is stored, for an object that remembers nothing; it is overwritten.
        further: updates that are saved with the session and that the object need not have.

    Raises:
        InvalidArgument: the session holds what could not be loaded again.
    """
    for update in (*session.incremental_updates, *session.hot_context):
        if not isinstance(update, ContextUpdate):
            raise InvalidArgument(f"updates of a session must be ContextUpdate, not {type(update).__name__}")
    base = session.remembered()
    before = base or ContextBase(None, None, 0, 0, pinned=False, authoritative={}, created_at=_given_creation(session))
    current = {str(update.id): dumped(update) for update in (*session.incremental_updates, *session.hot_context)}
    # Of an update that stands in both, the one in the list of all updates is the one that its owner edits.
    current |= update_pairs(session.incremental_updates)
    digests = {name: _digest(value) for name, value in current.items()}
    documents = documents_of(session, before.created_at)
    part_digests = {name: _digest(value) for name, value in documents.items() if value is not None}
    updates: dict[str, Any] = {
        name: value for name, value in current.items() if before.updates.get(name) != digests[name]
    }
    updates |= dict.fromkeys(name for name in before.updates if name not in current)
    updates |= update_pairs(further)
    _check_sound(documents, updates)
    return SavePlan(
        record=_record(session, base, stored),
        documents={
            name: value
            for name, value in documents.items()
            if base is None or base.documents.get(name) != part_digests.get(name)
        },
        updates=updates,
        base=NO_BASE if base is None else Base(gen=base.gen),
        created_at=before.created_at,
        digests=part_digests,
        # Not those that stand in the hot context alone: when they leave it, they stay stored.
        known={str(update.id): digests[str(update.id)] for update in session.incremental_updates},
    )


def _check_sound(documents: Mapping[str, Any], updates: Mapping[str, Any]) -> None:
    parts = {part: documents[name] for name, part in PARTS.items() if documents[name] is not None}
    given(ActiveSession, documents[DETAILS] | parts, what="the session")
    for name, value in updates.items():
        if value is not None:
            given(ContextUpdate, value, what=f"update {name}")


def _given_creation(session: ActiveSession) -> datetime | None:
    """When the session was created, if its owner said so."""
    return session.created_at if "created_at" in session.model_fields_set else None


def _record(session: ActiveSession, base: ContextBase | None, stored: Session | None) -> Session:
    """The record with the session's name; a name that its owner changed is an edit, which a stale save is not."""
    record = Session(id=str(session.id), title=session.name)
    if base is not None:
        record.title_version, record.metadata_version = base.title_version, base.metadata_version
        record.pinned, record.authoritative = base.pinned, dict(base.authoritative)
        changed = session.name != base.title
    elif stored is not None:
        record.title_version, record.metadata_version = stored.title_version, stored.metadata_version
        record.pinned, record.authoritative = stored.pinned, dict(stored.authoritative)
        changed = session.name is not None and session.name != stored.title
    else:
        return record
    if changed:
        record.title_version += 1
        record.metadata_version += 1
    return record


def documents_of(session: ActiveSession, created_at: datetime | None) -> dict[str, Any]:
    """The session's parts by the names of their documents; None for those that are empty."""
    values = dumped(session, exclude={"incremental_updates", "hot_context"})
    documents: dict[str, Any] = {
        name: values[part] if _holds_something(values[part]) else None for name, part in PARTS.items()
    }
    details = {name: value for name, value in values.items() if name not in NOT_DETAILS}
    if created_at is not None:
        details["created_at"] = created_at.isoformat()
    return documents | {DETAILS: details}


def _holds_something(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return any(map(_holds_something, value.values()))
    return value is not None and value != []


def update_pairs(updates: Iterable[ContextUpdate]) -> dict[str, JSONObject]:
    """Updates by their ids, as they are stored; of one id given twice, the last."""
    return {str(update.id): dumped(update) for update in updates}


def session_from(record: Session, documents: Mapping[str, Any], entries: Sequence[ContextEntry]) -> ActiveSession:
    """The session that is stored, which remembers that it is.

    Raises:
        DecodeError: a part or an update is none.
    """
    what = f"session {record.id!r}"
    details = documents.get(DETAILS) or {}
    if not isinstance(details, dict):
        raise DecodeError(f"{what}: document {DETAILS!r} is no JSON object")
    values = {name: value for name, value in details.items() if name not in NOT_DETAILS}
    values |= {part: documents[name] for name, part in PARTS.items() if documents.get(name) is not None}
    created_at = details.get("created_at")
    values |= {
        "id": record.id,
        "name": record.title,
        "created_at": created_at or record.created_at,
        "last_updated": record.updated_at,
    }
    updates = [update_from(record.id, entry) for entry in entries]
    session = read_back(ActiveSession, values, what=what)
    session.incremental_updates = updates
    session.hot_context = HotContext.of(updates, session.user_preferences.max_hot_context_size)
    # What the object would send is what it remembers: nothing differs until its owner changes something.
    owned = session.created_at if created_at else None
    parts = documents_of(session, owned)
    digests = {name: _digest(value) for name, value in parts.items() if value is not None}
    known = {name: _digest(value) for name, value in update_pairs(updates).items()}
    session.remember(SavePlan(record, {}, {}, NO_BASE, created_at=owned, digests=digests, known=known).done())
    return session


def update_from(session_id: str, entry: ContextEntry) -> ContextUpdate:
    """The update in an entry; its id is the entry's.

    Raises:
        DecodeError: it is none.
    """
    what = f"update {entry.id!r} of session {session_id!r}"
    if not isinstance(entry.update, dict):
        raise DecodeError(f"{what} is no ContextUpdate: it is no JSON object")
    return read_back(ContextUpdate, entry.update | {"id": entry.id}, what=what)


def _digest(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
