"""What questions and answers are to their users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["GraphElementIds", "QAEntry", "QAPage", "QASaved", "QAUpdated", "Score"]

Score: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=5)]
"""How good an answer was: 1 to 5."""


class GraphElementIds(BaseModel):
    """Which elements of a knowledge graph an answer was made from."""

    model_config = ConfigDict(extra="forbid")

    node_ids: list[str] = Field(default_factory=list)
    edge_ids: list[str] = Field(default_factory=list)


class QAEntry(BaseModel):
    """A question with its answer. Fields that this release does not know are kept."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)

    id: str = Field(default_factory=lambda: str(uuid4()))
    """A random UUID, in its form of 36 characters, unless given."""
    question: str
    answer: str
    context: str | None = None
    created_at: datetime | None = None
    """When the server took it; an imported entry keeps the time that it is given."""
    feedback_text: str | None = None
    feedback_score: Score | None = None
    used_graph_element_ids: GraphElementIds | None = None
    memify_metadata: dict[str, bool] | None = None
    """Flags of the pipelines that work on entries. Each is set for itself; an empty map is stored as None."""
    used_session_context_ids: list[str] | None = None


@dataclass(frozen=True, slots=True)
class QAPage:
    """Some entries of a session, oldest first, as they stood together at one moment."""

    items: tuple[QAEntry, ...]
    """The entries, oldest first."""
    exists: bool
    """False: there is no such session."""
    gen: str | None
    """Incarnation of the session, for a Base."""
    revision: int
    """Revision of the session, for a Base."""
    count: int
    """How many entries the session has."""
    cursor: str | None
    """Hand this to `list` for the next page in the same direction; None: there is no more."""

    def __iter__(self) -> Iterator[QAEntry]:
        """Iterate over the entries."""
        return iter(self.items)

    def __len__(self) -> int:
        """The number of entries on this page."""
        return len(self.items)


@dataclass(frozen=True, slots=True)
class QASaved:
    """What a save of entries did."""

    ids: tuple[str, ...]
    """Of the entries of this call, in their order."""
    created: bool
    """Whether this call created the session."""
    gen: str
    revision: int
    count: int
    """How many entries the session has now."""
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""


@dataclass(frozen=True, slots=True)
class QAUpdated:
    """What an edit of one entry did."""

    found: bool
    """False: there is no such session or entry."""
    changed: bool
    """False: everything was so already, and nothing was written or published."""
    revision: int
    repeated: bool
    """Whether the operation id had been seen before, so that this is the first call's reply."""
