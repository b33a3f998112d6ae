"""What can be said about sizes before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sessioncache.settings import Settings
from sessioncache.wire.messages import MessageEncoder
from sessioncache.wire.values import ValueEncoder

__all__ = ["check_messages", "check_values"]


def check_messages(messages: Sequence[Mapping[str, Any]], settings: Settings) -> None:
    """Encode the messages as a save would.

    Raises:
        InvalidArgument, LimitExceeded: one that cannot be stored.
    """
    MessageEncoder(entry_bytes_max=settings.entry_bytes_max).encode(messages, items_max=max(len(messages), 1))


def check_values(values: Mapping[str, Any], settings: Settings) -> None:
    """Encode the values as a save would; the names are for the error.

    Raises:
        InvalidArgument, LimitExceeded: one that cannot be stored.
    """
    encoder = ValueEncoder(entry_bytes_max=settings.entry_bytes_max)
    for name, value in values.items():
        encoder.encode(name, value)
