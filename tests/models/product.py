"""The cache as the model sees it: each method by its name in the model, its answer as a dict of plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sessioncache import Session, SessionCache
from sessioncache.types import datetime_from_ms, ms_from_datetime
from tests.models.store import Reply

__all__ = ["DO", "plain", "record_of"]


def plain(found: Mapping[str, Any]) -> Reply:
    """Times as milliseconds, under names that end so; no deadline is 0."""
    told: Reply = {}
    for name, value in found.items():
        if name.endswith("_at"):
            told[f"{name.removesuffix('_at')}_ms"] = ms_from_datetime(value) if isinstance(value, datetime) else 0
        else:
            told[name] = value
    return told


def record_of(session: Session) -> Reply:
    """Everything that the record says."""
    return plain(session.model_dump(exclude={"id"}))


def _save(
    cache: SessionCache, session_id: str, session: Session, *, updated_ms: int | None = None, **given: Any
) -> Reply:
    mine = session.model_copy(deep=True)
    at = None if updated_ms is None else datetime_from_ms(updated_ms)
    saved = cache.sessions.save(mine, updated_at=at, **given)
    assert mine.id == session_id
    # These are the caller's own, and stay as they were given.
    assert [mine.status, mine.parent, mine.metadata] == [session.status, session.parent, session.metadata]
    told = record_of(mine)
    told = {name: value for name, value in told.items() if name not in ("status", "parent", "metadata", "fence")}
    assert saved.revision == told["revision"]
    assert saved.last_seq == told["last_seq"]
    return told | {
        "outcome": saved.outcome,
        "new_seq": saved.first_seq,
        "newest": saved.last_seq,
        "repeated": saved.repeated,
    }


def _pop(cache: SessionCache, session_id: str, **given: Any) -> Reply | None:
    popped = cache.transcripts.pop(session_id, **given)
    return None if popped is None else {"seq": popped.seq, "ms": popped.ms, "message": popped.message}


def _append(cache: SessionCache, session_id: str, messages: Sequence[Reply], **given: Any) -> Reply:
    return asdict(cache.transcripts.append(session_id, messages, **given))


def _replace(cache: SessionCache, session_id: str, messages: Sequence[Reply], **given: Any) -> Reply:
    return asdict(cache.transcripts.save(session_id, messages, **given))


DO: dict[str, Callable[..., Reply | None]] = {
    "append": _append,
    "replace": _replace,
    "pop": _pop,
    "clear": lambda cache, name, **given: {"deleted": cache.transcripts.delete(name, **given)},
    "save": _save,
    "update": lambda cache, name, **given: plain(asdict(cache.sessions.update(name, **given))),
    "document": lambda cache, name, values, **given: asdict(cache.documents.save(name, values, **given)),
    "retain": lambda cache, name, **given: plain(asdict(cache.retention.update(name, **given))),
    "delete": lambda cache, name, **given: {"deleted": cache.sessions.delete(name, **given)},
}
"""Every write, by its name in the model."""
