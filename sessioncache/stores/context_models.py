"""What contract 000 calls a session, a checkpoint and a workspace.

The rule of this module: a session that was loaded or saved remembers what is stored of it, so that saving it again
sends what its owner changed and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import AwareDatetime, ConfigDict, Field, PrivateAttr, RootModel

from sessioncache.stores.context_parts import (
    ChangeRecord,
    CodeReference,
    CompressedUpdate,
    ContextUpdate,
    EntityGraph,
    StructuredContext,
    StructuredSummary,
    UpdateType,
)
from sessioncache.stores.stored_model import StoredModel
from sessioncache.workspaces.models import SessionRole

__all__ = [
    "HOT_CONTEXT_SIZE",
    "ActiveSession",
    "CompactReport",
    "ContextBase",
    "HotContext",
    "SessionCheckpoint",
    "StoredWorkspace",
    "UserPreferences",
]

HOT_CONTEXT_SIZE = 50
"""How many of the newest updates a session keeps at hand, unless it says otherwise."""


def _now() -> datetime:
    return datetime.now(UTC)


class UserPreferences(StoredModel):
    """How a session is to be looked after."""

    auto_save_enabled: bool = True
    context_retention_days: int = 30
    """Kept, and enforced by nothing; the retention policy of the cache says when sessions expire."""
    max_hot_context_size: int = Field(default=HOT_CONTEXT_SIZE, ge=0)
    auto_summary_threshold: int = Field(default=100, ge=0)
    """A summary is made each time this many updates have come together; 0: never."""
    important_keywords: list[str] = Field(default_factory=list)


class HotContext(RootModel[list[ContextUpdate]]):
    """The newest updates, at most as many as its capacity."""

    root: list[ContextUpdate] = Field(default_factory=list)
    _capacity: int = PrivateAttr(default=HOT_CONTEXT_SIZE)

    @classmethod
    def of(cls, updates: list[ContextUpdate], capacity: int) -> HotContext:
        """The newest of some updates."""
        made = cls([])
        made.resize(capacity)
        for update in updates[max(len(updates) - capacity, 0) :]:
            made.push(update)
        return made

    @property
    def capacity(self) -> int:
        """How many updates it holds at most."""
        return self._capacity

    def resize(self, capacity: int) -> None:
        """Hold another number of updates; the oldest go where there are too many."""
        self._capacity = max(capacity, 0)
        del self.root[: max(len(self.root) - self._capacity, 0)]

    def push(self, update: ContextUpdate) -> None:
        """Add an update as the newest; the oldest goes where there is no room."""
        self.root.append(update)
        self.resize(self._capacity)

    def recent(self, count: int) -> list[ContextUpdate]:
        """The newest `count` updates, oldest first."""
        return self.root[max(len(self.root) - max(count, 0), 0) :]

    def remove(self, update_ids: set[UUID]) -> None:
        """Drop the updates of these ids."""
        self.root[:] = [update for update in self.root if update.id not in update_ids]

    def __iter__(self) -> Iterator[ContextUpdate]:  # type: ignore[override]  # pydantic's yields fields
        """Iterate over the updates, oldest first."""
        return iter(self.root)

    def __len__(self) -> int:
        """How many updates it holds."""
        return len(self.root)

    def __getitem__(self, index: int) -> ContextUpdate:
        """The update at a position; 0 is the oldest."""
        return self.root[index]


@dataclass(frozen=True, slots=True)
class ContextBase:
    """What is stored of a session, as its object knows it."""

    gen: str | None
    title: str | None
    title_version: int
    metadata_version: int
    pinned: bool
    authoritative: Mapping[str, Any]
    created_at: datetime | None = None
    """When the session was created, where its owner said so; None: the server tells."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """Digests of the parts that are stored."""
    updates: Mapping[str, bytes] = field(default_factory=dict)
    """Digests of the updates in the object's list, by id: those that are missing later were removed by its owner."""


