"""Messages on their way to Redis: encoded, counted, measured, and marked where nothing may be cut.

The rule of this module: a batch is checked as a whole before any of it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sessioncache.errors import InvalidArgument, LimitExceeded
from sessioncache.types import JSONObject, Message
from sessioncache.wire.codec import Codec, PlainJSON, decode_message, encode_message, parse_message
from sessioncache.wire.cut_points import continues, joined_marks
from sessioncache.wire.parsing import objects_in

__all__ = ["BATCH_ITEMS_MAX", "MessageEncoder"]

BATCH_ITEMS_MAX: Final = 500
"""Most messages in one script call: scripts stay bounded, so that the server is never busy for long."""


class MessageEncoder:
    """Encodes messages with one codec and one size limit."""

    def __init__(self, *, entry_bytes_max: int, codec: Codec | None = None) -> None:
        self.entry_bytes_max = entry_bytes_max
        self._codec: Codec = codec or PlainJSON()
        self.is_plain = isinstance(self._codec, PlainJSON)
        """Whether payloads are the messages' JSON as it is."""

    def encode(
        self, messages: Message | Sequence[Message], *, items_max: int = BATCH_ITEMS_MAX
    ) -> tuple[str, list[bytes]]:
        """The marks and payloads of one message or several.

        Args:
            messages: a JSON object or its bytes, or a sequence of them.
            items_max: most messages to accept.

        Raises:
            InvalidArgument: something is not a JSON object; the text says which.
            LimitExceeded: too many, or one that is too large.
        """
        if type(messages) is list and len(messages) == 1 and type(messages[0]) is dict:
            messages = messages[0]
        if type(messages) is dict:
            # What most calls bring.
            data = encode_message(messages, bytes_max=self.entry_bytes_max)
            return "c" if continues(messages) else "m", [self._codec.encode(data)]
        batch = as_batch(messages)
        if len(batch) > items_max:
            raise LimitExceeded(f"{len(batch)} messages in one call; the limit is {items_max}: send them in parts")
        marks, payloads = [], []
        for position, message in enumerate(batch):
            data = encode_message(message, bytes_max=self.entry_bytes_max, position=position)
            decoded = message if isinstance(message, Mapping) else parse_message(data)
            marks.append("c" if continues(decoded) else "m")
            payloads.append(self._codec.encode(data))
        if "c" in marks:
            decoded_batch = [one if isinstance(one, Mapping) else parse_message(one) for one in batch]
            marks = list(joined_marks(decoded_batch, marks))
        return "".join(marks), payloads

    def decode_together(self, texts: Sequence[bytes | memoryview], count: int) -> list[JSONObject] | None:
        """Messages, parsed in one go in half the time; None where that cannot be done.

        It cannot where a codec made the payloads, or one of them is damaged: `decode` says which.

        Args:
            texts: payloads, or several of them with commas between.
            count: how many payloads there are.
        """
        if not self.is_plain:
            return None
        try:
            messages = objects_in(_array(texts))
        except ValueError:
            return None
        return messages if len(messages) == count else None

    def decode(self, payload: bytes, *, seq: int) -> JSONObject:
        """The message inside a payload.

        Raises:
            DecodeError: with the entry's sequence number.
        """
        return decode_message(self._codec, payload, seq=seq)


def _array(texts: Sequence[bytes | memoryview]) -> bytes:
    """One JSON array of all of them, copied but once: they are most of what is read."""
    if len(texts) == 1:
        return b"".join((b"[", texts[0], b"]"))
    return b",".join((b"[" + texts[0], *texts[1:-1], b"".join((texts[-1], b"]")))) if texts else b"[]"


def as_batch(messages: object) -> Sequence[Any]:
    """The messages as a sequence, a single one as a sequence of one.

    Raises:
        InvalidArgument: neither a message nor a sequence of them.
    """
    if isinstance(messages, Mapping | bytes):
        return (messages,)
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        raise InvalidArgument(f"messages must be a JSON object or a list of them, not {type(messages).__name__}")
    return messages
