"""What entities and relationships are to do, in plain Python.

The rule of this module: as in `store.py`. Entities and relationships are dicts, by name, and by both ends and type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache import Base
from tests.models.rooms import RoomStore
from tests.models.store import Reply, written

__all__ = ["GraphStore"]


class GraphStore(RoomStore):
    """A namespace of the model, with entities."""

    def mention(
        self,
        session_id: str,
        entities: Sequence[Reply],
        relationships: Sequence[tuple[str, str, str, str]],
        *,
        user: str | None,
        base: Base,
        operation_id: str,
    ) -> Reply:
        """`entities.save`."""
        if done := self.recalled(session_id, "mention", operation_id):
            return done
        kept = self.open(session_id, base)
        known = kept.rooms.setdefault("entities", {})
        related = kept.rooms.setdefault("relationships", {})
        self.refuse_entries(known, {one["name"]: one for one in entities})
        self.refuse_entries(related, {repr(one[:3]): one for one in relationships})
        if kept.created and user is not None:
            kept.user = user
        for one in entities:
            self._mention(known, one)
        for begin, kind, end, context in relationships:
            name = repr((begin, kind, end))
            related[name] = (begin, kind, end, context or related.get(name, ("", "", "", ""))[3])
        self.write(session_id, kept, "entities.saved", base)
        reply = {"entities": len(known), "relationships": len(related), **written(kept)}
        return self.remember(kept, "mention", operation_id, reply)

    def _mention(self, known: Reply, one: Reply) -> None:
        new: Reply = {
            "entity_type": "Concept",
            "mention_count": 0,
            "importance_score": 0.0,
            "description": None,
            "first_mentioned_ms": one.get("first_mentioned_ms", one.get("last_mentioned_ms", self.now_ms)),
            "last_mentioned_ms": 0,
        }
        stored = known.setdefault(one["name"], new)
        last = one.get("last_mentioned_ms", self.now_ms)
        stored["first_mentioned_ms"] = min(stored["first_mentioned_ms"], one.get("first_mentioned_ms", last))
        stored["last_mentioned_ms"] = max(stored["last_mentioned_ms"], last)
        stored["mention_count"] = one.get("mention_count", stored["mention_count"] + 1)
        for name in ("entity_type", "importance_score"):
            stored[name] = one.get(name, stored[name])
        stored["description"] = one.get("description") or stored["description"]

    def forget(self, session_id: str, name: str, *, base: Base, operation_id: str) -> Reply:
        """`entities.delete`."""
        if done := self.recalled(session_id, "forget", operation_id):
            return done
        kept = self.open(session_id, base)
        known, related = kept.rooms.get("entities", {}), kept.rooms.get("relationships", {})
        ends = [key for key, one in related.items() if name in (one[0], one[2])]
        if name not in known and not ends:
            return {"deleted": False, "repeated": False}
        for key in ends:
            del related[key]
        found = known.pop(name, None) is not None
        self.write(session_id, kept, "entities.deleted", base)
        return self.remember(kept, "forget", operation_id, {"deleted": found, "repeated": False})

    def forget_all(self, session_id: str, *, base: Base, operation_id: str) -> Reply:
        """`entities.clear`."""
        if done := self.recalled(session_id, "forget_all", operation_id):
            return done
        kept = self.open(session_id, base)
        known, related = kept.rooms.get("entities", {}), kept.rooms.get("relationships", {})
        reply: dict[str, Any] = {"entities": len(known), "relationships": len(related), "repeated": False}
        if not known and not related:
            return reply
        known.clear()
        related.clear()
        self.write(session_id, kept, "entities.cleared", base)
        return self.remember(kept, "forget_all", operation_id, reply)