class ActiveSession(StoredModel):
    """A session of contract 000. Fields that nobody declared are kept with it."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)

    id: UUID = Field(default_factory=uuid4)
    name: str | None = None
    """What people call it: the session's title."""
    description: str | None = None
    created_at: AwareDatetime = Field(default_factory=_now)
    """Given by the server, unless the session was made with one and is new to the store."""
    last_updated: AwareDatetime = Field(default_factory=_now)
    """Given by the server."""
    user_preferences: UserPreferences = Field(default_factory=UserPreferences)
    hot_context: HotContext = Field(default_factory=lambda: HotContext([]))
    """The newest updates. Loaded from the stored ones; updates that stand only here are stored with the others."""
    warm_context: list[CompressedUpdate] = Field(default_factory=list)
    cold_context: list[StructuredSummary] = Field(default_factory=list)
    current_state: StructuredContext = Field(default_factory=StructuredContext)
    incremental_updates: list[ContextUpdate] = Field(default_factory=list)
    """All updates, in the order they came."""
    code_references: dict[str, list[CodeReference]] = Field(default_factory=dict)
    """By file path."""
    change_history: list[ChangeRecord] = Field(default_factory=list)
    entity_graph: EntityGraph = Field(default_factory=EntityGraph)
    vectorized_update_ids: list[UUID] = Field(default_factory=list)
    _base: ContextBase | None = PrivateAttr(default=None)
    _unanswered: Any = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Give the hot context the size that the preferences say."""
        super().model_post_init(context)
        self.hot_context.resize(self.user_preferences.max_hot_context_size)

    def remembered(self) -> ContextBase | None:
        """What is stored of the session; None: it was neither loaded nor saved."""
        return self._base

    def remember(self, base: ContextBase) -> None:
        """Take what is stored now."""
        self._base = base
        self._unanswered = None

    def unanswered(self) -> Any:  # noqa: ANN401 - the store's own
        """The write of which nobody knows whether it was made, or None."""
        return self._unanswered

    def doubt(self, write: object) -> None:
        """Keep a write of which nobody knows whether it was made, to send it again before the next one."""
        self._unanswered = write

    def update_ids(self) -> set[UUID]:
        """The ids of all updates that the session has."""
        return {update.id for update in (*self.incremental_updates, *self.hot_context)}

    def add_update(self, update: ContextUpdate) -> ContextUpdate:
        """Add an update at the end, and what follows from it: code references, changes, entities, a summary.

        Answers the update as it was added: a title of more than 200 bytes and a description of more than 2000 are cut.
        Adding the id of a known update puts the new one in its place. Each time the threshold of the preferences is
        full, a summary of the state goes to the cold context before.
        """
        added = update.model_copy(update={"content": update.content.shortened()})
        places = [at for at, known in enumerate(self.incremental_updates) if known.id == added.id]
        if places:
            self.incremental_updates[places[0]] = added
            self.hot_context.root[:] = [added if known.id == added.id else known for known in self.hot_context]
            return added
        self._summarise_at_threshold()
        self.incremental_updates.append(added)
        self.hot_context.push(added)
        if added.related_code is not None:
            self.code_references.setdefault(added.related_code.file_path, []).append(added.related_code)
        if added.update_type is UpdateType.CODE_CHANGED:
            change = ChangeRecord(
                timestamp=added.timestamp,
                change_type=added.update_type.value,
                description=added.content.title,
                related_update_id=added.id,
            )
            self.change_history.append(change)
        self.entity_graph.take(added)
        return added

    def _summarise_at_threshold(self) -> None:
        count, threshold = len(self.incremental_updates), self.user_preferences.auto_summary_threshold
        if threshold and count and count % threshold == 0:
            newest = [update.id for update in self.incremental_updates[-threshold:]]
            snapshot = self.current_state.model_copy(deep=True)
            self.cold_context.append(StructuredSummary(context_snapshot=snapshot, referenced_updates=newest))

    def remove_update(self, update_id: UUID) -> bool:
        """Remove an update everywhere; whether there was one."""
        return self._remove({update_id}) > 0

    def remove_updates_for_file(self, file_path: str) -> int:
        """Remove the updates that belong to a file, and the file's code references; how many updates went."""
        self.code_references.pop(file_path, None)
        updates = (*self.incremental_updates, *self.hot_context)
        gone = {update.id for update in updates if update.related_code and update.related_code.file_path == file_path}
        return self._remove(gone)

    def _remove(self, update_ids: set[UUID]) -> int:
        found = update_ids & (self.update_ids() | {kept.update.id for kept in self.warm_context})
        self.incremental_updates[:] = [update for update in self.incremental_updates if update.id not in found]
        self.hot_context.remove(found)
        self.warm_context[:] = [kept for kept in self.warm_context if kept.update.id not in found]
        return len(found)

    def update_metadata(self, *, name: str | None = None, description: str | None = None) -> None:
        """Set name and description; None keeps what is there."""
        self.name = self.name if name is None else name
        self.description = self.description if description is None else description

    def rebuild_entity_graph(self) -> tuple[int, int]:
        """Make the graph anew from all updates; how many entities there were before and are now."""
        before = len(self.entity_graph.entities)
        self.entity_graph.clear()
        for update in self.incremental_updates:
            self.entity_graph.take(update)
        return before, len(self.entity_graph.entities)


class SessionCheckpoint(StoredModel):
    """A snapshot of a session: its state, updates, code references and changes."""

    id: UUID = Field(default_factory=uuid4)
    session_id: UUID
    created_at: AwareDatetime = Field(default_factory=_now)
    structured_context: StructuredContext = Field(default_factory=StructuredContext)
    recent_updates: list[ContextUpdate] = Field(default_factory=list)
    code_references: dict[str, list[CodeReference]] = Field(default_factory=dict)
    change_history: list[ChangeRecord] = Field(default_factory=list)
    total_updates: int = Field(default=0, ge=0)
    context_quality_score: float = 1.0
    compression_ratio: float = 1.0

    @classmethod
    def of(cls, session: ActiveSession) -> SessionCheckpoint:
        """A snapshot of a session as it is now, with all its updates."""
        copy = session.model_copy(deep=True)
        return cls(
            session_id=session.id,
            structured_context=copy.current_state,
            recent_updates=copy.incremental_updates,
            code_references=copy.code_references,
            change_history=copy.change_history,
            total_updates=len(copy.incremental_updates),
        )

    def restored(self, session_id: UUID | None = None) -> ActiveSession:
        """A session with what the checkpoint holds, in memory only; under the checkpoint's session id or another."""
        copy = self.model_copy(deep=True)
        return ActiveSession(
            id=session_id or copy.session_id,
            hot_context=HotContext.of(copy.recent_updates, HOT_CONTEXT_SIZE),
            current_state=copy.structured_context,
            incremental_updates=copy.recent_updates,
            code_references=copy.code_references,
            change_history=copy.change_history,
        )


@dataclass(frozen=True, slots=True)
class StoredWorkspace:
    """A workspace and its members."""

    id: UUID
    name: str
    description: str
    sessions: tuple[tuple[UUID, SessionRole], ...]
    """By the time at which they were added."""
    created_at: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What compacting did."""

    sessions_removed: int
    """Sessions past their deadline whose memory was freed; nobody saw them any more."""
    entries_removed: int
    """Messages and entries of rooms that went with them."""
    remaining_keys: int
    """What `get_key_count` answers now."""
