"""What an import writes into a session about itself, and how a session found there stands to the source.

The rule of this module: the marker is the document `import` of the session. It is written with the session's first
write, and again, complete, with its last; whoever finds it half-way knows that the import was interrupted.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto
from typing import Final

from sessioncache.documents.models import DocumentSet
from sessioncache.importers.models import SourceSession
from sessioncache.types import JSONObject

__all__ = ["MARKER", "Standing", "marker_of", "standing_of"]

MARKER: Final = "import"
"""Name of the document."""


class Standing(Enum):
    """How a session that may be there already stands to the source's."""

    ABSENT = auto()
    """It is not there."""
    PARTIAL = auto()
    """An import of it was interrupted."""
    COMPLETE = auto()
    """It was imported, and the source is as it was then."""
    OUTDATED = auto()
    """It was imported and nobody wrote to it since, but the source has changed."""
    DIVERGED = auto()
    """It was imported; since then the source has changed, and others wrote to it here, or the source is older."""
    FOREIGN = auto()
    """It is from no import of this source."""


def marker_of(source: SourceSession, form: str, *, revision: int | None = None, complete: bool = False) -> JSONObject:
    """What to write.

    Args:
        source: what is imported.
        form: name of the format.
        revision: of the session once the marker is written complete; None: others have written too.
        complete: whether everything is there.
    """
    return {
        "format": form,
        "origin": source.origin,
        "source": source.name,
        "digest": source.digest,
        "complete": complete,
        "revision": revision,
        "created_at": _text(source.created_at),
        "updated_at": _text(source.updated_at),
        "counts": dict(source.counts),
    }


def standing_of(found: DocumentSet, source: SourceSession, form: str) -> Standing:
    """How the session with these documents stands to the source's."""
    if not found.exists:
        return Standing.ABSENT
    marker = found.values.get(MARKER)
    if not isinstance(marker, dict) or marker.get("format") != form:
        return Standing.FOREIGN
    if not marker.get("complete"):
        return Standing.PARTIAL
    if marker.get("digest") == source.digest:
        return Standing.COMPLETE
    if marker.get("origin") != source.origin:
        return Standing.FOREIGN
    untouched = marker.get("revision") == found.revision
    return Standing.OUTDATED if untouched and not _is_older(source.updated_at, marker) else Standing.DIVERGED


def _is_older(updated_at: datetime | None, marker: JSONObject) -> bool:
    """Whether the source was last updated before what was imported; times that nobody told are not."""
    told = marker.get("updated_at")
    return updated_at is not None and isinstance(told, str) and updated_at < datetime.fromisoformat(told)


def _text(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
