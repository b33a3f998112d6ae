"""Answers of calls that were sent together, errors in their places: what passes by itself, and what is raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessioncache.errors import SessionCacheError

__all__ = ["is_retryable", "raise_first"]


def is_retryable(outcome: object) -> bool:
    """Whether this is one of our errors that may go away if the same call is sent again."""
    return isinstance(outcome, SessionCacheError) and outcome.retryable


def raise_first(results: Sequence[Any]) -> None:
    """Raise the first error among the results, if there is one."""
    for result in results:
        if isinstance(result, SessionCacheError):
            raise result
