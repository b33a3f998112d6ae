"""A session's record, field by field: how a Session is written to Redis, and read from it.

The rule of this module: the names of the record's fields are spelled here and in the Lua files, nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sessioncache.errors import DecodeError, InvalidArgument, LimitExceeded
from sessioncache.sessions.models import Listed, Session, SessionSummary
from sessioncache.types import UNSET, Unset, check_text, datetime_from_ms
from sessioncache.wire.codec import decode_value, encode_value
from sessioncache.wire.keys import unescape

__all__ = [
    "NOT_KNOWN",
    "Pairs",
    "authoritative_pairs",
    "host_pairs",
    "label_fields",
    "label_pairs",
    "listed_from",
    "merge_again",
    "merge_into",
    "runtime_pairs",
    "session_from",
    "update_pairs",
]

Pairs = list[bytes | str | int]
"""Names and values, alternating, as HSET takes them."""

TEXT_BYTES_MAX: Final = 4_096
FIELD_NAME_BYTES_MAX: Final = 256
FIELDS_MAX: Final = 256
SCHEMA: Final = 1
NOT_KNOWN: Final = (b"default",)
"""Stands for an earlier answer where that is lost: who asks about a write again looks at nothing of it."""


def authoritative_pairs(session: Session, *, bytes_max: int) -> Pairs:
    """The authoritative group; a title of None is left out."""
    pairs: Pairs = ["title_version", session.title_version, "pinned", int(session.pinned)]
    pairs += ["metadata_version", session.metadata_version]
    pairs += _text_pair("title", session.title)
    return pairs + _json_pairs("auth:", session.authoritative, bytes_max=bytes_max)


def runtime_pairs(session: Session, *, bytes_max: int) -> Pairs:
    """Status, parent and metadata; what is None is left out."""
    pairs = _text_pair("status", session.status) + _text_pair("parent", session.parent)
    return pairs + _json_pairs("meta:", session.metadata, bytes_max=bytes_max)


def host_pairs(session: Session, *, bytes_max: int) -> Pairs:
    """The host fields."""
    return _json_pairs("host:", session.host, bytes_max=bytes_max)


def label_pairs(labels: Mapping[str, str | None]) -> Pairs:
    """Labels; an empty value, or None, removes one."""
    pairs: Pairs = []
    for field, value in zip(label_fields(labels), labels.values(), strict=True):
        if value is not None and not isinstance(value, str):
            raise InvalidArgument(f"label {field!r} must be a string or None, not {type(value).__name__}")
        pairs += [field, ""] if not value else _text_pair(field, value)
    return pairs


def label_fields(names: Iterable[str]) -> list[str]:
    """The record's fields of these labels."""
    return [f"label:{_field_name(name)}" for name in names]


def update_pairs(
    texts: Mapping[str, str | Unset | None],
    groups: Mapping[str, Mapping[str, Any]],
    *,
    pinned: bool | Unset,
    bytes_max: int,
) -> tuple[Pairs, list[str]]:
    """What a narrow edit sets, and what it clears.

    Args:
        texts: `title`, `status`, `parent`: UNSET leaves, None clears, text sets.
        groups: JSON values by prefix and name; None clears a name.
        pinned: UNSET leaves.
        bytes_max: the largest JSON value.
    """
    if not isinstance(pinned, bool | Unset):
        raise InvalidArgument(f"pinned must be True or False, not {pinned!r}")
    sets: Pairs = [] if isinstance(pinned, Unset) else ["pinned", int(pinned)]
    clears = [name for name, value in texts.items() if value is None]
    for name, value in texts.items():
        if value is not UNSET and value is not None:
            sets += _text_pair(name, value)
    for prefix, values in groups.items():
        clears += [prefix + _field_name(name) for name, value in values.items() if value is None]
        given = {name: value for name, value in values.items() if value is not None}
        sets += _json_pairs(prefix, given, bytes_max=bytes_max)
    return sets, clears


def _text_pair(name: str, value: object) -> Pairs:
    if value is None:
        return []
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} must be a string, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} {value!r} holds a lone surrogate and is not UTF-8 text") from None
    if size > TEXT_BYTES_MAX:
        raise LimitExceeded(f"{name} is {size} bytes long; the limit is {TEXT_BYTES_MAX}")
    return [name, value]


def _json_pairs(prefix: str, values: Mapping[str, Any], *, bytes_max: int) -> Pairs:
    if len(values) > FIELDS_MAX:
        raise LimitExceeded(f"{prefix[:-1]} has {len(values)} fields; the limit is {FIELDS_MAX}")
    pairs: Pairs = []
    for name, value in values.items():
        field = prefix + _field_name(name)
        pairs += [field, encode_value(field, value, bytes_max=bytes_max)]
    return pairs


def _field_name(name: object) -> str:
    return check_text(name, what="field name", bytes_max=FIELD_NAME_BYTES_MAX)


