"""What contract 002 hands out and takes: entries with their session and user, and updates of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sessioncache.qa import GraphElementIds, QAEntry
from sessioncache.types import UNSET, Unset

__all__ = ["SessionQAEntry", "SessionQAUpdate"]


class SessionQAEntry(QAEntry):
    """A question with its answer, and whose it is."""

    session_id: str
    """The session as its user calls it."""
    user_id: str | None = None
    """As the caller gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQAUpdate:
    """What to change of an entry: UNSET leaves a field, None clears it, a value sets it."""

    question: str | Unset = UNSET
    """Cannot be cleared."""
    answer: str | Unset = UNSET
    """Cannot be cleared."""
    context: str | Unset | None = UNSET
    feedback_text: str | Unset | None = UNSET
    feedback_score: int | Unset | None = UNSET
    """1 to 5."""
    used_graph_element_ids: GraphElementIds | Mapping[str, Any] | Unset | None = UNSET
    memify_metadata: Mapping[str, bool] | Unset | None = UNSET
    """Flags to set; those not named stay. None clears them all."""
    used_session_context_ids: Sequence[str] | Unset | None = UNSET

    def changes(self) -> dict[str, Any]:
        """The fields that are not left as they are."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not UNSET}
