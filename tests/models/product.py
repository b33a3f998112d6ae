"""The cache as the model sees it: each method by its name in the model, its answer as a dict of plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sessioncache import Session, SessionCache
from sessioncache.entities.models import EntityMention, Relationship, RelationType
from sessioncache.types import datetime_from_ms, ms_from_datetime
from tests.models.store import Reply

__all__ = ["DO", "plain", "record_of"]


def plain(found: Mapping[str, Any]) -> Reply:
    """Times as milliseconds, under names that end so; no deadline is 0."""
    told: Reply = {}
    for name, value in found.items():
        if name.endswith("_at") or isinstance(value, datetime):
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


def _ask(cache: SessionCache, session_id: str, entries: Sequence[Reply], **given: Any) -> Reply:
    times = [{name: value for name, value in entry.items() if name != "created_ms"} for entry in entries]
    for entry, fields in zip(entries, times, strict=True):
        if "created_ms" in entry:
            fields["created_at"] = datetime_from_ms(entry["created_ms"])
    return asdict(cache.qa.save(session_id, times, **given))


def _mention(
    cache: SessionCache,
    session_id: str,
    entities: Sequence[Reply],
    relationships: Sequence[tuple[str, str, str, str]],
    **given: Any,
) -> Reply:
    mentions = []
    for entity in entities:
        times = {name: value for name, value in entity.items() if name.endswith("_ms")}
        fields = {name: value for name, value in entity.items() if name not in times}
        fields |= {f"{name.removesuffix('_ms')}": datetime_from_ms(value) for name, value in times.items()}
        mentions.append(EntityMention.model_validate(fields))
    related = [
        Relationship(from_entity=begin, relation_type=RelationType(kind), to_entity=end, context=context)
        for begin, kind, end, context in relationships
    ]
    return asdict(cache.entities.save(session_id, entities=mentions, relationships=related, **given))


def _leave(cache: SessionCache, session_id: str, workspace_id: str, **given: Any) -> Reply:
    role = cache.workspaces.remove(workspace_id, session_id, **given)
    return {"role": None if role is None else str(role)}


def _join(cache: SessionCache, session_id: str, workspace_id: str, role: str, **given: Any) -> Reply:
    added = asdict(cache.workspaces.add(workspace_id, session_id, role, **given))
    return added | {"role": str(added["role"])}


DO: dict[str, Callable[..., Reply | None]] = {
    "append": _append,
    "replace": _replace,
    "pop": _pop,
    "clear": lambda cache, name, **given: {"deleted": cache.transcripts.delete(name, **given)},
    "save": _save,
    "update": lambda cache, name, **given: plain(asdict(cache.sessions.update(name, **given))),
    "document": lambda cache, name, values, **given: asdict(cache.documents.save(name, values, **given)),
    "retain": lambda cache, name, **given: plain(asdict(cache.retention.update(name, **given))),
    "context": lambda cache, name, updates, **given: asdict(cache.context.save(name, updates, **given)),
    "uncontext": lambda cache, name, ids, **given: {"removed": cache.context.delete(name, ids, **given)},
    "checkpoint": lambda cache, name, *given, **more: asdict(cache.checkpoints.save(name, *given, **more)),
    "ask": _ask,
    "unask": lambda cache, name, entry, **given: {"deleted": cache.qa.delete(name, entry, **given)},
    "answer": lambda cache, name, entry, **given: asdict(cache.qa.update(name, entry, **given)),
    "trace": lambda cache, name, steps, **given: asdict(cache.traces.append(name, steps, **given)),
    "use": lambda cache, name, lines, **given: asdict(cache.usage.append(name, lines, **given)),
    "join": _join,
    "mention": _mention,
    "forget": lambda cache, name, entity, **given: {"deleted": cache.entities.delete(name, entity, **given)},
    "forget_all": lambda cache, name, **given: asdict(cache.entities.clear(name, **given)),
    "leave": _leave,
    "delete": lambda cache, name, **given: {"deleted": cache.sessions.delete(name, **given)},
}
"""Every write, by its name in the model."""
