"""What a store must offer to be measured. Standard library only: this runs in every subject's own environment.

The rule of this module: a subject calls its store as that store's documentation says, and does nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.conversations import Message

__all__ = ["NEAR_CACHE", "SEALED", "Conversation", "JSONStore", "Store", "Unavailable"]

SEALED = "sealed"
"""A feature: sessions are sealed as idle ones before they are read or weighed."""

NEAR_CACHE = "near-cache"
"""A feature: reads are answered from the process's memory where it knows that nothing changed."""


class Unavailable(Exception):
    """The store cannot do this here; the message says why, and the run goes on without it."""


class Conversation(Protocol):
    """One conversation in the store, opened and connected before the clock runs."""

    async def append(self, message: Any) -> object:  # noqa: ANN401  whatever the store takes for a message
        """Add one message, as `Store.native` made it, to the end; measured."""

    async def fill(self, messages: Sequence[Any]) -> object:
        """Add many messages to the end; not measured."""

    async def load(self, last: int) -> Sequence[Any]:
        """The newest messages, oldest first, as new Python objects; measured."""
        ...

    async def close(self) -> None:
        """Close what was opened for this conversation alone."""


class Store(Protocol):
    """One store in one process."""

    def versions(self) -> dict[str, str]:
        """The distributions that matter, and their versions."""
        ...

    async def open(self, url: str, tasks: int, features: frozenset[str]) -> None:
        """Connect, with as many connections as the tasks will use.

        Raises:
            Unavailable: the server lacks what the store needs, or the store a feature.
        """

    def native(self, message: Message) -> Any:  # noqa: ANN401  whatever the store takes for a message
        """The message as the store's framework has it in memory; not measured."""

    def plain(self, native: Any) -> object:  # noqa: ANN401  as above
        """Something to compare what was read with what was written by."""
        ...

    async def conversation(self, name: str) -> Conversation:
        """Open one conversation."""
        ...

    async def close(self) -> None:
        """Close every connection."""


class JSONStore:
    """For stores whose messages are JSON objects."""

    def native(self, message: Message) -> Message:
        """The object itself."""
        return message

    def plain(self, native: Message) -> object:
        """The object itself."""
        return native
