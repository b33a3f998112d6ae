"""What a save gives beside its messages, encoded: it stays the same for as long as its session does."""

from __future__ import annotations

from sessioncache.sessions.models import KnownSave, PreparedSave, Session
from sessioncache.sessions.record import Pairs
from sessioncache.wire.call import digits
from sessioncache.wire.values import pack_parts

__all__ = ["follows", "prepare"]


def follows(given: PreparedSave, known: KnownSave) -> bool:
    """Whether what that save was answered holds for this one, too, if nobody wrote in between."""
    if given is known.given:
        return given.is_usual
    return given.is_usual and given.metadata_version <= known.metadata_version and given.names == known.given.names


def prepare(
    session: Session,
    *,
    authoritative: Pairs,
    runtime: Pairs,
    host: Pairs,
    labels: Pairs,
    documents: Pairs,
    updates: Pairs,
    keep_runtime: bool,
    updated_ms: int | None,
) -> PreparedSave:
    """Put together what `sessions/save.lua` takes."""
    kinds = (authoritative, host, runtime, labels, documents, updates)
    numbers = (
        *(session.metadata_version, int(session.pinned)),
        *(len(pairs) // 2 for pairs in kinds),
        int(bool(keep_runtime)),
    )
    before, after = " ".join(map(digits, numbers)), "" if updated_ms is None else digits(updated_ms)
    return PreparedSave(
        session.user or "",
        (before, after),
        f"{before}  {after}",
        pack_parts([*authoritative, *host]),
        (*runtime, *labels, *documents, *updates),
        (*runtime[::2], None, *documents[::2]),
        documents,
        session.metadata_version,
        not (keep_runtime or labels or updates or session.user or updated_ms is not None),
        not keep_runtime and b"" not in documents,
    )
