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

from pydantic import BaseModel

from sessioncache.context.models import ContextEntry
from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.sessions.models import Session
from sessioncache.stores.context_models import ActiveSession, ContextBase, HotContext
from sessioncache.stores.context_parts import ContextUpdate
from sessioncache.stores.stored_model import dumped, read_back
from sessioncache.types import NO_BASE, Base, JSONObject

__all__ = ["GRAPH", "SavePlan", "as_uuid", "is_uuid_text", "plan_save", "session_from", "update_pairs", "uuid_text"]

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
    digests: Mapping[str, bytes] = field(default_factory=dict)
    """Of all parts."""
    known: Mapping[str, bytes] = field(default_factory=dict)
    """Of all updates that the object has, by id."""

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
            documents=self.digests,
            updates=self.known,
        )


def plan_save(session: ActiveSession, stored: Session | None, further: Iterable[ContextUpdate] = ()) -> SavePlan:
    """What saving a session sends.

    Args:
        session: the session as its owner has it.
        stored: the record that is stored, for an object that remembers nothing; it is overwritten.
        further: updates that are saved with the session and that the object need not have.
    """
    base = session.remembered()
    known = {str(update.id): dumped(update) for update in (*session.hot_context, *session.incremental_updates)}
    ordered = dict.fromkeys(str(update.id) for update in (*session.incremental_updates, *session.hot_context))
    current = {name: known[name] for name in ordered}
    digests = {name: _digest(value) for name, value in current.items()}
    parts = documents_of(session, created_at=session.created_at if _keeps_creation(session, base, stored) else None)
    part_digests = {name: _digest(value) for name, value in parts.items() if value is not None}
    before = base or ContextBase(None, None, 0, 0, pinned=False, authoritative={})
    updates: dict[str, Any] = {
        name: value for name, value in current.items() if before.updates.get(name) != digests[name]
    }
    updates |= dict.fromkeys(name for name in before.updates if name not in current)
    updates |= {str(update.id): dumped(update) for update in further}
    return SavePlan(
        record=_record(session, base, stored),
        documents={
            name: value
            for name, value in parts.items()
            if base is None or base.documents.get(name) != part_digests.get(name)
        },
        updates=updates,
        base=NO_BASE if base is None else Base(gen=base.gen),
        digests=part_digests,
        known=digests,
    )


def _keeps_creation(session: ActiveSession, base: ContextBase | None, stored: Session | None) -> bool:
    """Whether the owner, and not the server, says when the session was created."""
    details = session.model_extra or {}
    return "created_at" in session.model_fields_set and base is None and stored is None and "created_at" not in details


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


def documents_of(session: ActiveSession, *, created_at: datetime | None = None) -> dict[str, Any]:
    """The session's parts by the names of their documents; None for those that are empty."""
    values = dumped(session)
    documents: dict[str, Any] = {}
    for name, part in PARTS.items():
        value = values[part]
        documents[name] = value if _holds_something(value) else None
    details = {name: value for name, value in values.items() if name not in NOT_DETAILS}
    if created_at is not None:
        details["created_at"] = values["created_at"]
    elif session.remembered() is not None and _own_creation(session):
        details["created_at"] = values["created_at"]
    documents[DETAILS] = details
    return documents


def _own_creation(session: ActiveSession) -> bool:
    return session.owns_creation


def _holds_something(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return any(map(_holds_something, value.values())) if isinstance(value, dict) else bool(value)


def update_pairs(updates: Iterable[ContextUpdate]) -> dict[str, JSONObject]:
    """Updates by their ids, as they are stored; of one id given twice, the last."""
    return {str(update.id): dumped(update) for update in updates}


def session_from(record: Session, documents: Mapping[str, Any], entries: Sequence[ContextEntry]) -> ActiveSession:
    """The session that is stored.

    Raises:
        DecodeError: a part or an update is none.
    """


def _digest(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
