"""Waiting for what is to come, in async tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until the condition holds; the test's own time limit ends what never comes."""
    while not condition():  # noqa: ASYNC110 - the condition is of any kind, and nobody tells when it holds
        await asyncio.sleep(0)
