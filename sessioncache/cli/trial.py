"""A session that `sessioncache doctor` writes, reads and deletes, to see that all of it works.

The rule of this module: the session is gone afterwards; should deleting fail, it expires within a minute.
"""

from __future__ import annotations

import secrets
import time
from contextlib import aclosing
from typing import Final

from sessioncache.cli.findings import Finding, Level
from sessioncache.client._async import AsyncSessionCache
from sessioncache.errors import SessionCacheError
from sessioncache.settings import Settings
from sessioncache.transport.connect_async import connect

__all__ = ["try_session"]

LIFE_MS: Final = 60_000


async def try_session(settings: Settings) -> Finding:
    """Whether a session can be written, read and deleted, and how long that took."""
    started = time.perf_counter()
    quick = settings.model_copy(update={"near_cache_bytes": 0})
    try:
        async with aclosing(AsyncSessionCache(connect(quick), quick)) as cache:
            trouble = await _trouble(cache, f"doctor-{secrets.token_hex(8)}")
    except SessionCacheError as error:
        return Finding("session", Level.problem, str(error), "the other checks (`sessioncache doctor`) say why")
    if trouble:
        return Finding("session", Level.problem, trouble, "please report it with the output of --debug")
    spent_ms = (time.perf_counter() - started) * 1000
    return Finding("session", Level.ok, f"a session was written, read and deleted in {spent_ms:.1f} ms")


async def _trouble(cache: AsyncSessionCache, name: str) -> str | None:
    """What was not as it should be; None: nothing."""
    chat = cache.session(name)
    message = {"role": "user", "content": "Is anybody there?"}
    try:
        await chat.transcript.append(message)
        await chat.retain(ttl_ms=LIFE_MS)
        page = await chat.transcript.list(last=1)
        if page.messages != [message]:
            return f"what was read is not what was written: {page.messages!r}"
    finally:
        gone = await cache.sessions.delete(name)
    if not gone or await cache.sessions.exists(name):
        return "the session could not be deleted"
    return None
