"""Values of a session's rooms and documents on their way to Redis: JSON through the codec, whole or field by field.

The rule of this module: an entry that is edited field by field is stored as its fields, names and encoded values
alternating, each as its length, a colon, and itself (`8:question4:"hi"`). So a script can set one field without knowing
JSON, and two writers of different fields both keep theirs. A field that holds a map whose names are edited one by one
is stored in parts: `memify_metadata`, a unit separator, and the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sessioncache.errors import DecodeError
from sessioncache.types import JSONObject
from sessioncache.wire.codec import Codec, PlainJSON, decode_value, encode_value

__all__ = ["PART_SEPARATOR", "ValueEncoder", "pack_fields", "pack_parts", "unpack_fields"]

PART_SEPARATOR: Final = "\x1f"
"""Between the name of a field and the name of a part of it."""


class ValueEncoder:
    """Encodes JSON values with one codec and one size limit."""

    def __init__(self, *, entry_bytes_max: int, codec: Codec | None = None) -> None:
        self.entry_bytes_max = entry_bytes_max
        self._codec: Codec = codec or PlainJSON()

    def encode(self, what: str, value: object) -> bytes:
        """What is stored of a JSON value.

        Args:
            what: what to call it in an error's message.
            value: anything that JSON has a word for.

        Raises:
            InvalidArgument: not JSON.
            LimitExceeded: larger than `entry_bytes_max`.
        """
        return self._codec.encode(encode_value(what, value, bytes_max=self.entry_bytes_max))

    def reads(self, payload: bytes) -> bool:
        """Whether the payload is this codec's, or plain JSON, as far as its first byte tells."""
        return not payload[:1] < b" " or payload[:1] == self._codec.header

    def decode(self, what: str, payload: bytes) -> Any:  # noqa: ANN401 - any JSON value
        """The value that was stored.

        Raises:
            DecodeError: the payload is not what its header says.
        """
        try:
            return decode_value(what, self._codec.decode(payload))
        except DecodeError as error:
            raise DecodeError(f"{what} cannot be decoded: {error}") from error

    def encode_fields(self, what: str, values: Mapping[str, object]) -> bytes:
        """What is stored of an entry that is edited field by field."""
        return pack_fields((name, self.encode(f"{what}.{name}", value)) for name, value in values.items())

    def decode_fields(self, what: str, payload: bytes) -> JSONObject:
        """The fields of such an entry.

        Raises:
            DecodeError: the payload is damaged.
        """
        return {name: self.decode(f"{what}.{name}", value) for name, value in unpack_fields(what, payload).items()}


def pack_fields(fields: Iterable[tuple[str, bytes]]) -> bytes:
    """Names and values as one payload, as `pack_parts.lua` writes it."""
    return pack_parts([part for field in fields for part in field])


def pack_parts(parts: Iterable[bytes | str | int]) -> bytes:
    """Texts and numbers as one payload, as `pack_parts.lua` writes it."""
    given = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"".join([b"%d:%b" % (len(part), part) for part in given])


def unpack_fields(what: str, payload: bytes) -> dict[str, bytes]:
    """The names and values of a payload.

    Raises:
        DecodeError: it is not a list of names and values.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(payload):
        colon = payload.find(b":", at)
        length = payload[at:colon]
        end = colon + 1 + int(length) if colon > at and length.isdigit() else -1
        if not 0 < end <= len(payload):
            raise DecodeError(f"{what} is damaged: its payload is no list of fields from byte {at} on")
        parts.append(payload[colon + 1 : end])
        at = end
    try:
        return {name.decode(): value for name, value in zip(parts[::2], parts[1::2], strict=True)}
    except ValueError as error:
        raise DecodeError(f"{what} is damaged: {error}") from error
