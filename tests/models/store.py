"""What sessions, transcripts, documents and context updates are to do, in plain Python: a dict of sessions and a clock.

The rule of this module: it is written from what the methods promise, not from their scripts. A method answers what the
cache's method of that name answers, as a dict, or refuses with the same class of error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from sessioncache import (
    UNSET,
    Base,
    InvalidArgument,
    LeaseLost,
    LimitExceeded,
    NotFound,
    RetentionPolicy,
    Session,
    SessionCacheError,
    SessionGone,
    VersionConflict,
)
from sessioncache.types import Unset

OPERATIONS_KEPT = 16

Reply = dict[str, Any]


class Refused(Exception):
    """The model refuses a write: nothing is changed, and the cache raises an error of this class."""

    def __init__(self, error: type[SessionCacheError]) -> None:
        super().__init__(error.__name__)
        self.error = error


def size_of(message: object) -> int:
    """Bytes of a message as it is stored."""
    return len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


@dataclass
class Kept:
    """One session of the model."""

    created_ms: int
    updated_ms: int
    gen: str = ""
    """Given by the server: empty until the reply of the write that created the session told it."""
    created: bool = True
    """Whether the write that is going on creates it."""
    revision: int = 0
    fence: int = 0
    seq: int = 0
    entries: list[Reply] = field(default_factory=list)
    deadline_ms: int = -1
    ttl_ms: int = 0
    own_ttl_ms: int | None = None
    user: str = "default"
    group: Reply = field(
        default_factory=lambda: {
            "title": None,
            "title_version": 0,
            "pinned": False,
            "metadata_version": 0,
            "authoritative": {},
        }
    )
    host: Reply = field(default_factory=dict)
    runtime: Reply = field(default_factory=lambda: {"status": None, "parent": None, "metadata": {}})
    labels: dict[str, str] = field(default_factory=dict)
    documents: Reply = field(default_factory=dict)
    rooms: dict[str, Reply] = field(default_factory=dict)
    """Ordered rooms: entries by their ids, in the order of their first saves."""
    positions: dict[str, int] = field(default_factory=dict)
    """How many entries each log ever had."""
    sums: dict[str, int] = field(default_factory=dict)
    """Input tokens by model."""
    operations: list[tuple[tuple[str, str], Reply]] = field(default_factory=list)

    def count(self, room: str) -> int:
        """How many entries a room has."""
        return len(self.documents) if room == "documents" else len(self.rooms.get(room, ()))

    @property
    def bytes(self) -> int:
        """Bytes of all messages."""
        return sum(size_of(entry["message"]) for entry in self.entries)

    def counters(self) -> Reply:
        """The counters of the record."""
        return {
            "messages": len(self.entries),
            "bytes": self.bytes,
            "first_seq": self.entries[0]["seq"] if self.entries else 0,
            "last_seq": self.entries[-1]["seq"] if self.entries else 0,
        }

    def stored(self) -> Reply:
        """What a save gives back to the caller's object."""
        times = {"created_ms": self.created_ms, "updated_ms": self.updated_ms, "deadline_ms": self.deadline_ms}
        named = {"gen": self.gen, "revision": self.revision, "user": self.user, "ttl_ms": self.ttl_ms}
        return deepcopy(named | times | self.counters() | self.group | {"host": self.host, "labels": self.labels})

    def record(self) -> Reply:
        """Everything that the record says."""
        return deepcopy(self.stored() | self.runtime | {"fence": self.fence})

    def add(self, messages: Sequence[Reply], first: int, ms: int) -> None:
        """Put messages to the end of the entries."""
        self.entries += [{"seq": first + at, "ms": ms, "message": message} for at, message in enumerate(messages)]
        self.seq = max(self.seq, first + len(messages) - 1)


