"""Names that differ between the two colours: this is the async side; `colour_sync.py` has the same names.

The rule of this module: whatever an async file needs from its event loop, and its generated twin from threads, comes
from here, so that generating the twin stays a matter of words.
"""

from __future__ import annotations

import asyncio
from asyncio import Lock, Semaphore
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["Lock", "Semaphore", "gather", "sleep_ms"]

T = TypeVar("T")


async def gather(*running: Awaitable[T]) -> list[T]:
    """The results of all, which run side by side."""
    return list(await asyncio.gather(*running))


async def sleep_ms(duration_ms: float) -> None:
    """Let others run for so many milliseconds."""
    await asyncio.sleep(duration_ms / 1000)
