"""Whether a failure passes by itself."""

from __future__ import annotations

from sessioncache.errors import SessionCacheError

__all__ = ["is_retryable"]


def is_retryable(outcome: object) -> bool:
    """Whether this is one of our errors that may go away if the same call is sent again."""
    return isinstance(outcome, SessionCacheError) and outcome.retryable
