"""What the near-cache needs to know of a connection."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Line"]


class Line(Protocol):
    """A connection on which the server tells of changes, between its answers and in the order of what happened."""

    @property
    def is_current(self) -> bool:
        """Whether it is there and in use. One that is not never becomes so again."""

    @property
    def confirmed_at(self) -> float:
        """When the last question that was answered had been asked: what changed before that has been told."""
