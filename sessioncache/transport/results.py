"""Answers: what passes by itself, what is raised, and how much came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sessioncache.errors import SessionCacheError
from sessioncache.wire.call import Call

__all__ = ["Received", "is_retryable", "raise_first"]

T = TypeVar("T")


class Received:
    """How much came in answer to one call."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0
        """Of texts and numbers; 0 where no answer came."""

    def by(self, call: Call[T]) -> Call[T]:
        """The same call, whose answer is measured."""
        decode = call.decode

        def measured(reply: Any) -> T:  # noqa: ANN401 - a reply is of any type
            self.bytes = _size(reply)
            return decode(reply)

        return replace(call, decode=measured)


def _size(reply: object) -> int:
    if isinstance(reply, bytes | str):
        return len(reply)
    if isinstance(reply, list | tuple):
        return sum(len(part) if isinstance(part, bytes) else _size(part) for part in reply)
    return len(str(reply)) if isinstance(reply, int | float) else 0


def is_retryable(outcome: object) -> bool:
    """Whether this is one of our errors that may go away if the same call is sent again."""
    return isinstance(outcome, SessionCacheError) and outcome.retryable


def raise_first(results: Sequence[Any]) -> None:
    """Raise the first error among the results, if there is one."""
    for result in results:
        if isinstance(result, SessionCacheError):
            raise result
