"""Names that differ between the two colours: this is the sync side; `colour_async.py` has the same names."""

from __future__ import annotations

import time
from threading import Lock, Semaphore
from typing import TypeVar

__all__ = ["Lock", "Semaphore", "gather", "sleep_ms"]

T = TypeVar("T")


def gather(*results: T) -> list[T]:
    """The results, which were computed one after the other."""
    return list(results)


def sleep_ms(duration_ms: float) -> None:
    """Wait for so many milliseconds."""
    time.sleep(duration_ms / 1000)