def session_from(session_id: str, reply: list[bytes]) -> Session:
    """The session in a record's names and values.

    Raises:
        DecodeError: a field is missing or is not what it should be.
    """
    fields = dict(zip((name.decode() for name in reply[::2]), reply[1::2], strict=True))
    try:
        session = Session(
            id=session_id,
            user=fields["user"].decode(),
            gen=fields["gen"].decode(),
            status=_text(fields.get("status")),
            parent=_text(fields.get("parent")),
            fence=int(fields.get("fence", 0)),
            revision=int(fields["revision"]),
            messages=int(fields["messages"]),
            bytes=int(fields["bytes"]),
            first_seq=int(fields["first_seq"]),
            last_seq=int(fields["last_seq"]),
            created_at=datetime_from_ms(int(fields["created_ms"])),
            updated_at=datetime_from_ms(int(fields["updated_ms"])),
            deadline_at=_time(fields["deadline_ms"]),
            ttl_ms=int(fields["ttl_ms"]),
            metadata=_json_fields("meta:", fields.items()),
        )
        _take_group(session, fields)
    except (KeyError, ValueError) as error:
        raise DecodeError(f"the record of session {session_id!r} is damaged: {error!r}") from error
    return session


def merge_into(session: Session, parts: Sequence[bytes], created: bytes, group: Sequence[bytes]) -> None:
    """Give the caller's object what a save's reply says is now stored: versions, counters, and the group that won.

    Args:
        session: changed in place.
        parts: the reply of `sessions.save` from the third part on, without the time of creation.
        created: the time of creation.
        group: the user, and names and values; empty: the object has them.
    """
    gen, revision, updated, deadline, ttl, first_seq, last_seq, messages, size, *_ = parts
    values: dict[str, Any] = {
        "gen": gen.decode(),
        "revision": int(revision),
        "created_at": datetime_from_ms(int(created)),
        "updated_at": datetime_from_ms(int(updated)),
        "deadline_at": _time(deadline),
        "ttl_ms": int(ttl),
        "first_seq": int(first_seq),
        "last_seq": int(last_seq),
        "messages": int(messages),
        "bytes": int(size),
    }
    if group:
        values["user"] = group[0].decode()
    _assign(session, values)
    if group:
        _take_group(session, dict(zip((name.decode() for name in group[1::2]), group[2::2], strict=True)))


def merge_again(session: Session, parts: Sequence[bytes]) -> None:
    """The same, where nothing but messages is new: the object has all else already.

    Args:
        session: changed in place.
        parts: as `merge_into` takes them.
    """
    _gen, revision, updated, deadline, ttl, first_seq, last_seq, messages, size, *_ = parts
    values = session.__dict__
    values["revision"] = int(revision)
    values["updated_at"] = datetime_from_ms(int(updated))
    values["deadline_at"] = _time(deadline)
    values["ttl_ms"] = int(ttl)
    values["first_seq"] = int(first_seq)
    values["last_seq"] = int(last_seq)
    values["messages"] = int(messages)
    values["bytes"] = int(size)


def _assign(session: Session, values: dict[str, Any]) -> None:
    """Set fields to what was stored, as pydantic's own copies do: validating each took a quarter of a save's time."""
    session.__dict__.update(values)
    session.__pydantic_fields_set__.update(values)


def _take_group(session: Session, fields: Mapping[str, bytes]) -> None:
    _assign(
        session,
        {
            "title": _text(fields.get("title")),
            "title_version": int(fields.get("title_version", 0)),
            "pinned": fields.get("pinned") == b"1",
            "metadata_version": int(fields.get("metadata_version", 0)),
            "authoritative": _json_fields("auth:", fields.items()),
            "host": _json_fields("host:", fields.items()),
            "labels": _labels(fields),
        },
    )


def _labels(fields: Mapping[str, bytes]) -> dict[str, str]:
    prefix = "label:"
    return {name.removeprefix(prefix): value.decode() for name, value in fields.items() if name.startswith(prefix)}


def listed_from(item: list[Any], labels: Sequence[str] = ()) -> Listed:
    """The line of a list, from escaped id, score and fields; a DecodeError in its place, if the record is damaged.

    Args:
        item: a part of the reply of `sessions.list` or `sessions.by_user`.
        labels: the record's fields of the labels that were asked for.
    """
    member, score, fields = item
    session_id = unescape(member)
    try:
        gen, revision, messages, size, created, updated, deadline, user, parent, status, title, pinned, *shown = fields
        position = (int(score), member.decode())
        summary = SessionSummary(
            id=session_id,
            gen=gen.decode(),
            revision=int(revision),
            messages=int(messages),
            bytes=int(size),
            created_at=datetime_from_ms(int(created)),
            updated_at=datetime_from_ms(int(updated)),
            deadline_at=_time(deadline),
            user=user.decode(),
            parent=_text(parent),
            status=_text(status),
            title=_text(title),
            pinned=pinned == b"1",
            labels=_labels({name: value for name, value in zip(labels, shown, strict=True) if value is not None}),
        )
    except (AttributeError, TypeError, ValueError) as error:
        damage = DecodeError(f"the record of session {session_id!r} is damaged: {error!r}")
        damage.__cause__ = error
        return Listed((_number(score), member.decode()), session_id, damage)
    return Listed(position, session_id, summary)


def _number(score: bytes) -> int:
    return int(score) if score.isdigit() else 0


def _json_fields(prefix: str, fields: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    return {name.removeprefix(prefix): decode_value(name, data) for name, data in fields if name.startswith(prefix)}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _time(value: bytes) -> datetime | None:
    ms = int(value)
    return datetime_from_ms(ms) if ms > 0 else None
