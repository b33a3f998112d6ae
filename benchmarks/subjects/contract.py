"""What a store must offer to be measured. Standard library only: this runs in every subject's own environment.

The rule of this module: a subject calls its store as that store's documentation says, and does nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from benchmarks.conversations import Message

__all__ = ["Conversation", "Store"]


class Conversation(Protocol):
    """One conversation in the store, opened and connected before the clock runs."""

    async def append(self, message: Message) -> object:
        """Add one message to the end; measured."""

    async def fill(self, messages: Sequence[Message]) -> object:
        """Add many messages to the end; not measured."""

    async def load(self, last: int) -> Sequence[Message]:
        """The newest messages, oldest first, as new Python objects; measured."""
        ...

    async def close(self) -> None:
        """Close what was opened for this conversation alone."""


class Store(Protocol):
    """One store in one process."""

    def versions(self) -> dict[str, str]:
        """The distributions that matter, and their versions."""
        ...

    async def open(self, url: str, tasks: int) -> None:
        """Connect, with as many connections as the tasks will use."""

    async def conversation(self, name: str) -> Conversation:
        """Open one conversation."""
        ...

    async def close(self) -> None:
        """Close every connection."""
