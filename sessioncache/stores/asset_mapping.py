"""Where the parts of an asset lie: turns are messages of the transcript, everything else is in documents.

The rule of this module: what is read is checked: the version first, then the checksum over all documents of the asset.
The turns are no part of that checksum, for others may append to the transcript; the record vouches for those.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sessioncache.errors import DataError, DecodeError, InvalidArgument, SchemaTooNew
from sessioncache.sessions.models import Session, SessionSummary
from sessioncache.stores.asset_models import ASSET_VERSION, ConversationTurn, SessionAsset, checksum_of
from sessioncache.stores.kept_message import Dumps
from sessioncache.stores.read_models import ReadSession
from sessioncache.stores.stored_model import dumped, given, read_back, read_message
from sessioncache.transcripts.models import Entry
from sessioncache.types import JSONObject, datetime_from_ms, ms_from_datetime

__all__ = [
    "LABELS",
    "NAME_LABEL",
    "PATH_LABEL",
    "asset_from",
    "created_at",
    "documents_of",
    "labels_of",
    "time_of",
    "turn_as_loaded",
    "turns_of",
]

NAME_LABEL: Final = "project_name"
PATH_LABEL: Final = "project_path"
CREATED_LABEL: Final = "asset_created_ms"
LABELS: Final = (NAME_LABEL, PATH_LABEL, CREATED_LABEL)
"""What lists show."""
LABEL_BYTES_MAX: Final = 4_096

HEAD: Final = "asset"
"""The document that holds version, times, checksum and whatever has no document of its own."""

PARTS: Final = (
    "compacted",
    "preferences",
    "project_context",
    "skill_configs",
    "component_snapshots",
    "granted_commands",
    "metadata",
)
"""What has a document of its own, `asset.<part>`, so that each may be as large as a value may be."""


def turns_of(asset: SessionAsset) -> Dumps:
    """The turns as messages, with their fingerprints."""
    return asset.dump_messages(ConversationTurn, asset.history.turns, what="turn")


def documents_of(asset: SessionAsset) -> JSONObject:
    """Everything but the turns, by the names of the documents.

    Raises:
        InvalidArgument: what could not be loaded again.
    """
    fields = dumped(asset, exclude={"id": True, "history": {"turns"}})
    given(SessionAsset, fields, what="the asset")
    history = fields.pop("history")
    fields["compacted"] = history.pop("compacted")
    documents = {f"{HEAD}.{part}": fields.pop(part) for part in PARTS}
    head = {**fields, "history": history}
    return {**documents, HEAD: {**head, "checksum": checksum_of([asset.id, head, documents])}}


def labels_of(asset: SessionAsset) -> dict[str, str]:
    """What lists show: the project's name and its folder, cut where they are too long, and the caller's creation time.

    An empty one removes.

    Raises:
        InvalidArgument: that is no time.
    """
    project, created_ms = asset.project_context, asset.created_at_ms
    time_of(created_ms, what="created_at_ms")
    return {
        NAME_LABEL: _short(project.name),
        PATH_LABEL: _short(project.root_path),
        CREATED_LABEL: str(created_ms),
    }


def time_of(ms: int, *, what: str) -> datetime:
    """The time that an asset gives.

    Raises:
        InvalidArgument: it is none.
    """
    try:
        return datetime_from_ms(ms)
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(f"{what} is {ms!r}, which is no time") from None


def created_at(session: SessionSummary) -> datetime:
    """When the asset in a list was created: as its owner says, or, for another contract's session, as the server does.

    Raises:
        DecodeError: the label of the session is no time.
    """
    label = session.labels.get(CREATED_LABEL)
    if label is None:
        return session.created_at
    try:
        return datetime_from_ms(int(label))
    except (ValueError, OverflowError):
        raise DecodeError(f"label {CREATED_LABEL!r} of session {session.id!r} is no time") from None


def _short(text: str | None) -> str:
    return (text or "").encode()[:LABEL_BYTES_MAX].decode(errors="ignore")


def turn_from(entry: Entry) -> ConversationTurn:
    """The turn in a message. One that another contract wrote gets its number for an id, and the server's time."""
    values = {"id": str(entry.seq), "timestamp_ms": entry.ms} | entry.message
    return read_message(ConversationTurn, values, what=f"message {entry.seq}", seq=entry.seq)


def turn_as_loaded(entry: Entry) -> JSONObject:
    """That turn as a message again."""
    return dumped(turn_from(entry))


def asset_from(found: ReadSession) -> SessionAsset:
    """The asset in a session, also one that another contract made.

    Raises:
        SchemaTooNew: a newer release wrote it.
        DataError: the checksum is another one.
        DecodeError: something is not of its kind.
    """
    record = found.record
    fields = _fields(record, found.documents.values)
    turns = [turn_from(entry) for entry in found.transcript.entries]
    asset = read_back(SessionAsset, fields, what=f"the asset of session {record.id!r}")
    asset.history.turns = turns
    asset.remember_loaded(record.gen or "", turns, tuple(entry.seq for entry in found.transcript.entries))
    return asset


def _fields(record: Session, documents: JSONObject) -> JSONObject:
    if HEAD not in documents:
        times = {"created_at_ms": _ms(record.created_at), "updated_at_ms": _ms(record.updated_at)}
        project = {"name": record.labels.get(NAME_LABEL), "root_path": record.labels.get(PATH_LABEL)}
        return {"id": record.id, **times, "project_context": project}
    stored = documents[HEAD]
    if not isinstance(stored, dict) or not isinstance(stored.get("version"), int):
        raise DecodeError(f"document {HEAD!r} of session {record.id!r} has no version")
    if stored["version"] > ASSET_VERSION:
        raise SchemaTooNew(
            f"the asset of session {record.id!r} has version {stored['version']}; "
            f"this release reads up to {ASSET_VERSION}"
        )
    head = {name: value for name, value in stored.items() if name != "checksum"}
    parts = {f"{HEAD}.{part}": documents[f"{HEAD}.{part}"] for part in PARTS if f"{HEAD}.{part}" in documents}
    actual = checksum_of([record.id, head, parts])
    if stored.get("checksum") != actual:
        raise DataError(
            f"the asset of session {record.id!r} is damaged: expected checksum {stored.get('checksum')}, "
            f"actual {actual}"
        )
    fields: dict[str, Any] = {name.removeprefix(f"{HEAD}."): value for name, value in parts.items()}
    history = {**head.pop("history", {}), "compacted": fields.pop("compacted", [])}
    return {**head, **fields, "id": record.id, "history": history}


def _ms(value: datetime | None) -> int:
    return 0 if value is None else ms_from_datetime(value)
