"""Payloads: how a message becomes bytes, and how bytes become a message again.

The rule of this module: plain JSON has no header and can be read with redis-cli; anything else starts with one header
byte below 0x20 that names its codec, so that payloads of different codecs can lie side by side and every reader knows
which is which. JSON text never starts with such a byte, whitespace aside, and whitespace is not stored in front.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from sessioncache.errors import DecodeError, InvalidArgument, LimitExceeded
from sessioncache.types import JSONObject

__all__ = [
    "Codec",
    "PlainJSON",
    "decode_message",
    "decode_value",
    "encode_json",
    "encode_message",
    "encode_value",
    "parse_message",
]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
TEXT: Final = frozenset({str})
FLAT: Final = frozenset({str, int, bool, type(None)})
_encode_ascii = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


class Codec(Protocol):
    """Turns the JSON bytes of a message into what is stored, and back."""

    header: bytes
    """The first byte of everything that this codec stores; empty for plain JSON."""

    def encode(self, json_bytes: bytes) -> bytes:
        """What to store."""

    def decode(self, payload: bytes) -> bytes:
        """The JSON bytes again, header included in `payload`."""


class PlainJSON:
    """The default: JSON text as it is."""

    header = b""

    def encode(self, json_bytes: bytes) -> bytes:
        """The bytes themselves."""
        return json_bytes

    def decode(self, payload: bytes) -> bytes:
        """The bytes themselves.

        Raises:
            DecodeError: the payload starts with the header byte of some other codec.
        """
        if payload[:1] < b" ":
            raise DecodeError(
                f"payload starts with the header byte 0x{payload[:1].hex() or '(none)'}, which no codec of this cache "
                "knows; it is damaged, or was written with another codec"
            )
        return payload


def encode_json(value: object) -> bytes:
    """Compact JSON text as UTF-8.

    Raises:
        InvalidArgument: the value holds something that JSON has no word for (NaN and infinities among it).
    """
    try:
        if type(value) is dict and _is_flat(value):
            return to_json(value)
    except ValueError:
        # A lone surrogate.
        pass
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"value cannot be written as JSON: {error}") from error


def _is_flat(value: dict[Any, Any]) -> bool:
    """Whether the quick encoder writes it as the other one does: a message with a text, as most are.

    It has words for what JSON has none for (times, sets), and its own way with floats.
    """
    return FLAT.issuperset(map(type, value.values())) and TEXT.issuperset(map(type, value))


def encode_message(message: Mapping[str, Any] | bytes, *, bytes_max: int, position: int = 0) -> bytes:
    """The JSON bytes of one message.

    Args:
        message: a JSON object, or the bytes of one, which are kept as they are (surrounding whitespace removed).
        bytes_max: the largest size to accept.
        position: which message of the batch this is, for the error's text.

    Raises:
        InvalidArgument: not a JSON object.
        LimitExceeded: larger than `bytes_max`.
    """
    if isinstance(message, bytes):
        data = message.strip()
        parse_message(data, position=position)
    elif isinstance(message, Mapping):
        try:
            data = encode_json(message if isinstance(message, dict) else dict(message))
        except InvalidArgument as error:
            raise InvalidArgument(f"message {position}: {error}") from error
    else:
        raise InvalidArgument(f"message {position} is a {type(message).__name__}; it must be a JSON object")
    if len(data) > bytes_max:
        raise LimitExceeded(
            f"message {position} is {len(data)} bytes long; the limit is {bytes_max} (setting entry_bytes_max)"
        )
    return data


def parse_message(data: bytes, *, position: int = 0) -> JSONObject:
    """The JSON object in the bytes that a caller gave.

    Raises:
        InvalidArgument: not JSON (NaN and infinities are not), or not an object.
    """
    try:
        decoded = json.loads(data, parse_constant=_refuse_constant)
    except ValueError as error:
        raise InvalidArgument(f"message {position} is not JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise InvalidArgument(f"message {position} is a JSON {_json_name(decoded)}; it must be an object")
    return decoded


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def decode_message(codec: Codec, payload: bytes, *, seq: int) -> JSONObject:
    """The message inside a stored payload.

    Raises:
        DecodeError: with the entry's sequence number.
    """
    try:
        decoded = _decode(codec.decode(payload))
    except (ValueError, DecodeError) as error:
        raise DecodeError(f"message {seq} cannot be decoded: {error}", seq=seq) from error
    if not isinstance(decoded, dict):
        raise DecodeError(f"message {seq} is a JSON {_json_name(decoded)}, not an object", seq=seq)
    return decoded


def _decode(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return from_json(data)
    except ValueError:
        # The quick parser knows no lone surrogates and no deep nesting; both are JSON.
        return json.loads(data)


def encode_value(name: str, value: object, *, bytes_max: int) -> bytes:
    """The JSON bytes of a metadata value.

    Raises:
        InvalidArgument: not JSON.
        LimitExceeded: larger than `bytes_max`.
    """
    try:
        data = encode_json(value)
    except InvalidArgument as error:
        raise InvalidArgument(f"{name}: {error}") from error
    if len(data) > bytes_max:
        raise LimitExceeded(f"{name} is {len(data)} bytes long; the limit is {bytes_max} (setting entry_bytes_max)")
    return data


def decode_value(name: str, data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A metadata value.

    Raises:
        DecodeError: the stored bytes are not JSON.
    """
    try:
        return json.loads(data)
    except ValueError as error:
        raise DecodeError(f"field {name} of the record is not JSON: {error}") from error


def _json_name(value: object) -> str:
    names = {list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), type(value).__name__)
