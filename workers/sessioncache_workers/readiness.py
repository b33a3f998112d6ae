"""Whether a process could take jobs and do them now.

The rule of this module: it looks and says so; it changes nothing and ends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from redis.exceptions import RedisError

from sessioncache.errors import ConfigurationError, SessionCacheError
from sessioncache.health import ReadyState
from sessioncache_workers.office import Office

__all__ = ["failed_checks", "readiness"]

TIMEOUT_S: Final = 1.5
OK: Final = "ok"


async def readiness(office: Office, *, takes_jobs: bool) -> ReadyState:
    """Whether jobs could be taken and done now, by check, in words."""
    sessions, queue, archive = await asyncio.gather(
        _check(_ask_sessions(office)), _check(office.queue.look()), office.archive.look()
    )
    full = "the queue's server is full: jobs cannot be started; overdue sessions are swept without it"
    return ReadyState(
        {
            "sessions": sessions,
            "queue": queue,
            "memory": full if office.queue_full else OK,
            "namespaces": "; ".join(office.refused.values()) or OK,
            "archive": archive or OK,
            "worker": OK if takes_jobs else "it is stopping",
        }
    )


async def failed_checks(office: Office) -> dict[str, str]:
    """What would keep a process that starts now from working, by check; nothing, if it could.

    Raises:
        ConfigurationError: this release can serve none of the namespaces.
    """
    state = await readiness(office, takes_jobs=True)
    if len(office.refused) == len(office.settings.namespaces):
        raise ConfigurationError("; ".join(office.refused.values()))
    return {name: found for name, found in state.checks.items() if found != OK}


async def _ask_sessions(office: Office) -> None:
    """Ask the sessions' server for something; where no namespace was found yet, whether there are any."""
    if not office.caches:
        await office.find_namespaces()
    for cache in list(office.caches.values())[:1]:
        await cache.retention.get()


async def _check(asked: Awaitable[object]) -> str:
    """`ok`, or what is wrong."""
    try:
        await asyncio.wait_for(asked, TIMEOUT_S)
    except TimeoutError:
        return f"Redis did not answer within {TIMEOUT_S:g} s"
    except (SessionCacheError, RedisError, OSError) as error:
        return str(error)
    return OK