class Store:
    """A namespace of the model."""

    def __init__(self, policy: RetentionPolicy, now_ms: int) -> None:
        self.policy = policy
        self.now_ms = now_ms
        self.sessions: dict[str, Kept] = {}
        self.tombstones: dict[str, list[tuple[tuple[str, str], Reply]]] = {}
        self.tokens: dict[str, int] = {}
        """Highest fencing tokens of deleted sessions."""
        self.feed: list[tuple[str, str, int]] = []
        """Kind, session and revision of every change."""

    def is_past(self, session_id: str) -> bool:
        """Whether the session is only waiting for the sweep."""
        return 0 < self.sessions[session_id].deadline_ms <= self.now_ms

    def live(self) -> dict[str, Kept]:
        """The sessions that are not past their deadline."""
        return {name: kept for name, kept in self.sessions.items() if not self.is_past(name)}

    def read(self, session_id: str) -> Kept | None:
        """A session as a reader sees it; slides its deadline where the policy says so."""
        kept = self.live().get(session_id)
        if kept is not None and self.policy.slide_on_read:
            self.plan(kept)
        return kept

    def plan(self, kept: Kept) -> None:
        """Move the deadline, unless it would move by no more than a twentieth of the TTL."""
        ttl = self.policy.ttl_ms if kept.own_ttl_ms is None else kept.own_ttl_ms
        never = ttl == 0 or (kept.group["pinned"] and self.policy.keep_pinned)
        wanted = 0 if never else self.now_ms + ttl
        slid = wanted - kept.deadline_ms
        if (slid != 0) if never or kept.deadline_ms <= 0 else (slid * 20 > ttl or slid < 0):
            kept.deadline_ms, kept.ttl_ms = wanted, ttl

    def recalled(self, session_id: str, name: str, operation_id: str) -> Reply | None:
        """The first reply to an operation that is remembered."""
        kept = self.sessions.get(session_id)
        remembered = [*(kept.operations if kept else ()), *self.tombstones.get(session_id, ())]
        for key, reply in remembered:
            if key == (name, operation_id):
                return {**reply, "repeated": True}
        return None

    def open(self, session_id: str, base: Base) -> Kept:
        """The session to write to, a new one where there is none; refuses a base that is not current."""
        self.sweep_one(session_id)
        kept = self.sessions.get(session_id)
        if kept is None:
            if base.gen is not None or base.revision:
                raise Refused(SessionGone)
            kept = Kept(created_ms=self.now_ms, updated_ms=self.now_ms)
            self.refuse_fenced(session_id, kept, base)
            return kept
        # A copy: a write that is refused half-way has changed nothing.
        kept = deepcopy(kept)
        kept.created = False
        if base.gen is not None and base.gen != kept.gen:
            raise Refused(SessionGone)
        if base.revision is not None and base.revision != kept.revision:
            raise Refused(VersionConflict)
        self.refuse_fenced(session_id, kept, base)
        return kept

    def refuse_fenced(self, session_id: str, kept: Kept, base: Base) -> None:
        """Refuse a token older than one that has written, be it to an incarnation that was deleted since."""
        if base.fence is not None and base.fence < max(kept.fence, self.tokens.get(session_id, 0)):
            raise Refused(LeaseLost)

    def write(self, session_id: str, kept: Kept, kind: str, base: Base) -> None:
        """What every write does: a revision, a time, a deadline, a change in the feed."""
        kept.revision += 1
        kept.updated_ms = max(self.now_ms, kept.updated_ms)
        kept.fence = max(kept.fence, base.fence or 0)
        self.plan(kept)
        self.sessions[session_id] = kept
        self.feed.append((kind, session_id, kept.revision))

    def sweep_one(self, session_id: str) -> bool:
        """Remove a session whose deadline has passed."""
        if session_id not in self.sessions or not self.is_past(session_id):
            return False
        gone = self.sessions.pop(session_id)
        self.feed.append(("session.expired", session_id, gone.revision + 1))
        return True

    @staticmethod
    def remember(kept: Kept, name: str, operation_id: str, reply: Reply) -> Reply:
        """Keep a reply under its operation, with 15 others."""
        kept.operations = [*kept.operations, ((name, operation_id), reply)][-OPERATIONS_KEPT:]
        return reply

    def refuse_quota(self, kept: Kept, messages: int, size: int) -> None:
        """Refuse more messages than the policy allows, where they become more."""
        too_many = 0 < self.policy.quota_messages < messages and messages > len(kept.entries)
        if too_many or (0 < self.policy.quota_bytes < size and size > kept.bytes):
            raise Refused(LimitExceeded)

    def refuse_entries(self, stored: Reply, given: Mapping[str, Any], keep: int = 0) -> None:
        """Refuse more entries in a room than the policy allows; those beyond `keep` are dropped and so not counted."""
        new = sum(name not in stored for name, value in given.items() if value is not None)
        wanted = min(len(stored) + new, keep) if keep else len(stored) + new
        if wanted > len(stored) and 0 < self.policy.quota_entries < wanted:
            raise Refused(LimitExceeded)

    def append(
        self, session_id: str, messages: Sequence[Reply], *, user: str | None, base: Base, operation_id: str
    ) -> Reply:
        """`transcripts.append`."""
        if done := self.recalled(session_id, "append", operation_id):
            return done
        kept = self.open(session_id, base)
        self.refuse_quota(kept, len(kept.entries) + len(messages), kept.bytes + sum(map(size_of, messages)))
        if kept.created and user is not None:
            kept.user = user
        first = kept.seq + 1
        kept.add(messages, first, self.now_ms)
        self.write(session_id, kept, "transcript.appended", base)
        reply = {"first_seq": first, "last_seq": kept.seq, "count": len(kept.entries), **written(kept)}
        return self.remember(kept, "append", operation_id, reply)

    def replace(
        self,
        session_id: str,
        messages: Sequence[Reply],
        *,
        through: int | None,
        user: str | None,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """`transcripts.save`."""
        if done := self.recalled(session_id, "replace", operation_id):
            return done
        kept = self.open(session_id, base)
        before, before_last = len(kept.entries), kept.counters()["last_seq"]
        behind = self._swap(kept, messages, before_last if through is None else through)
        if kept.created and user is not None:
            kept.user = user
        self.write(session_id, kept, "transcript.replaced", base)
        counters = kept.counters()
        reply = {
            "first_seq": counters["first_seq"],
            "last_seq": counters["last_seq"],
            "count": len(kept.entries),
            "replaced": before - behind,
            "replaced_through": before_last if through is None else min(through, before_last),
            **written(kept),
        }
        return self.remember(kept, "replace", operation_id, reply)

    def _swap(self, kept: Kept, messages: Sequence[Reply], through: int) -> int:
        """Replace the messages up to a number; answers how many stayed behind it."""
        behind = [entry for entry in kept.entries if entry["seq"] > through]
        if behind and len(messages) > through:
            raise Refused(InvalidArgument)
        size = sum(map(size_of, messages)) + sum(size_of(entry["message"]) for entry in behind)
        self.refuse_quota(kept, len(behind) + len(messages), size)
        kept.entries = []
        kept.add(messages, through - len(messages) + 1 if behind else kept.seq + 1, self.now_ms)
        kept.entries += behind
        return len(behind)

    def pop(self, session_id: str, *, base: Base, operation_id: str) -> Reply | None:
        """`transcripts.pop`."""
        if done := self.recalled(session_id, "pop", operation_id):
            return done
        kept = self.open(session_id, base)
        if not kept.entries:
            return None
        popped = kept.entries.pop()
        self.write(session_id, kept, "transcript.popped", base)
        return self.remember(kept, "pop", operation_id, {**popped, "repeated": False})

    def clear(self, session_id: str, *, base: Base, operation_id: str) -> Reply:
        """`transcripts.delete`."""
        if done := self.recalled(session_id, "clear", operation_id):
            return done
        kept = self.open(session_id, base)
        if not kept.entries:
            return {"deleted": False, "repeated": False}
        kept.entries = []
        self.write(session_id, kept, "transcript.deleted", base)
        return self.remember(kept, "clear", operation_id, {"deleted": True, "repeated": False})

    def save(
        self,
        session: Session,
        *,
        messages: Sequence[Reply] = (),
        through: int | None = None,
        documents: Mapping[str, Any] | None = None,
        updates: Mapping[str, Any] | None = None,
        keep_runtime: bool = False,
        updated_ms: int | None = None,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """`sessions.save`: the merge."""
        session_id = session.id
        if done := self.recalled(session_id, "save", operation_id):
            return done
        kept = self.open(session_id, base)
        before_last = kept.counters()["last_seq"]
        if through is None:
            self.refuse_quota(kept, len(kept.entries) + len(messages), kept.bytes + sum(map(size_of, messages)))
            first = kept.seq + 1
            kept.add(messages, first, self.now_ms)
        else:
            first = through - len(messages) + 1 if before_last > through else kept.seq + 1
            self._swap(kept, messages, through)
        self.refuse_entries(kept.documents, documents or {})
        self.refuse_entries(kept.rooms.get("updates", {}), updates or {})
        incoming = session.metadata_version
        outcome = "created" if kept.created else "stored" if kept.group["metadata_version"] >= incoming else "incoming"
        if outcome != "stored":
            kept.group = {name: deepcopy(getattr(session, name)) for name in kept.group}
        if kept.created:
            kept.host = deepcopy(session.host)
        if kept.user == "default" and session.user is not None:
            kept.user = session.user
        if kept.created or not keep_runtime:
            kept.runtime = {name: deepcopy(getattr(session, name)) for name in kept.runtime}
        _set_each(kept.labels, {name: value or None for name, value in session.labels.items()})
        _set_each(kept.documents, documents or {})
        _set_each(kept.rooms.setdefault("updates", {}), updates or {})
        self.write(session_id, kept, "session.saved", base)
        if updated_ms is not None:
            kept.updated_ms = min(updated_ms, self.now_ms)
        newest = kept.counters()["last_seq"]
        reply = {"outcome": outcome, "new_seq": first if messages else None, "newest": newest, "repeated": False}
        return self.remember(kept, "save", operation_id, reply | kept.stored())

    def update(
        self,
        session_id: str,
        *,
        title: str | Unset | None = UNSET,
        pinned: bool | Unset = UNSET,
        authoritative: Mapping[str, Any] | None = None,
        host: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        labels: Mapping[str, str | None] | None = None,
        status: str | Unset | None = UNSET,
        user: str | Unset = UNSET,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """`sessions.update`."""
        if done := self.recalled(session_id, "update", operation_id):
            return done
        kept = self.open(session_id, base)
        if kept.created:
            raise Refused(NotFound)
        before = deepcopy((kept.group, kept.host, kept.runtime, kept.labels, kept.user))
        kept.group["title"] = kept.group["title"] if isinstance(title, Unset) else title
        kept.group["pinned"] = kept.group["pinned"] if isinstance(pinned, Unset) else pinned
        kept.runtime["status"] = kept.runtime["status"] if isinstance(status, Unset) else status
        kept.user = kept.user if isinstance(user, Unset) else user
        _set_each(kept.group["authoritative"], authoritative or {})
        _set_each(kept.host, host or {})
        _set_each(kept.runtime["metadata"], metadata or {})
        _set_each(kept.labels, {name: value or None for name, value in (labels or {}).items()})
        changed = before != (kept.group, kept.host, kept.runtime, kept.labels, kept.user)
        kept.group["title_version"] += kept.group["title"] != before[0]["title"]
        kept.group["metadata_version"] += kept.group != before[0]
        if changed:
            self.write(session_id, kept, "session.updated", base)
        reply = {
            "changed": changed,
            "revision": kept.revision,
            "title_version": kept.group["title_version"],
            "metadata_version": kept.group["metadata_version"],
            "updated_ms": kept.updated_ms,
            "repeated": False,
        }
        return self.remember(kept, "update", operation_id, reply) if changed else reply

    def document(
        self, session_id: str, values: Mapping[str, Any], *, user: str | None, base: Base, operation_id: str
    ) -> Reply:
        """`documents.save`."""
        if done := self.recalled(session_id, "document", operation_id):
            return done
        kept = self.open(session_id, base)
        self.refuse_entries(kept.documents, values)
        if kept.created and user is not None:
            kept.user = user
        _set_each(kept.documents, values)
        self.write(session_id, kept, "documents.saved", base)
        return self.remember(kept, "document", operation_id, {"count": len(kept.documents), **written(kept)})

    def retain(self, session_id: str, *, ttl_ms: int | None, base: Base, operation_id: str) -> Reply:
        """`retention.update`."""
        if done := self.recalled(session_id, "retain", operation_id):
            return done
        kept = self.open(session_id, base)
        if kept.created:
            raise Refused(NotFound)
        kept.own_ttl_ms, kept.deadline_ms = ttl_ms, -1
        self.write(session_id, kept, "retention.updated", base)
        reply = {"revision": kept.revision, "deadline_ms": kept.deadline_ms, "repeated": False}
        return self.remember(kept, "retain", operation_id, reply)

    def delete(self, session_id: str, *, base: Base, operation_id: str) -> Reply:
        """`sessions.delete`."""
        if done := self.recalled(session_id, "delete", operation_id):
            return done
        if session_id not in self.sessions or self.sweep_one(session_id):
            return {"deleted": False, "repeated": False}
        kept = self.open(session_id, base)
        del self.sessions[session_id]
        self.tokens[session_id] = max(kept.fence, self.tokens.get(session_id, 0))
        self.feed.append(("session.deleted", session_id, kept.revision + 1))
        self.remember(kept, "delete", operation_id, {"deleted": True, "repeated": False})
        self.tombstones[session_id] = (self.tombstones.get(session_id, []) + kept.operations)[-OPERATIONS_KEPT:]
        return {"deleted": True, "repeated": False}

    def trim(self, session_id: str, keep: int) -> int:
        """What workers do to a transcript that is longer than its retention."""
        kept = self.live().get(session_id)
        if kept is None or (kept.group["pinned"] and self.policy.keep_pinned) or len(kept.entries) <= keep or keep == 0:
            return 0
        cut = len(kept.entries) - keep
        kept.entries = kept.entries[cut:]
        kept.revision += 1
        self.feed.append(("transcript.trimmed", session_id, kept.revision))
        return cut


def written(kept: Kept) -> Reply:
    """What most writes tell."""
    return {"gen": kept.gen, "revision": kept.revision, "created": kept.created, "repeated": False}


def _set_each(stored: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Set what is given, name by name; None removes. What is known keeps its place."""
    for name, value in given.items():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = deepcopy(value)
