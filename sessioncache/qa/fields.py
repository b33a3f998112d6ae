"""An entry as it is stored, field by field, and as it is read back.

The rule of this module: no I/O. A field that is None is not stored; `memify_metadata` is stored in parts, one a flag,
so that two writers of different flags both keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID, uuid4

from pydantic import TypeAdapter, ValidationError

from sessioncache.errors import DecodeError, InvalidArgument
from sessioncache.qa.models import QAEntry
from sessioncache.types import UNSET, datetime_from_ms, ms_from_datetime
from sessioncache.types import check_text as checked
from sessioncache.wire.call import Arg
from sessioncache.wire.values import PART_SEPARATOR, ValueEncoder

__all__ = ["edits", "encode_entry", "entry_from", "entry_id_of", "new_entry_id"]

NAME_BYTES_MAX: Final = 256
CREATED: Final = "created_ms"
FLAGS: Final = "memify_metadata"
PART: Final = FLAGS + PART_SEPARATOR
RESERVED: Final = frozenset({"id", "created_at", CREATED})
REQUIRED: Final = frozenset({"question", "answer"})

FIELDS: Final[dict[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(field.rebuild_annotation()) for name, field in QAEntry.model_fields.items()
}


def new_entry_id(session_id: str, operation_id: str | None) -> str:
    """The id of a new entry: random, but the same for each repeat of an operation."""
    if operation_id is None:
        return str(uuid4())
    digest = blake2b(f"{session_id}\0{operation_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))


def entry_id_of(given: object) -> str:
    """The one form of an entry's id: a UUID in any of its forms becomes its text of 36 characters.

    Raises:
        InvalidArgument: neither a UUID nor a text.
    """
    if isinstance(given, UUID):
        return str(given)
    if isinstance(given, str) and len(given) in (32, 36):
        try:
            return str(UUID(given))
        except ValueError:
            return given
    return checked(given, what="id of an entry", bytes_max=512)


def encode_entry(values: ValueEncoder, entry: QAEntry) -> tuple[str, bytes]:
    """An entry's id and what is stored of the rest.

    Raises:
        InvalidArgument: a name that cannot be stored, a wrong value, or one that is no JSON.
        LimitExceeded: a field that is too large.
    """
    entry_id = entry_id_of(entry.id)
    fields: dict[str, object] = {}
    for name, value in entry.model_dump(exclude={"id", "created_at"}).items():
        _check_name(name, value)
        if name == FLAGS:
            fields |= {f"{PART}{_flag(flag)}": on for flag, on in (value or {}).items()}
        elif value is not None or name not in FIELDS:
            fields[name] = value
    if entry.created_at is not None:
        fields[CREATED] = ms_from_datetime(entry.created_at)
    return entry_id, values.encode_fields(f"entry {entry_id!r}", fields)


def edits(values: ValueEncoder, entry_id: str, changes: Mapping[str, object]) -> list[Arg]:
    """Names and values for `rooms.update`: an empty value clears.

    Raises:
        InvalidArgument: a field that cannot be cleared or changed, or a wrong value.
        LimitExceeded: a field that is too large.
    """
    given: list[Arg] = []
    what = f"entry {entry_id!r}"
    for name, value in changes.items():
        if value is UNSET:
            continue
        if name in RESERVED:
            raise InvalidArgument(f"{name} of an entry cannot be changed")
        if value is None:
            if name in REQUIRED:
                raise InvalidArgument(f"{name} of an entry cannot be cleared")
            given += [checked(name, what="name of a field", bytes_max=NAME_BYTES_MAX), b""]
            continue
        plain = _check_name(name, value)
        if name == FLAGS:
            for flag, on in plain.items():
                part = f"{PART}{_flag(flag)}"
                given += [part, values.encode(f"{what}.{FLAGS}", on)]
        else:
            given += [name, values.encode(f"{what}.{name}", plain)]
    return given


def _check_name(name: str, value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value as plain JSON, if the field can have it."""
    if name not in FIELDS:
        checked(name, what="name of a field", bytes_max=NAME_BYTES_MAX)
        if name in RESERVED:
            raise InvalidArgument(f"{name} is no name for a field of your own")
        return value
    try:
        return FIELDS[name].dump_python(FIELDS[name].validate_python(value), mode="json")
    except ValidationError as error:
        raise InvalidArgument(f"{name} of an entry: {_first(error)}") from error


def _flag(name: object) -> str:
    return checked(name, what="name of a flag", bytes_max=NAME_BYTES_MAX)


def entry_from(values: ValueEncoder, entry_id: str, payload: bytes) -> QAEntry:
    """The entry that was stored.

    Raises:
        DecodeError: it is damaged; the message says which one.
    """
    what = f"entry {entry_id!r}"
    fields = values.decode_fields(what, payload)
    flags = {name.removeprefix(PART): fields.pop(name) for name in [*fields] if name.startswith(PART)}
    try:
        created_ms = fields.pop(CREATED, None)
        created_at = None if created_ms is None else datetime_from_ms(created_ms)
        return QAEntry.model_validate({**fields, "id": entry_id, "created_at": created_at, FLAGS: flags or None})
    except (ValidationError, ValueError, OverflowError, TypeError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise DecodeError(f"{what} cannot be decoded: {reason}") from error


def _first(error: ValidationError) -> str:
    """The first fault, without the value, which may be long or secret."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
